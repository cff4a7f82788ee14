package hostile

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/veriflier"
)

// world is a coordinator and a veriflier on sockets of this machine.
type world struct {
	coordinator, veriflier string
	log                    *journal
	// site is a site that is there.
	site int64
}

// journal keeps what the roles log as errors.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// runner is a role.
type runner interface {
	Run(ctx context.Context) error
}

// open starts the two, until the end of the test. What they log as an error is a failure.
func open(t *testing.T) *world {
	t.Helper()
	w := &world{log: &journal{}}
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelError}))
	prober, err := probe.New(probe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prober.Close() })
	lv := listen(t)
	w.veriflier = lv.Addr().String()
	v, err := veriflier.New(veriflier.Options{Name: "v", Region: "eu", Listeners: []net.Listener{lv}, Prober: prober, Log: log, Server: rpc.ServerOptions{Access: rpc.Open()}})
	if err != nil {
		t.Fatal(err)
	}
	run(t, v)
	db, err := sqlstore.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "jetmon.db"), sqlstore.Options{LegacyWrites: true, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	diagnoser, err := jetpack.New(jetpack.Options{Prober: prober, MetadataURL: jetpack.NoMetadata})
	if err != nil {
		t.Fatal(err)
	}
	lc := listen(t)
	w.coordinator = lc.Addr().String()
	c, err := coordinator.New(coordinator.Options{
		Node: "c", Endpoint: w.coordinator, Store: db, Listeners: []net.Listener{lc}, Server: rpc.ServerOptions{Access: rpc.Open()},
		Verifliers: []panel.Member{{Name: "v", Region: "eu", Address: w.veriflier}},
		Policy:     lifecycle.DefaultPolicy(), BucketMax: check.Buckets - 1, Notify: notify.Options{Disabled: true}, Diagnoser: diagnoser, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, c)
	t.Cleanup(func() {
		if text := w.log.String(); text != "" {
			t.Errorf("logged as errors:\n%.4000s", text)
		}
	})
	w.site = w.create(t)
	return w
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func run(t *testing.T, r runner) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func dial(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := rpc.Dial(addr, rpc.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// create adds a site, as soon as the coordinator takes one.
func (w *world) create(t *testing.T) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	sites := monitorv1.NewSiteServiceClient(dial(t, w.coordinator))
	resp, err := sites.CreateSite(ctx, &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{Url: "http://site.example/", BlogId: 1}}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetSite().GetSiteId()
}

// others are honest callers on connections of their own.
type others struct {
	calls atomic.Int64
	stop  func()
}

// watch has others call all the time, until stop; each call of theirs that fails is a failure
// of the test.
func (w *world) watch(t *testing.T) *others {
	t.Helper()
	o := &others{}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	o.stop = func() { cancel(); all.Wait() }
	sites := monitorv1.NewSiteServiceClient(dial(t, w.coordinator))
	verify := veriflierv1.NewVeriflierServiceClient(dial(t, w.veriflier))
	assign := coordinatorv1.NewAssignmentServiceClient(dial(t, w.coordinator))
	for name, call := range map[string]func(context.Context) error{
		"GetSite": func(ctx context.Context) error {
			_, err := sites.GetSite(ctx, &monitorv1.GetSiteRequest{SiteId: w.site})
			return err
		},
		"Verify": func(ctx context.Context) error {
			_, err := verify.Verify(ctx, &veriflierv1.VerifyRequest{RequestId: rid(o.calls.Load()), Target: &checkv1.Target{Url: "http://0.0.0.0/"}})
			return err
		},
	} {
		all.Go(func() {
			pace := time.NewTicker(2 * time.Millisecond)
			defer pace.Stop()
			for ctx.Err() == nil {
				<-pace.C
				within, cancel := context.WithTimeout(ctx, patience)
				if err := call(within); err != nil && ctx.Err() == nil {
					t.Errorf("another caller's %s: %v", name, err)
				}
				cancel()
				o.calls.Add(1)
			}
		})
	}
	honest(t, assign, &all, ctx)
	return o
}

// honest holds a checker's session for as long as ctx lasts.
func honest(t *testing.T, assign coordinatorv1.AssignmentServiceClient, all *sync.WaitGroup, ctx context.Context) {
	t.Helper()
	st, err := assign.StreamAssignments(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Send(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Hello{
		Hello: &coordinatorv1.Hello{Node: "honest", InstanceId: "1", Region: "eu", MaxInFlight: 1, ProtocolVersion: 1},
	}}); err != nil {
		t.Fatal(err)
	}
	all.Go(func() {
		for {
			if _, err := st.Recv(); err != nil {
				if ctx.Err() == nil {
					t.Errorf("the session of an honest checker ended: %v", err)
				}
				return
			}
			if err := st.Send(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Heartbeat{Heartbeat: &coordinatorv1.Heartbeat{}}}); err != nil {
				return
			}
		}
	})
	if err := st.Send(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Heartbeat{Heartbeat: &coordinatorv1.Heartbeat{}}}); err != nil {
		t.Fatal(err)
	}
}

func rid(n int64) string { return "other-" + strconv.FormatInt(n, 10) }

// heap returns the bytes that are in use.
func heap() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// refused reports whether a code says that the request was at fault.
func refused(c codes.Code) bool {
	switch c {
	case codes.InvalidArgument, codes.NotFound, codes.Unimplemented, codes.ResourceExhausted, codes.FailedPrecondition,
		codes.OutOfRange, codes.Unauthenticated, codes.PermissionDenied, codes.AlreadyExists:
		return true
	}
	return false
}

// isNamed reports whether a message says something, in a bounded length.
func isNamed(message, want string) bool {
	return message != "" && len(message) <= 1024 && strings.Contains(strings.ToLower(message), strings.ToLower(want))
}
