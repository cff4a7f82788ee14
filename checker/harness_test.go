package checker_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/checker"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for an event that must happen.
const patience = 45 * time.Second

// sites is a fake prober: the URL determines what a site does, and when.
type sites struct {
	answer func(context.Context, check.Target) check.Observation

	mu           sync.Mutex
	probed       []check.Target
	running, top int
}

func (s *sites) Probe(ctx context.Context, t check.Target) check.Observation {
	s.mu.Lock()
	s.probed = append(s.probed, t)
	s.running++
	s.top = max(s.top, s.running)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.running--
		s.mu.Unlock()
	}()
	return s.answer(ctx, t)
}

func (s *sites) seen() (probed []check.Target, running, top int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]check.Target(nil), s.probed...), s.running, s.top
}

func up(context.Context, check.Target) check.Observation {
	return check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 200}
}

func down(context.Context, check.Target) check.Observation {
	return check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureServer, HTTPStatus: 503}
}

// after is a site that answers like then, but after d.
func after(d time.Duration, then func(context.Context, check.Target) check.Observation) func(context.Context, check.Target) check.Observation {
	return func(ctx context.Context, t check.Target) check.Observation {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return then(ctx, t)
		case <-ctx.Done():
			return check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureTimeout, Reason: "cut"}
		}
	}
}

// coordinator is a fake of the peer: it passes each stream to the test as a session.
type coordinator struct {
	coordinatorv1.UnimplementedAssignmentServiceServer
	sessions chan *session
	stop     func()
}

// session is the coordinator's end of one stream.
type session struct {
	t      testing.TB
	stream coordinatorv1.AssignmentService_StreamAssignmentsServer
	in     chan *coordinatorv1.StreamAssignmentsRequest // closed when the checker has closed
	end    chan error
	hello  *coordinatorv1.Hello

	granted uint32
	beats   []*coordinatorv1.Heartbeat
}

func (c *coordinator) StreamAssignments(stream coordinatorv1.AssignmentService_StreamAssignmentsServer) error {
	k := &session{stream: stream, in: make(chan *coordinatorv1.StreamAssignmentsRequest, 10_000), end: make(chan error, 1)}
	var reader sync.WaitGroup
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	k.hello = first.GetHello()
	reader.Go(func() {
		defer close(k.in)
		for {
			m, err := stream.Recv()
			if err != nil {
				return
			}
			k.in <- m
		}
	})
	select {
	case c.sessions <- k:
	case <-stream.Context().Done():
		return stream.Context().Err()
	}
	select {
	case err := <-k.end:
		return err
	case <-stream.Context().Done():
		return stream.Context().Err()
	}
}

// serve starts a coordinator that listens at addr.
func serve(t testing.TB, network rpc.Network, addr string) (*coordinator, string) {
	t.Helper()
	l, err := network.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &coordinator{sessions: make(chan *session, 16)}
	c.stop = serveOn(t, l, c)
	return c, l.Addr().String()
}

func serveOn(t testing.TB, l net.Listener, impl coordinatorv1.AssignmentServiceServer) (stop func()) {
	t.Helper()
	return serveWith(t, l, impl, rpc.ServerOptions{Access: rpc.Open()})
}

func serveWith(t testing.TB, l net.Listener, impl coordinatorv1.AssignmentServiceServer, o rpc.ServerOptions) (stop func()) {
	t.Helper()
	o.Name = "coordinator"
	server, err := rpc.NewServer(o, func(r grpc.ServiceRegistrar) {
		coordinatorv1.RegisterAssignmentServiceServer(r, impl)
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() {
		if err := server.Serve(ctx, l); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); served.Wait() })
	t.Cleanup(stop)
	return stop
}

// running is a running checker.
type running struct {
	*checker.Checker
	stop  context.CancelFunc
	ended chan struct{} // closed when Run has returned
}

func start(t testing.TB, network rpc.Network, s checker.Prober, adapt func(*checker.Options), coordinators ...string) *running {
	t.Helper()
	o := checker.Options{
		Node: "fra-1", Region: "eu", Coordinators: coordinators,
		Client: rpc.ClientOptions{Network: network}, Prober: s, MaxInFlight: 100,
	}
	if adapt != nil {
		adapt(&o)
	}
	c, err := checker.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{Checker: c, stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		if err := c.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	t.Cleanup(func() { stop(); <-r.ended })
	return r
}

// pair starts one coordinator and one checker, in memory.
func pair(t testing.TB, s *sites, adapt func(*checker.Options)) (*coordinator, *running) {
	t.Helper()
	network := rpc.NewMemory()
	c, addr := serve(t, network, "coordinator")
	return c, start(t, network, s, adapt, addr)
}

// accept waits for the next stream and welcomes it.
func (c *coordinator) accept(t testing.TB) *session {
	t.Helper()
	return c.acceptWith(t, &coordinatorv1.Welcome{SessionId: "s", Coordinator: "c", HeartbeatMillis: 5000, LeaseMillis: 60_000, MaxResults: 50})
}

func (c *coordinator) acceptWith(t testing.TB, w *coordinatorv1.Welcome) *session {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case k := <-c.sessions:
		k.t = t
		k.say(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_Welcome{Welcome: w}})
		return k
	case <-timer.C:
		t.Fatal("the checker does not come")
		return nil
	}
}

