package stream

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/internal/fault"
)

// The reason is the same whether the sender or the receiver finds out first.
func TestAStreamWhoseSessionWasEndedEndsWithTheReason(t *testing.T) {
	t.Parallel()
	l := newLink(time.Minute, &sync.Pool{})
	r := receiver{link: l}
	if err := r.ending(dispatch.ErrNoSession); !errors.Is(err, dispatch.ErrNoSession) {
		t.Errorf("while its session lives it ends with %v", err)
	}
	l.End("no heartbeat")
	if err := r.ending(dispatch.ErrNoSession); !fault.Is(err, fault.Conflict) || err.Error() != "session ended: no heartbeat" {
		t.Errorf("it ends with %v", err)
	}
}
