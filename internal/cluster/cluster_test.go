package cluster_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/cluster"
	"github.com/Automattic/jetmon/internal/demo"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a cluster that runs, a site that it watches and a WordPress.com.
type world struct {
	*cluster.Cluster
	site    *httptest.Server
	down    atomic.Bool
	inbox   *demo.Inbox
	changes chan coordinator.StatusChange
	sites   monitorv1.SiteServiceClient
	ended   chan error
	end     context.CancelFunc
}

func newWorld(t *testing.T, change func(*cluster.Options)) *world {
	t.Helper()
	w := &world{inbox: demo.NewInbox(), changes: make(chan coordinator.StatusChange, 100), ended: make(chan error, 1)}
	w.site = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if w.down.Load() {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(w.site.Close)
	wpcom := httptest.NewServer(w.inbox)
	t.Cleanup(wpcom.Close)
	db, err := sqlstore.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "jetmon.db"), sqlstore.Options{LegacyWrites: true, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	policy := lifecycle.DefaultPolicy()
	policy.Between = 100 * time.Millisecond
	policy.RoundWaits = []time.Duration{100 * time.Millisecond, 100 * time.Millisecond}
	o := cluster.Options{
		Store: db, Policy: policy, IntervalOverride: time.Second,
		Notify:   notify.Options{URL: wpcom.URL + "/"},
		OnChange: func(c coordinator.StatusChange) { w.changes <- c },
		Probe:    probe.Options{AllowPrivate: true},
	}
	if change != nil {
		change(&o)
	}
	if w.Cluster, err = cluster.New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.end = cancel
	go func() { w.ended <- w.Run(ctx) }()
	t.Cleanup(func() { w.stop(t) })
	select {
	case <-w.Started():
	case err := <-w.ended:
		t.Fatal(err)
	}
	conn, err := w.Dial(w.Coordinator())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	w.sites = monitorv1.NewSiteServiceClient(conn)
	return w
}

func (w *world) stop(t *testing.T) {
	t.Helper()
	w.end()
	select {
	case err := <-w.ended:
		if err != nil {
			t.Error(err)
		}
		w.ended <- nil
	case <-time.After(20 * time.Second):
		t.Error("the cluster does not end")
	}
}

// watch adds the site.
func (w *world) watch(t *testing.T) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	resp, err := w.sites.CreateSite(ctx, &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{Url: w.site.URL + "/"}}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetSite().GetSiteId()
}

// await asks for the site until it is as wanted.
func (w *world) await(t *testing.T, id int64, what string, is func(*monitorv1.Site) bool) *monitorv1.Site {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last *monitorv1.Site
	for {
		resp, err := w.sites.GetSite(ctx, &monitorv1.GetSiteRequest{SiteId: id}, grpc.WaitForReady(true))
		if err == nil {
			if last = resp.GetSite(); is(last) {
				return last
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the site is never %s; last: %v, %v", what, last, err)
		}
	}
}

func (w *world) awaitState(t *testing.T, id int64, want monitorv1.SiteState) {
	t.Helper()
	w.await(t, id, want.String(), func(s *monitorv1.Site) bool { return s.GetState() == want })
}

// change waits for the next status change.
func (w *world) change(t *testing.T, want check.Status) {
	t.Helper()
	select {
	case c := <-w.changes:
		if c.To != want {
			t.Fatalf("the site changed to %d, want %d", c.To, want)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("the site never changes to %d", want)
	}
}

func TestOutageIsConfirmedReportedAndEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	id := w.watch(t)
	w.awaitState(t, id, monitorv1.SiteState_SITE_STATE_UP)
	w.down.Store(true)
	w.change(t, check.StatusDown)
	w.down.Store(false)
	w.change(t, check.StatusRunning)
	w.awaitState(t, id, monitorv1.SiteState_SITE_STATE_UP)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	both := func(list []demo.Received) bool { return len(list) == 2 }
	if err := w.inbox.Wait(ctx, both); err != nil {
		t.Fatalf("the inbox has %v: %v", w.inbox.Notifications(), err)
	}
	for i, want := range []int{0, 1} {
		if n := w.inbox.Notifications()[i]; n.Notification.StatusID != want || n.Notification.MonitorURL != w.site.URL+"/" {
			t.Errorf("notification %d is %+v, want status %d", i, n.Notification, want)
		}
	}
}

func TestVerifliersThatAreStoppedAreNoWitnesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	id := w.watch(t)
	w.awaitState(t, id, monitorv1.SiteState_SITE_STATE_UP)
	for _, v := range w.Verifliers()[:2] {
		v.Stop()
	}
	w.down.Store(true)
	held := w.await(t, id, "held", func(s *monitorv1.Site) bool { return s.GetHoldReason() != "" })
	if held.GetState() != monitorv1.SiteState_SITE_STATE_SUSPECT || held.GetStatusId() != int32(check.StatusRunning) {
		t.Errorf("the site is %v with status %d, want suspect and still running", held.GetState(), held.GetStatusId())
	}
	if len(w.inbox.Notifications()) != 0 || len(w.changes) != 0 {
		t.Errorf("something was reported: %v", w.inbox.Notifications())
	}
	for _, v := range w.Verifliers()[:2] {
		if err := v.Start(); err != nil {
			t.Fatal(err)
		}
	}
	w.change(t, check.StatusDown)
}

