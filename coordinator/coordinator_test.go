package coordinator_test

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a coordinator on a real SQLite store, reached over an in-memory network. Tests
// that play checkers, or whose calls have deadlines, run it in a bubble: its clock stands
// while the database works, so that no session or lease ends because the machine is busy.
// Its one veriflier is not there; the tests play the checkers.
type rig struct {
	store store.Store
	conn  *grpc.ClientConn
	stop  func() error
}

func options(t *testing.T, network rpc.Network) coordinator.Options {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "jetmon.db"), sqlstore.Options{LegacyWrites: true, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	l, err := network.Listen("coordinator")
	if err != nil {
		t.Fatal(err)
	}
	return coordinator.Options{
		Node: "coordinator", Endpoint: "coordinator", Store: s, Listeners: []net.Listener{l},
		Server:          rpc.ServerOptions{Access: rpc.Open()},
		Verifliers:      []panel.Member{{Name: "v", Region: "r", Address: "nobody"}},
		VeriflierClient: rpc.ClientOptions{Network: network},
		Policy:          lifecycle.DefaultPolicy(), BucketMax: check.Buckets - 1,
		Notify: notify.Options{Disabled: true}, Log: slog.New(slog.DiscardHandler),
	}
}

func start(t *testing.T) *rig { return startWith(t, func(*coordinator.Options) {}) }

func startWith(t *testing.T, edit func(*coordinator.Options)) *rig {
	t.Helper()
	network := rpc.NewMemory()
	o := options(t, network)
	edit(&o)
	c, err := coordinator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- c.Run(ctx) }()
	conn, err := rpc.Dial("coordinator", rpc.ClientOptions{Network: network})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	r := &rig{store: o.Store, conn: conn}
	r.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ran
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

type wire = grpc.BidiStreamingClient[coordinatorv1.StreamAssignmentsRequest, coordinatorv1.StreamAssignmentsResponse]

// open opens a stream and says first.
func (r *rig) open(t *testing.T, first *coordinatorv1.StreamAssignmentsRequest) wire {
	t.Helper()
	st, err := coordinatorv1.NewAssignmentServiceClient(r.conn).StreamAssignments(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	say(t, st, first)
	return st
}

func say(t *testing.T, st wire, m *coordinatorv1.StreamAssignmentsRequest) {
	t.Helper()
	if err := st.Send(m); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, st wire) *coordinatorv1.StreamAssignmentsResponse {
	t.Helper()
	m, err := st.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func hello(edit func(*coordinatorv1.Hello)) *coordinatorv1.StreamAssignmentsRequest {
	h := &coordinatorv1.Hello{Node: "c", InstanceId: "1", Region: "r", MaxInFlight: 10, ProtocolVersion: 1}
	if edit != nil {
		edit(h)
	}
	return &coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Hello{Hello: h}}
}

func credit(n uint32) *coordinatorv1.StreamAssignmentsRequest {
	return &coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Credit{Credit: &coordinatorv1.Credit{Add: n}}}
}

func results(ref *coordinatorv1.BatchRef, rs ...*coordinatorv1.Result) *coordinatorv1.StreamAssignmentsRequest {
	return &coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Results{
		Results: &coordinatorv1.Results{Batch: ref, Results: rs},
	}}
}

// ready waits until the coordinator has its shards: a site that is added before is found
// when its bucket is read, and due within its interval.
func (r *rig) ready(t *testing.T) {
	t.Helper()
	watch, err := healthpb.NewHealthClient(r.conn).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		h, err := watch.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if h.GetStatus() == healthpb.HealthCheckResponse_SERVING {
			return
		}
	}
}

// create adds a site, which is then due at once.
func (r *rig) create(t *testing.T, url string) *monitorv1.Site {
	t.Helper()
	r.ready(t)
	resp, err := monitorv1.NewSiteServiceClient(r.conn).CreateSite(t.Context(), &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{Url: url, BlogId: 7}})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetSite()
}

func TestAStreamIsRefusedWithoutAProperHello(t *testing.T) {
	t.Parallel()
	r := start(t)
	tests := []struct {
		name  string
		first *coordinatorv1.StreamAssignmentsRequest
		want  codes.Code
	}{
		{"something else first", credit(1), codes.InvalidArgument},
		{"no node", hello(func(h *coordinatorv1.Hello) { h.Node = "" }), codes.InvalidArgument},
		{"no instance", hello(func(h *coordinatorv1.Hello) { h.InstanceId = "" }), codes.InvalidArgument},
		{"no room", hello(func(h *coordinatorv1.Hello) { h.MaxInFlight = 0 }), codes.InvalidArgument},
		{"another version", hello(func(h *coordinatorv1.Hello) { h.ProtocolVersion = 2 }), codes.FailedPrecondition},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := r.open(t, tt.first).Recv(); status.Code(err) != tt.want {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

func TestANewerSessionOfAProcessSupersedesTheOlder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		older := r.open(t, hello(nil))
		hear(t, older)
		newer := r.open(t, hello(nil))
		hear(t, newer)
		if _, err := older.Recv(); status.Code(err) != codes.Aborted {
			t.Errorf("%v, want ABORTED", err)
		}
	})
}

