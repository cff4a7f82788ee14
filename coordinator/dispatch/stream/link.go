package stream

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/coordinator/dispatch"
	coordinatorpb "github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// outgoing is a message to send: a handout, or other when that is set.
type outgoing struct {
	handout
	other *coordinatorpb.StreamAssignmentsResponse
}

// send sends it; what batch held is replaced.
func (m outgoing) send(st responder, batch *encoded) error {
	if m.other != nil {
		return st.Send(m.other)
	}
	if err := batch.write(m.handout); err != nil {
		return err
	}
	return st.SendMsg(batch)
}

// responder is the coordinator's end of a stream.
type responder = grpc.BidiStreamingServer[coordinatorpb.StreamAssignmentsRequest, coordinatorpb.StreamAssignmentsResponse]

// link is the engine's end of a stream. What the engine calls never blocks.
type link struct {
	lease time.Duration
	out   chan outgoing
	ended chan struct{}

	once   sync.Once
	reason string // written before ended is closed
}

func newLink(lease time.Duration) *link {
	return &link{
		lease: lease,
		out:   make(chan outgoing, outbox),
		ended: make(chan struct{}),
	}
}

// Assign sends a batch; it is encoded by who sends it, outside of the engine.
func (l *link) Assign(b dispatch.Batch, targets []check.Target, term uint64) bool {
	select {
	case l.out <- outgoing{handout: handout{batch: b, targets: targets, term: term, lease: l.lease}}:
		return true
	default:
		return false
	}
}

// Revoke takes batches back. A checker that does not read finds out by its heartbeat.
func (l *link) Revoke(refs []dispatch.Ref) {
	m := &coordinatorpb.Revoke{Batches: make([]*coordinatorpb.BatchRef, len(refs))}
	for i, ref := range refs {
		m.Batches[i] = refToProto(ref)
	}
	select {
	case l.out <- outgoing{other: &coordinatorpb.StreamAssignmentsResponse{Message: &coordinatorpb.StreamAssignmentsResponse_Revoke{Revoke: m}}}:
	default:
	}
}

// End closes the session; only the first reason counts.
func (l *link) End(reason string) {
	l.once.Do(func() {
		l.reason = reason
		close(l.ended)
	})
}

// answer sends what the receiver has to say, which may wait for room: then nothing
// more is read from the checker.
func (l *link) answer(ctx context.Context, m *coordinatorpb.StreamAssignmentsResponse) error {
	select {
	case l.out <- outgoing{other: m}:
		return nil
	case <-l.ended:
		return errors.New("the session has ended")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func refToProto(r dispatch.Ref) *coordinatorpb.BatchRef {
	return &coordinatorpb.BatchRef{BatchId: uint64(r.Batch), CheckoutId: r.Checkout}
}

func refFromProto(r *coordinatorpb.BatchRef) dispatch.Ref {
	return dispatch.Ref{Batch: dispatch.BatchID(r.GetBatchId()), Checkout: r.GetCheckoutId()}
}
