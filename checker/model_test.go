package checker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/checker"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/test/seeds"
)

// model is a coordinator that keeps to the contract and has much bad luck. Its streams break
// before and after it has applied a message; it drains, and revokes and forgets batches. It
// has a number of checks to get done, and verifies that the checker keeps to the contract.
type model struct {
	coordinatorv1.UnimplementedAssignmentServiceServer
	done chan struct{} // closed when every check has its answer

	mu     sync.Mutex
	random *rand.Rand
	bad    int // misfortunes that are left
	todo   []int64
	left   map[int64]bool // checks without an answer
	out    map[uint64]*outBatch
	back   map[uint64]*outBatch // was given back; results for it still count
	forgot []*coordinatorv1.BatchRef
	last   uint64

	accepted, duplicate, unknown int
	faults                       []string
}

type outBatch struct {
	checkout uint64
	open     map[int64]bool
}

func newModel(seed uint64, checks, bad int) *model {
	m := &model{
		done: make(chan struct{}), random: rand.New(rand.NewPCG(seed, 1)), bad: bad,
		left: map[int64]bool{}, out: map[uint64]*outBatch{}, back: map[uint64]*outBatch{},
	}
	for id := range int64(checks) {
		m.todo, m.left[id] = append(m.todo, id), true
	}
	return m
}

func (m *model) fault(format string, args ...any) {
	m.faults = append(m.faults, fmt.Sprintf(format, args...))
}

// unlucky reports whether a misfortune happens now: one in n times, while any are left.
func (m *model) unlucky(n int) bool {
	if m.bad == 0 || m.random.IntN(n) > 0 {
		return false
	}
	m.bad--
	return true
}

// modelSession is one stream of a model.
type modelSession struct {
	*model
	limit, granted, returned int
	credit                   int
	mine                     map[uint64]bool
}

func (m *model) StreamAssignments(stream coordinatorv1.AssignmentService_StreamAssignmentsServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	c := &modelSession{model: m, limit: int(first.GetHello().GetMaxInFlight()), mine: map[uint64]bool{}}
	c.resume(first.GetHello().GetResume())
	answers := []*coordinatorv1.StreamAssignmentsResponse{{Message: &coordinatorv1.StreamAssignmentsResponse_Welcome{
		Welcome: &coordinatorv1.Welcome{HeartbeatMillis: 1000, LeaseMillis: 60_000, MaxResults: 7},
	}}}
	for {
		for _, a := range answers {
			if err := stream.Send(a); err != nil {
				return err
			}
		}
		said, err := stream.Recv()
		if err != nil {
			return nil
		}
		if answers, err = c.hear(said); err != nil {
			return err
		}
	}
}

// resume takes back the batches that the checker no longer holds.
func (c *modelSession) resume(held []*coordinatorv1.BatchRef) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range held {
		if b := c.out[r.GetBatchId()]; b != nil && b.checkout == r.GetCheckoutId() {
			c.mine[r.GetBatchId()] = true
		}
	}
	for id := range c.out {
		if !c.mine[id] {
			c.takeBack(id)
		}
	}
}

func (m *model) takeBack(id uint64) {
	for site := range m.out[id].open {
		m.todo = append(m.todo, site)
	}
	delete(m.out, id)
}