func TestCheckInsAreAnsweredPerBatchAndNeverEndTheStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		st := r.open(t, hello(nil))
		if w := hear(t, st).GetWelcome(); w.GetHeartbeatMillis() == 0 || w.GetLeaseMillis() == 0 || w.GetMaxResults() == 0 || w.GetCoordinator() != "coordinator" {
			t.Fatalf("welcome %v", w)
		}
		say(t, st, credit(10))
		site := r.create(t, "http://example.com/")
		as := hear(t, st).GetAssignments()
		if len(as.GetAssignments()) != 1 || as.GetAssignments()[0].GetSiteId() != site.GetSiteId() {
			t.Fatalf("assignments %v", as)
		}
		a := as.GetAssignments()[0]
		good := &coordinatorv1.Result{SiteId: a.GetSiteId(), Sequence: a.GetSequence()}
		foreign := &coordinatorv1.BatchRef{BatchId: as.GetBatch().GetBatchId(), CheckoutId: as.GetBatch().GetCheckoutId() + 1}
		steps := []struct {
			name   string
			say    *coordinatorv1.StreamAssignmentsRequest
			reason string
			counts [3]uint32 // accepted, duplicate, late
		}{
			{"a batch that never was", results(&coordinatorv1.BatchRef{BatchId: 999, CheckoutId: 1}, good), "BATCH_NOT_CHECKED_OUT", [3]uint32{}},
			{"another's check-out", results(foreign, good), "BATCH_MISMATCH", [3]uint32{}},
			{"a check that is not in the batch", results(as.GetBatch(), &coordinatorv1.Result{SiteId: a.GetSiteId(), Sequence: a.GetSequence() + 1}), "BATCH_MISMATCH", [3]uint32{}},
			{"no batch", results(nil, good), "BATCH_INVALID", [3]uint32{}},
			{"what was checked out", results(as.GetBatch(), good), "", [3]uint32{1, 0, 0}},
			{"the same again", results(as.GetBatch(), good), "", [3]uint32{0, 1, 0}},
		}
		for _, s := range steps {
			say(t, st, s.say)
			ack := hear(t, st).GetResultsAck()
			got := [3]uint32{ack.GetAccepted(), ack.GetDuplicate(), ack.GetLate()}
			if reasonOf(ack) != s.reason || got != s.counts {
				t.Errorf("%s: %q %v, want %q %v", s.name, reasonOf(ack), got, s.reason, s.counts)
			}
		}
	})
}

func TestTheEndOfTheCoordinatorIsAnnounced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		st := r.open(t, hello(nil))
		hear(t, st)
		ended := make(chan error, 1)
		began := time.Now()
		go func() { ended <- r.stop() }()
		if hear(t, st).GetDrain() == nil {
			t.Error("no drain")
		}
		// This checker does not leave: the stream is ended for it.
		if _, err := st.Recv(); status.Code(err) != codes.Unavailable {
			t.Errorf("%v, want UNAVAILABLE", err)
		}
		if err := <-ended; err != nil || time.Since(began) > 10*time.Second {
			t.Errorf("stopped with %v after %v", err, time.Since(began))
		}
	})
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit func(*coordinator.Options)
	}{
		{"no verifliers: nothing could ever be confirmed", func(o *coordinator.Options) { o.Verifliers = nil }},
		{"more votes needed than verifliers", func(o *coordinator.Options) { o.PeerOfflineLimit = 2 }},
		{"no name", func(o *coordinator.Options) { o.Node = "" }},
		{"no buckets", func(o *coordinator.Options) { o.BucketMin, o.BucketMax = 5, 4 }},
		{"buckets that do not exist", func(o *coordinator.Options) { o.BucketMax = check.Buckets }},
		{"an interval under a second", func(o *coordinator.Options) { o.IntervalOverride = time.Millisecond }},
		{"no failure needed", func(o *coordinator.Options) { o.Policy.Failures = 0 }},
		{"delivery to nowhere", func(o *coordinator.Options) { o.Notify = notify.Options{} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := options(t, rpc.NewMemory())
			tt.edit(&o)
			if _, err := coordinator.New(o); err == nil {
				t.Error("accepted")
			}
			for _, l := range o.Listeners {
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
