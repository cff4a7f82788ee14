package coordinator

import (
	"errors"
	"fmt"
	"time"

	"github.com/Automattic/jetmon/coordinator/state/ownership"
)

// Ready says why the coordinator cannot do its work now; nil when it can. One whose shards
// are all others' can: it answers for every site. It learns of the database from what it
// writes there anyway.
func (c *Coordinator) Ready() error {
	select {
	case <-c.loader.Loaded():
	default:
		return errors.New("the sites have not been loaded from the database yet")
	}
	if silent := time.Since(c.ownership.Written()); silent > ownership.SureFor {
		return fmt.Errorf("the database has not taken a write for %s", silent.Round(time.Second))
	}
	return nil
}
