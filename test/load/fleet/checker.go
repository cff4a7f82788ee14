//go:build linux

package main

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

type bidi = grpc.BidiStreamingClient[coordinatorv1.StreamAssignmentsRequest, coordinatorv1.StreamAssignmentsResponse]

// checker is one simulated checker. It has one session, whose end is an error unless ctx
// ended it.
type checker struct {
	name   string
	plan   plan
	sights *sights
	random *rand.Rand // the receiver's

	mu      sync.Mutex
	tally   *tally
	waiting parts
	open    map[uint64]*coordinatorv1.BatchRef // open batches by number
	pace    pace
}

func newChecker(i int, p plan, s *sights) *checker {
	return &checker{
		name: fmt.Sprintf("load-%03d", i), plan: p, sights: s, random: rand.New(rand.NewPCG(1, uint64(i))),
		tally: newTally(), open: map[uint64]*coordinatorv1.BatchRef{},
	}
}

// limit sets the limit of answered checks per second; 0 lifts it.
func (c *checker) limit(rate float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pace.set(rate)
}

// take returns the tally since the last call.
func (c *checker) take() *tally {
	fresh := newTally()
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tally
	c.tally = fresh
	return t
}

// run serves one stream until ctx ends.
func (c *checker) run(ctx context.Context, address string) error {
	conn, err := rpc.Dial(address, rpc.ClientOptions{})
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	st, err := coordinatorv1.NewAssignmentServiceClient(conn).StreamAssignments(ctx)
	if err != nil {
		return fmt.Errorf("%s: open the stream: %w", c.name, err)
	}
	welcome, err := c.greet(st)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	received := make(chan error, 1)
	go func() { received <- c.receive(st) }()
	err = c.send(ctx, st, time.Duration(welcome.GetHeartbeatMillis())*time.Millisecond, received)
	if ctx.Err() != nil {
		return nil // an intended end
	}
	return fmt.Errorf("%s: %w", c.name, err)
}

func (c *checker) greet(st bidi) (*coordinatorv1.Welcome, error) {
	err := st.Send(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Hello{Hello: &coordinatorv1.Hello{
		Node: c.name, InstanceId: c.name, Region: "loopback", MaxInFlight: uint32(c.plan.inFlight), ProtocolVersion: 1,
	}}})
	if err != nil {
		return nil, fmt.Errorf("say hello: %w", err)
	}
	first, err := st.Recv()
	if err != nil {
		return nil, fmt.Errorf("wait for the welcome: %w", err)
	}
	w := first.GetWelcome()
	if w.GetHeartbeatMillis() == 0 {
		return nil, fmt.Errorf("the coordinator began with %v", first)
	}
	return w, nil
}

func (c *checker) receive(st bidi) error {
	for {
		m, err := st.Recv()
		if err != nil {
			return err
		}
		switch m := m.GetMessage().(type) {
		case *coordinatorv1.StreamAssignmentsResponse_Assignments:
			if err := c.accept(time.Now(), m.Assignments); err != nil {
				return err
			}
		case *coordinatorv1.StreamAssignmentsResponse_ResultsAck:
			c.acknowledged(m.ResultsAck)
		case *coordinatorv1.StreamAssignmentsResponse_Drain:
			return errors.New("the coordinator drains")
		}
	}
}

func (c *checker) accept(now time.Time, a *coordinatorv1.Assignments) error {
	all := latency{c.plan.latency, c.plan.spread, c.random}.split(a, now)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range a.GetAssignments() {
		if !c.sights.see(now, one.GetSiteId(), c.tally) {
			return fmt.Errorf("site %d was assigned, which is not there", one.GetSiteId())
		}
	}
	c.open[a.GetBatch().GetBatchId()] = a.GetBatch()
	for _, p := range all {
		heap.Push(&c.waiting, p)
	}
	return nil
}

func (c *checker) acknowledged(a *coordinatorv1.ResultsAck) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally.accepted += uint64(a.GetAccepted())
	c.tally.duplicate += uint64(a.GetDuplicate())
	c.tally.late += uint64(a.GetLate())
	if a.GetError() != nil {
		c.tally.refused++
	}
}

// sendEvery is how often a checker looks for something to send.
const sendEvery = 10 * time.Millisecond

// send sends results, credit and heartbeats until the stream ends.
func (c *checker) send(ctx context.Context, st bidi, beat time.Duration, received <-chan error) error {
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	var beaten time.Time
	owed := c.plan.inFlight
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-received:
			return err
		case <-tick.C:
		}
		now := time.Now()
		if now.Sub(beaten) >= beat {
			beaten = now
			if err := st.Send(c.heartbeat()); err != nil {
				return <-received
			}
		}
		for p, ok := c.next(now); ok; p, ok = c.next(now) {
			m := &coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Results{Results: p.results(now, &c.plan)}}
			if err := st.Send(m); err != nil {
				return <-received // the reason
			}
			owed += len(p.done)
		}
		if owed >= max(1, c.plan.inFlight/8) {
			m := &coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Credit{Credit: &coordinatorv1.Credit{Add: uint32(owed)}}}
			if err := st.Send(m); err != nil {
				return <-received
			}
			owed = 0
		}
	}
}

// next returns a part that is due and that the pace allows.
func (c *checker) next(now time.Time) (part, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 || c.waiting[0].due.After(now) || !c.pace.allow(now, len(c.waiting[0].done)) {
		return part{}, false
	}
	p, _ := c.waiting.next(now)
	if p.last {
		delete(c.open, p.batch.GetBatchId())
	}
	return p, true
}

func (c *checker) heartbeat() *coordinatorv1.StreamAssignmentsRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := &coordinatorv1.Heartbeat{SelfCheck: &checkv1.SelfCheck{Healthy: true}}
	for _, ref := range c.open {
		h.OpenBatches = append(h.OpenBatches, ref)
	}
	for _, p := range c.waiting {
		h.InFlight += uint32(len(p.done))
	}
	return &coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Heartbeat{Heartbeat: h}}
}
