package checker_test

import (
	"context"
	"strings"
	"sync/atomic"
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
	"github.com/Automattic/jetmon/internal/selfcheck"
)

func TestASessionBeginsWithHello(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t, &sites{answer: up}, nil)
		k := c.accept(t)
		h := k.hello
		if h.GetNode() != "fra-1" || h.GetRegion() != "eu" || len(h.GetInstanceId()) < 16 || h.GetMaxInFlight() != 100 || len(h.GetResume()) != 0 {
			t.Errorf("hello is %v", h)
		}
		if m := k.next(true); m.GetHeartbeat() == nil {
			t.Errorf("first came %v, want a heartbeat", m)
		}
		begin := time.Now()
		if m := k.next(true); m.GetHeartbeat() == nil || time.Since(begin) != 5*time.Second {
			t.Errorf("%s later came %v, want a heartbeat after 5 s", time.Since(begin), m)
		}
		if k.granted != 100 {
			t.Errorf("%d checks were granted, want all 100", k.granted)
		}
	})
}

func TestHeartbeatsReportOpenBatchesAndHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sites{answer: func(ctx context.Context, target check.Target) check.Observation {
			if strings.Contains(target.URL, "anchor") {
				return down(ctx, target)
			}
			return after(time.Minute, up)(ctx, target)
		}}
		m, err := selfcheck.New(selfcheck.Options{Prober: s, Anchors: []string{"https://anchor.example/"}})
		if err != nil {
			t.Fatal(err)
		}
		c, _ := pair(t, s, func(o *checker.Options) { o.MaxInFlight, o.SelfCheck = 2, m })
		k := c.accept(t)
		k.next(true)
		synctest.Wait()
		k.assign(2, "https://a.example/")
		k.assign(1, "https://b.example/")
		k.next(true)
		b := k.beats[len(k.beats)-1]
		if n := b.GetOpenBatches(); len(n) != 2 || n[0].GetBatchId() != 1 || n[1].GetCheckoutId() != 2000 {
			t.Errorf("open batches are %v", n)
		}
		if b.GetInFlight() != 2 {
			t.Errorf("%d run, want 2", b.GetInFlight())
		}
		if b.GetSelfCheck().GetHealthy() || b.GetSelfCheck().GetAnchors() != 1 {
			t.Errorf("self-check is %v", b.GetSelfCheck())
		}
	})
}

func TestGoodResultsTravelTogetherAndFailuresAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t, &sites{answer: func(ctx context.Context, target check.Target) check.Observation {
			if strings.Contains(target.URL, "down") {
				return after(400*time.Millisecond, down)(ctx, target)
			}
			return after(100*time.Millisecond, up)(ctx, target)
		}}, nil)
		k := c.accept(t)
		k.next(true)
		synctest.Wait()
		begin := time.Now()
		k.assign(7, "https://up.example/", "https://down.example/", "https://up.example/")
		healthy := k.results()
		if took := time.Since(begin); took != 350*time.Millisecond || len(healthy.GetResults()) != 2 {
			t.Errorf("after %s came %d results, want 2 after 100+250 ms", took, len(healthy.GetResults()))
		}
		for _, r := range healthy.GetResults() {
			if r.GetSequence() != 7 || r.GetSiteId() == 2 || r.GetAgeMillis() != 250 || r.GetObservation().GetOutcome() != checkv1.Outcome_OUTCOME_UP {
				t.Errorf("result is %v", r)
			}
		}
		failing := k.results()
		if took := time.Since(begin); took != 400*time.Millisecond || len(failing.GetResults()) != 1 || failing.GetBatch().GetCheckoutId() != 7000 {
			t.Errorf("after %s came %v, want the failure after 400 ms", took, failing)
		}
		if r := failing.GetResults()[0]; r.GetSiteId() != 2 || r.GetObservation().GetHttpStatus() != 503 || r.GetAgeMillis() != 0 {
			t.Errorf("result is %v", r)
		}
	})
}

func TestAMessageHasAtMostMaxResults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t, &sites{answer: after(time.Second, up)}, nil)
		k := c.acceptWith(t, &coordinatorv1.Welcome{MaxResults: 3, HeartbeatMillis: 5000})
		k.next(true)
		synctest.Wait()
		k.assign(1, urls(8, "https://%d.example/")...)
		var sizes []int
		for range 3 {
			sizes = append(sizes, len(k.results().GetResults()))
		}
		if sizes[0] != 3 || sizes[1] != 3 || sizes[2] != 2 {
			t.Errorf("messages of %v results, want 3, 3, 2", sizes)
		}
	})
}

