package stream

import (
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/cadence"
	"github.com/Automattic/jetmon/internal/fault"
)

// firstRequest waits for the request that should be Hello, at most cadence.HelloWithin: a
// stream costs memory, and one that says nothing is no checker's.
func firstRequest(st responder) (*coordinatorv1.StreamAssignmentsRequest, error) {
	type request struct {
		message *coordinatorv1.StreamAssignmentsRequest
		err     error
	}
	received := make(chan request, 1)
	go func() {
		m, err := st.Recv()
		received <- request{m, err}
	}()
	patience := time.NewTimer(cadence.HelloWithin)
	defer patience.Stop()
	select {
	case first := <-received:
		return first.message, first.err
	case <-patience.C:
		return nil, fault.InvalidField("hello", "must be sent within %s", cadence.HelloWithin)
	}
}
