package stream

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/dispatch"
	coordinatorpb "github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
)

// link is the engine's end of a stream. What the engine calls never blocks.
type link struct {
	lease time.Duration
	out   chan *coordinatorpb.StreamAssignmentsResponse
	ended chan struct{}

	once   sync.Once
	reason string // written before ended is closed
}

func newLink(lease time.Duration) *link {
	return &link{
		lease: lease,
		out:   make(chan *coordinatorpb.StreamAssignmentsResponse, outbox),
		ended: make(chan struct{}),
	}
}

// Assign sends a batch.
func (l *link) Assign(b dispatch.Batch, targets []check.Target) bool {
	m := &coordinatorpb.Assignments{
		Batch:       refToProto(b.Ref),
		LeaseMillis: uint32(l.lease.Milliseconds()),
		Assignments: make([]*coordinatorpb.Assignment, len(b.Checks)),
	}
	for i, c := range b.Checks {
		m.Assignments[i] = &coordinatorpb.Assignment{
			SiteId: int64(c.Site), Sequence: c.Sequence, Target: checkpb.TargetToProto(targets[i]),
		}
	}
	return l.put(&coordinatorpb.StreamAssignmentsResponse{Message: &coordinatorpb.StreamAssignmentsResponse_Assignments{Assignments: m}})
}

// End closes the session; only the first reason counts.
func (l *link) End(reason string) {
	l.once.Do(func() {
		l.reason = reason
		close(l.ended)
	})
}

func (l *link) put(m *coordinatorpb.StreamAssignmentsResponse) bool {
	select {
	case l.out <- m:
		return true
	default:
		return false
	}
}

// answer sends what the receiver has to say, which may wait for room: then nothing
// more is read from the checker.
func (l *link) answer(ctx context.Context, m *coordinatorpb.StreamAssignmentsResponse) error {
	select {
	case l.out <- m:
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