func TestAFaultyAssignmentIsReportedAsAnObservation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sites{answer: down}
		c, _ := pair(t, s, nil)
		k := c.accept(t)
		k.next(true)
		synctest.Wait()
		k.assignments(&coordinatorv1.Assignments{
			Batch: &coordinatorv1.BatchRef{BatchId: 1},
			Assignments: []*coordinatorv1.Assignment{
				{SiteId: 1, Target: &checkv1.Target{Url: "nonsense"}},
				{SiteId: 2},
				{SiteId: 4, Target: &checkv1.Target{Url: "https://short.example/", TimeoutMillis: 1500}},
				{SiteId: 5, Target: &checkv1.Target{Url: "https://plain.example/"}},
			},
		})
		got := map[int64]*checkv1.Observation{}
		for len(got) < 4 {
			for _, r := range k.results().GetResults() {
				got[r.GetSiteId()] = r.GetObservation()
			}
		}
		for _, id := range []int64{1, 2} {
			if o := got[id]; o.GetOutcome() != checkv1.Outcome_OUTCOME_UNKNOWN || o.GetFailure() != checkv1.FailureKind_FAILURE_KIND_POLICY || !strings.HasPrefix(o.GetDetail(), "target") {
				t.Errorf("site %d, an invalid target: %v", id, o)
			}
		}
		timeouts := map[string]time.Duration{}
		probed, _, _ := s.seen()
		for _, p := range probed {
			timeouts[p.URL] = p.Timeout
		}
		if timeouts["https://short.example/"] != 1500*time.Millisecond || timeouts["https://plain.example/"] != check.RoutineTimeout {
			t.Errorf("timeouts are %v", timeouts)
		}
	})
}

func TestACheckThatOutlivedItsLeaseIsReleased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		one, first := serve(t, network, "one")
		two, second := serve(t, network, "two")
		s := &sites{answer: after(10*time.Second, up)}
		// Each coordinator has a share of 1, but there is room for only one probe.
		start(t, network, s, func(o *checker.Options) { o.MaxInFlight = 1 }, first, second)
		a, b := one.accept(t), two.accept(t)
		a.next(true)
		b.next(true)
		synctest.Wait()
		a.assign(1, "https://a.example/")
		synctest.Wait()
		b.assignments(&coordinatorv1.Assignments{
			Batch: &coordinatorv1.BatchRef{BatchId: 2, CheckoutId: 2000}, LeaseMillis: 8000,
			Assignments: []*coordinatorv1.Assignment{{SiteId: 1, Target: &checkv1.Target{Url: "https://b.example/"}}},
		})
		b.released(2)
		if probed, _, top := s.seen(); len(probed) != 1 || top != 1 {
			t.Errorf("%d were probed, %d at once, want one", len(probed), top)
		}
		if r := a.results(); r.GetBatch().GetBatchId() != 1 {
			t.Errorf("got %v", r)
		}
	})
}

func TestACheckerNeverGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		start(t, network, &sites{answer: up}, nil, "coordinator")
		time.Sleep(10 * time.Minute) // nobody listens
		c, _ := serve(t, network, "coordinator")
		for _, code := range []codes.Code{codes.FailedPrecondition, codes.Aborted, codes.InvalidArgument, codes.Unavailable, codes.Internal} {
			begin := time.Now()
			c.accept(t).end <- status.Error(code, "not now")
			if took := time.Since(begin); took > 11*time.Second {
				t.Errorf("%v: the next try was %s later", code, took)
			}
		}
		begin := time.Now()
		k := c.accept(t)
		if took := time.Since(begin); took > 11*time.Second {
			t.Errorf("the last try was %s later", took)
		}
		k.next(true)
	})
}

func TestACheckerLeavesASilentCoordinator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t, &sites{answer: up}, nil)
		c.accept(t) // and never answers a heartbeat
		begin := time.Now()
		k := c.accept(t)
		if took := time.Since(begin); took < 15*time.Second || took > 21*time.Second {
			t.Errorf("it came again after %s, want 3 heartbeats of 5 s and a moment", took)
		}
		k.next(true)
	})
}