func (c *modelSession) hear(said *coordinatorv1.StreamAssignmentsRequest) (answers []*coordinatorv1.StreamAssignmentsResponse, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	broken := status.Error(codes.Unavailable, "bad luck")
	if c.unlucky(40) {
		return nil, broken
	}
	switch said := said.GetMessage().(type) {
	case *coordinatorv1.StreamAssignmentsRequest_Credit:
		c.granted += int(said.Credit.GetAdd())
		c.credit += int(said.Credit.GetAdd())
		if c.granted-c.returned > c.limit {
			c.fault("granted %d, returned %d, limit %d", c.granted, c.returned, c.limit)
		}
	case *coordinatorv1.StreamAssignmentsRequest_Results:
		answers = append(answers, &coordinatorv1.StreamAssignmentsResponse{
			Message: &coordinatorv1.StreamAssignmentsResponse_ResultsAck{ResultsAck: c.checkIn(said.Results)},
		})
	case *coordinatorv1.StreamAssignmentsRequest_Release:
		id := said.Release.GetBatch().GetBatchId()
		if b := c.out[id]; b != nil {
			c.returned += len(b.open)
			c.takeBack(id)
			c.back[id] = b
		}
	case *coordinatorv1.StreamAssignmentsRequest_Heartbeat:
		for _, r := range said.Heartbeat.GetOpenBatches() {
			if c.back[r.GetBatchId()] != nil && c.mine[r.GetBatchId()] {
				c.fault("a heartbeat names batch %d, which was given back", r.GetBatchId())
			}
		}
		answers = append(answers, &coordinatorv1.StreamAssignmentsResponse{
			Message: &coordinatorv1.StreamAssignmentsResponse_HeartbeatAck{HeartbeatAck: &coordinatorv1.HeartbeatAck{UnknownBatches: c.forgot}},
		})
		c.forgot = nil
	case *coordinatorv1.StreamAssignmentsRequest_Leaving:
		c.credit = -1
	}
	if c.unlucky(40) {
		return nil, broken // applied, and the checker will never hear of it
	}
	return append(answers, c.handOut()...), nil
}

func (c *modelSession) checkIn(r *coordinatorv1.Results) *coordinatorv1.ResultsAck {
	ack := &coordinatorv1.ResultsAck{Batch: r.GetBatch()}
	if n := len(r.GetResults()); n == 0 || n > 7 {
		c.fault("a message of %d results", n)
	}
	id := r.GetBatch().GetBatchId()
	b := c.out[id]
	if b == nil {
		b = c.back[id] // its places were given back already
	} else {
		c.returned += len(r.GetResults())
	}
	for _, result := range r.GetResults() {
		site := result.GetSiteId()
		want := checkv1.Outcome_OUTCOME_UP
		if site%10 == 0 {
			want = checkv1.Outcome_OUTCOME_DOWN
		}
		if result.GetObservation().GetOutcome() != want {
			c.fault("site %d: %v", site, result.GetObservation())
		}
		switch {
		case !c.left[site]:
			ack.Duplicate++
			c.duplicate++
		case b == nil || b.checkout != r.GetBatch().GetCheckoutId() || !b.open[site]:
			c.unknown++
		default:
			ack.Accepted++
			c.accepted++
			delete(c.left, site)
		}
		if b != nil {
			delete(b.open, site)
		}
	}
	if b != nil && len(b.open) == 0 {
		delete(c.out, id)
	}
	if len(c.left) == 0 && ack.GetAccepted() > 0 {
		close(c.done)
	}
	return ack
}

// handOut assigns checks up to the credit, with bad luck in between.
func (c *modelSession) handOut() (answers []*coordinatorv1.StreamAssignmentsResponse) {
	for c.credit > 0 && len(c.todo) > 0 {
		n := min(1+c.random.IntN(12), c.credit, len(c.todo))
		c.credit -= n
		c.last++
		b := &outBatch{checkout: c.random.Uint64(), open: map[int64]bool{}}
		ref := &coordinatorv1.BatchRef{BatchId: c.last, CheckoutId: b.checkout}
		m := &coordinatorv1.Assignments{Batch: ref}
		for _, site := range c.todo[:n] {
			if !c.left[site] {
				continue
			}
			b.open[site] = true
			m.Assignments = append(m.Assignments, &coordinatorv1.Assignment{
				SiteId: site, Sequence: 1, Target: &checkv1.Target{Url: fmt.Sprintf("https://%d.example/", site)},
			})
		}
		c.todo = c.todo[n:]
		c.returned += n - len(m.Assignments)
		c.credit += n - len(m.Assignments)
		if len(m.Assignments) == 0 {
			continue
		}
		c.out[c.last], c.mine[c.last] = b, true
		message := &coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_Assignments{Assignments: m}}
		answers = append(answers, message)
		if c.unlucky(40) {
			answers = append(answers, message) // said twice
		}
		if c.unlucky(40) {
			answers = append(answers, &coordinatorv1.StreamAssignmentsResponse{
				Message: &coordinatorv1.StreamAssignmentsResponse_Revoke{Revoke: &coordinatorv1.Revoke{Batches: []*coordinatorv1.BatchRef{ref}}}})
		}
		if c.unlucky(40) {
			// Another checker gets the batch; this one learns that with its next heartbeat.
			c.returned += len(b.open)
			c.takeBack(c.last)
			c.forgot = append(c.forgot, ref)
		}
		if c.unlucky(40) {
			answers = append(answers, &coordinatorv1.StreamAssignmentsResponse{
				Message: &coordinatorv1.StreamAssignmentsResponse_Drain{Drain: &coordinatorv1.Drain{Reason: "bad luck"}}})
		}
	}
	return answers
}