func (k *session) say(m *coordinatorv1.StreamAssignmentsResponse) {
	k.t.Helper()
	if err := k.stream.Send(m); err != nil {
		k.t.Errorf("send %T: %v", m.GetMessage(), err)
	}
}

// assign assigns a batch: checks of these URLs, with site ids from 1 up.
func (k *session) assign(batch uint64, urls ...string) {
	k.t.Helper()
	m := &coordinatorv1.Assignments{Batch: &coordinatorv1.BatchRef{BatchId: batch, CheckoutId: batch * 1000}}
	for i, u := range urls {
		m.Assignments = append(m.Assignments, &coordinatorv1.Assignment{
			SiteId: int64(i + 1), Sequence: batch, Target: &checkv1.Target{Url: u},
		})
	}
	k.assignments(m)
}

func (k *session) assignments(m *coordinatorv1.Assignments) {
	k.t.Helper()
	k.say(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_Assignments{Assignments: m}})
}

func (k *session) ack(r *coordinatorv1.Results) {
	k.t.Helper()
	k.answer(&coordinatorv1.ResultsAck{Batch: r.GetBatch(), Accepted: uint32(len(r.GetResults()))})
}

func (k *session) answer(a *coordinatorv1.ResultsAck) {
	k.t.Helper()
	k.say(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_ResultsAck{ResultsAck: a}})
}

// next returns the checker's next message, nil when it has closed. It answers and keeps
// heartbeats, and skips them unless beats is set. It adds up credit and skips it.
func (k *session) next(beats bool) *coordinatorv1.StreamAssignmentsRequest {
	k.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case m, ok := <-k.in:
			if !ok {
				return nil
			}
			switch m := m.GetMessage().(type) {
			case *coordinatorv1.StreamAssignmentsRequest_Credit:
				k.granted += m.Credit.GetAdd()
				continue
			case *coordinatorv1.StreamAssignmentsRequest_Heartbeat:
				k.beats = append(k.beats, m.Heartbeat)
				k.say(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_HeartbeatAck{HeartbeatAck: &coordinatorv1.HeartbeatAck{}}})
				if !beats {
					continue
				}
			}
			return m
		case <-timer.C:
			k.t.Fatal("the checker says nothing")
		}
	}
}

// overhear reads the messages sent so far, without waiting.
func (k *session) overhear() {
	k.t.Helper()
	for len(k.in) > 0 {
		m := <-k.in
		k.granted += m.GetCredit().GetAdd()
	}
}

// awaitCredit waits for the first credit, in real time.
func (k *session) awaitCredit() {
	k.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for k.granted == 0 {
		select {
		case m := <-k.in:
			k.granted += m.GetCredit().GetAdd()
		case <-timer.C:
			k.t.Fatal("the checker grants nothing")
		}
	}
}

func (k *session) results() *coordinatorv1.Results {
	k.t.Helper()
	m := k.next(false)
	if m.GetResults() == nil {
		k.t.Fatalf("the checker said %T, want results", m.GetMessage())
	}
	return m.GetResults()
}

func (k *session) released(batch uint64) {
	k.t.Helper()
	m := k.next(false)
	if m.GetRelease().GetBatch().GetBatchId() != batch || m.GetRelease().GetBatch().GetCheckoutId() != batch*1000 {
		k.t.Fatalf("the checker said %v, want batch %d back", m, batch)
	}
}

func (k *session) leaving() {
	k.t.Helper()
	if m := k.next(false); m.GetLeaving() == nil {
		k.t.Fatalf("the checker said %v, want that it leaves", m)
	}
}

func (k *session) closed() {
	k.t.Helper()
	if m := k.next(false); m != nil {
		k.t.Fatalf("the checker said %v, want the end", m)
	}
	k.end <- nil
}

func urls(n int, format string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return out
}

// instant is a prober that finds every site up, takes no time and keeps no records.
type instant struct{}

func (instant) Probe(context.Context, check.Target) check.Observation {
	return check.Observation{
		Outcome: check.OutcomeUp, HTTPStatus: 200, Phase: check.PhaseDone, Method: check.MethodHead,
		Timing:          check.Timing{Connect: 18 * time.Millisecond, TLS: 40 * time.Millisecond, FirstByte: 90 * time.Millisecond, Total: 150 * time.Millisecond},
		ResolvedAddress: "192.0.2.123:443", Protocol: "HTTP/1.1", CertificateExpire: time.Unix(1800000000, 0),
	}
}
