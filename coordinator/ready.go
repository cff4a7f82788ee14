package coordinator

import (
	"errors"
	"fmt"
	"time"

	"github.com/Automattic/jetmon/coordinator/state/ownership"
)

// quiet is how long the database may be silent before the coordinator is not ready: other
// coordinators may still reach it, and callers wait no longer than pulse.Patience.
const quiet = 3 * time.Second

// Ready says why the coordinator cannot do its work now; nil when it can. One whose shards
// are all others' can: it answers for every site. Of a database that answers and takes
// nothing it learns from what it writes there anyway.
func (c *Coordinator) Ready() error {
	select {
	case <-c.loader.Loaded():
	default:
		return errors.New("the sites have not been loaded from the database yet")
	}
	if silent := c.pulse.Silent(time.Now()); silent > quiet {
		return fmt.Errorf("the database has not answered for %s", silent.Round(time.Second))
	}
	if silent := time.Since(c.ownership.Written()); silent > ownership.SureFor {
		return fmt.Errorf("the database has not taken a write for %s", silent.Round(time.Second))
	}
	return nil
}