// complaints fails the test for every fault that the model saw.
func (m *model) complaints(t *testing.T, checks int) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.faults[:min(len(m.faults), 10)] {
		t.Error(f)
	}
	if len(m.left) > 0 || m.accepted != checks {
		t.Errorf("%d of %d checks were accepted, %d are without an answer", m.accepted, checks, len(m.left))
	}
	t.Logf("accepted %d, duplicate %d, of batches in other hands %d, in %d batches", m.accepted, m.duplicate, m.unknown, m.last)
}

// modelSites answers after up to d; every tenth site is down.
func modelSites(d time.Duration) *sites {
	return &sites{answer: func(ctx context.Context, target check.Target) check.Observation {
		id, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(target.URL, "https://"), ".example/"))
		if err != nil {
			panic(err)
		}
		then := up
		if id%10 == 0 {
			then = down
		}
		if d == 0 {
			return then(ctx, target)
		}
		return after(time.Duration(id*7919%1000)*d/1000, then)(ctx, target)
	}}
}

func TestEveryCheckGetsItsAnswerWhateverHappens(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for n := range uint64(8) {
			t.Run(fmt.Sprintf("run %d", n), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					const checks, limit = 600, 30
					network := rpc.NewMemory()
					s := modelSites(400 * time.Millisecond)
					var models []*model
					for i, addr := range []string{"one", "two"} {
						m := newModel(seed+8*uint64(i)+n, checks, 40)
						l, err := network.Listen(addr)
						if err != nil {
							t.Fatal(err)
						}
						serveOn(t, l, m)
						models = append(models, m)
					}
					r := start(t, network, s, func(o *checker.Options) { o.MaxInFlight = limit }, "one", "two")
					for _, m := range models {
						select {
						case <-m.done:
						case <-time.After(2 * time.Hour): // virtual
							t.Error("it does not come to an end")
						}
					}
					r.stop()
					<-r.ended
					for _, m := range models {
						m.complaints(t, checks)
					}
					if _, running, top := s.seen(); running != 0 || top > limit {
						t.Errorf("%d probes run on; %d ran at once, want at most %d", running, top, limit)
					}
				})
			})
		}
	})
}

func TestEveryCheckGetsItsAnswerOverTCP(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		const checks, limit = 20_000, 200
		l, err := rpc.TCP().Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		m := newModel(seed, checks, 4)
		serveOn(t, l, m)
		s := modelSites(0)
		r := start(t, rpc.TCP(), s, func(o *checker.Options) { o.MaxInFlight = limit }, l.Addr().String())
		select {
		case <-m.done:
		case <-time.After(time.Minute):
			t.Error("it does not come to an end")
		}
		r.stop()
		<-r.ended
		m.complaints(t, checks)
		if _, _, top := s.seen(); top > limit {
			t.Errorf("%d probes ran at once, want at most %d", top, limit)
		}
	})
}
