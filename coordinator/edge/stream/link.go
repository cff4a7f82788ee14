package stream

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// responder is the coordinator's end of the stream.
type responder = grpc.BidiStreamingServer[coordinatorv1.StreamAssignmentsRequest, coordinatorv1.StreamAssignmentsResponse]

// link is the engine's end of a stream. The methods that the engine calls never block.
type link struct {
	lease time.Duration
	out   chan proto.Message
	ended chan struct{}
	pool  *sync.Pool // of *encoded

	once   sync.Once
	reason string // written before ended is closed
}

func newLink(lease time.Duration, pool *sync.Pool) *link {
	return &link{
		lease: lease,
		pool:  pool,
		out:   make(chan proto.Message, maxUnread),
		ended: make(chan struct{}),
	}
}

// Assign sends a batch. It encodes the batch at once, since the engine owns the targets.
func (l *link) Assign(b dispatch.Batch, targets []check.Target, term uint64) bool {
	m, ok := l.pool.Get().(*encoded)
	if !ok {
		m = newEncoded()
	}
	if err := m.write(handout{batch: b, targets: targets, term: term, lease: l.lease}); err != nil {
		l.End(err.Error())
		return true
	}
	return l.put(m)
}

// Revoke takes batches back. A checker that misses the message learns it from the answer to
// its heartbeat.
func (l *link) Revoke(refs []dispatch.Ref) {
	m := &coordinatorv1.Revoke{Batches: make([]*coordinatorv1.BatchRef, len(refs))}
	for i, ref := range refs {
		m.Batches[i] = refToProto(ref)
	}
	l.put(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_Revoke{Revoke: m}})
}

// put sends a message from the engine if there is room, and reports whether there was.
func (l *link) put(m proto.Message) bool {
	select {
	case l.out <- m:
		return true
	default:
		return false
	}
}

// sent returns a sent message to the pool.
func (l *link) sent(m proto.Message) {
	if e, ok := m.(*encoded); ok {
		l.pool.Put(e)
	}
}

// End closes the session; only the first reason counts.
func (l *link) End(reason string) {
	l.once.Do(func() {
		l.reason = reason
		close(l.ended)
	})
}

// answer sends a message from the receiver. It may wait for room; until then the receiver
// reads nothing more from the checker.
func (l *link) answer(ctx context.Context, m *coordinatorv1.StreamAssignmentsResponse) error {
	select {
	case l.out <- m:
		return nil
	case <-l.ended:
		return errors.New("the session has ended")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func refToProto(r dispatch.Ref) *coordinatorv1.BatchRef {
	return &coordinatorv1.BatchRef{BatchId: uint64(r.Batch), CheckoutId: r.Checkout}
}

func refFromProto(r *coordinatorv1.BatchRef) dispatch.Ref {
	return dispatch.Ref{Batch: dispatch.BatchID(r.GetBatchId()), Checkout: r.GetCheckoutId()}
}