func TestEachNodeCanBeStoppedAndStartedAgain(t *testing.T) {
	t.Parallel()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := front.Addr().String()
	w := newWorld(t, func(o *cluster.Options) { o.CoordinatorListener = front })
	id := w.watch(t)
	w.awaitState(t, id, monitorv1.SiteState_SITE_STATE_UP)
	nodes := append([]*cluster.Node{w.Coordinator(), w.Gateway(), w.Checkers()[0]}, w.Verifliers()[0])
	for _, n := range nodes {
		n.Stop()
		n.Stop()
		if n.Running() {
			t.Errorf("%s runs after Stop", n.Name())
		}
	}
	if c, err := net.DialTimeout("tcp", addr, time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the stopped coordinator's port: %v, %v; want refused", c, err)
	}
	for _, n := range nodes {
		if err := errors.Join(n.Start(), n.Start()); err != nil {
			t.Fatal(err)
		}
		if !n.Running() {
			t.Errorf("%s does not run after Start", n.Name())
		}
	}
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		t.Fatalf("the coordinator's port after its restart: %v", err)
	}
	c.Close()
	w.down.Store(true)
	w.change(t, check.StatusDown)
	w.stop(t)
	if err := w.Checkers()[0].Start(); !errors.Is(err, cluster.ErrEnded) {
		t.Errorf("a node starts after the end: %v", err)
	}
}

// Whoever can reach loopback can dial the coordinator's port. That must not make him a
// checker, who could say that every site is up.
func TestTheCoordinatorsPortIsNotForCheckers(t *testing.T) {
	t.Parallel()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *cluster.Options) { o.CoordinatorListener = front })
	w.awaitReady(t, "")
	for _, when := range []string{"from the beginning", "after a restart"} {
		conn, err := rpc.Dial(front.Addr().String(), rpc.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		st, err := coordinatorv1.NewAssignmentServiceClient(conn).StreamAssignments(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// Its error, if any, is that of Recv.
		_ = st.Send(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Hello{
			Hello: &coordinatorv1.Hello{Node: "checker-1", InstanceId: "x", MaxInFlight: 1, ProtocolVersion: 1},
		}})
		if m, err := st.Recv(); status.Code(err) != codes.Unimplemented {
			t.Errorf("%s a stranger who says that he is checker-1 hears %v, %v", when, m, err)
		}
		health := healthpb.NewHealthClient(conn)
		if _, err := health.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "jetmon.coordinator.v1.AssignmentService"}); status.Code(err) != codes.NotFound {
			t.Errorf("%s the health of what is not served: %v", when, err)
		}
		for _, service := range []string{"", "jetmon.monitor.v1.SiteService"} {
			awaitServing(t, health, service)
		}
		fleet, err := monitorv1.NewFleetServiceClient(conn).GetFleet(t.Context(), &monitorv1.GetFleetRequest{})
		if n := len(fleet.GetFleet().GetCheckers()); err != nil || n != 2 {
			t.Errorf("%s the fleet has %d checkers, %v", when, n, err)
		}
		w.Coordinator().Stop()
		if err := w.Coordinator().Start(); err != nil {
			t.Fatal(err)
		}
		w.awaitReady(t, "")
	}
}

// awaitServing waits until a service is healthy: health follows readiness a moment later.
func awaitServing(t *testing.T, health healthpb.HealthClient, service string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-tick.C {
		h, err := health.Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if err == nil && h.GetStatus() == healthpb.HealthCheckResponse_SERVING {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the health of %q: %v, %v", service, h, err)
		}
	}
}

// awaitReady waits until the cluster says of a node why it cannot work, or of none.
func (w *world) awaitReady(t *testing.T, want string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-tick.C {
		err := w.Ready()
		if err == nil && want == "" || err != nil && want != "" && strings.Contains(err.Error(), want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("ready: %v, want %q", err, want)
		}
	}
}

func TestAClusterIsReadyWhileAllItsNodesAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.awaitReady(t, "")
	for _, story := range []struct {
		stopped *cluster.Node
		want    []string
	}{
		{w.Verifliers()[1], []string{"veriflier-2: it does not run"}},
		{w.Coordinator(), []string{"coordinator: it does not run", "checker-1: no coordinator", "gateway: the coordinator cannot be reached"}},
	} {
		story.stopped.Stop()
		for _, want := range story.want {
			w.awaitReady(t, want)
		}
		if err := story.stopped.Start(); err != nil {
			t.Fatal(err)
		}
		w.awaitReady(t, "")
	}
}

func TestRunFailsWhenAnAddressIsTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *cluster.Options) { o.GatewayListener = taken })
	w.Gateway().Stop() // gives the port back
	other, err := net.Listen("tcp", taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := w.Gateway().Start(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("start on a port that is taken: %v", err)
	}
}

// A failing node must take the whole cluster down, not leave it half alive.
func TestFailingNodeEndsTheCluster(t *testing.T) {
	t.Parallel()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *cluster.Options) { o.GatewayListener = front })
	front.Close() // under the gateway's feet
	select {
	case err := <-w.ended:
		if err == nil || !strings.Contains(err.Error(), "gateway") {
			t.Errorf("Run ends with %v, want an error that names the gateway", err)
		}
		w.ended <- nil
	case <-time.After(20 * time.Second):
		t.Error("the cluster runs on without its gateway")
	}
}

func TestNewRefusesWhatCannotRun(t *testing.T) {
	t.Parallel()
	if _, err := cluster.New(cluster.Options{}); err == nil {
		t.Error("New accepts options without a store")
	}
	if _, err := cluster.New(cluster.Options{Store: &sqlstore.Store{}, Checkers: 101}); err == nil {
		t.Error("New accepts 101 checkers")
	}
}