func TestACheckerLeavesACoordinatorThatReadsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		silent := &silentCoordinator{hellos: make(chan *coordinatorv1.Hello, 4)}
		l, err := network.Listen("coordinator")
		if err != nil {
			t.Fatal(err)
		}
		serveOn(t, l, silent)
		start(t, network, &sites{answer: func(context.Context, check.Target) check.Observation {
			return check.Observation{Outcome: check.OutcomeDown, Detail: strings.Repeat("x", 200)}
		}}, func(o *checker.Options) { o.MaxInFlight = 2000 }, "coordinator")
		<-silent.hellos
		begin := time.Now()
		h := <-silent.hellos
		if took := time.Since(begin); took < 8*time.Second || took > 20*time.Second {
			t.Errorf("it came again after %s", took)
		}
		if len(h.GetResume()) != 1 {
			t.Errorf("it resumes %v, want the batch that could not be checked in", h.GetResume())
		}
	})
}

// silentCoordinator assigns a batch and then reads nothing.
type silentCoordinator struct {
	coordinatorv1.UnimplementedAssignmentServiceServer
	hellos chan *coordinatorv1.Hello
}

func (d *silentCoordinator) StreamAssignments(stream coordinatorv1.AssignmentService_StreamAssignmentsServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if err := stream.Send(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_Welcome{Welcome: &coordinatorv1.Welcome{HeartbeatMillis: 60_000}}}); err != nil {
		return err
	}
	if _, err := stream.Recv(); err != nil { // the first heartbeat; credit comes with it
		return err
	}
	if len(first.GetHello().GetResume()) == 0 {
		batch := &coordinatorv1.Assignments{Batch: &coordinatorv1.BatchRef{BatchId: 1}}
		for i := range 2000 {
			batch.Assignments = append(batch.Assignments, &coordinatorv1.Assignment{SiteId: int64(i), Target: &checkv1.Target{Url: "https://a.example/"}})
		}
		if _, err := stream.Recv(); err != nil { // the credit
			return err
		}
		if err := stream.Send(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_Assignments{Assignments: batch}}); err != nil {
			return err
		}
	}
	d.hellos <- first.GetHello()
	<-stream.Context().Done()
	return stream.Context().Err()
}

func TestWrongOptionsAreRefused(t *testing.T) {
	t.Parallel()
	good := checker.Options{Node: "a", Region: "eu", Coordinators: []string{"127.0.0.1:7800"}, Prober: &sites{answer: up}}
	tests := []struct {
		name  string
		spoil func(*checker.Options)
		want  string
	}{
		{"no node name", func(o *checker.Options) { o.Node = "" }, "node name"},
		{"no region", func(o *checker.Options) { o.Region = "" }, "region"},
		{"no coordinator", func(o *checker.Options) { o.Coordinators = nil }, "coordinator"},
		{"an empty coordinator", func(o *checker.Options) { o.Coordinators = []string{""} }, "empty"},
		{"a coordinator twice", func(o *checker.Options) { o.Coordinators = []string{"a:1", "a:1"} }, "twice"},
		{"no prober", func(o *checker.Options) { o.Prober = nil }, "prober"},
		{"negative checks in flight", func(o *checker.Options) { o.MaxInFlight = -1 }, "in flight"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := good
			tt.spoil(&o)
			if _, err := checker.New(o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one about %s", err, tt.want)
			}
		})
	}
}

func TestAFailureTriggersASelfCheckThatIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var cut atomic.Bool
		s := &sites{answer: func(ctx context.Context, target check.Target) check.Observation {
			if cut.Load() {
				return down(ctx, target)
			}
			return up(ctx, target)
		}}
		m, err := selfcheck.New(selfcheck.Options{Prober: s, Anchors: []string{"https://anchor.example/"}})
		if err != nil {
			t.Fatal(err)
		}
		c, _ := pair(t, s, func(o *checker.Options) { o.SelfCheck = m })
		k := c.accept(t)
		time.Sleep(6 * time.Second) // virtual: between two heartbeats and two rounds
		k.overhear()
		cut.Store(true)
		begin := time.Now()
		k.assign(1, "https://site.example/")
		if r := k.results(); r.GetResults()[0].GetObservation().GetOutcome() != checkv1.Outcome_OUTCOME_DOWN {
			t.Errorf("result is %v", r)
		}
		unhealthy := func() bool {
			return len(k.beats) > 0 && !k.beats[len(k.beats)-1].GetSelfCheck().GetHealthy()
		}
		for !unhealthy() {
			k.next(true)
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("it said that it is unhealthy after %s, want at once", took)
		}
		cut.Store(false)
		time.Sleep(1100 * time.Millisecond)
		begin = time.Now()
		for unhealthy() {
			k.next(true)
		}
		if took := time.Since(begin); took > 9*time.Second {
			t.Errorf("it said that it is well again after %s, want with the next round", took)
		}
	})
}
