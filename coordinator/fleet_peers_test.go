package coordinator_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/test/mariadb"
)

// member is one of several coordinators on one database.
type member struct {
	*rig
	sites monitorv1.SiteServiceClient
	fleet monitorv1.FleetServiceClient
	// asked counts the calls that it made to others.
	asked *prometheus.Registry
}

// share says which buckets a coordinator owns, and how it is unlike the others.
type share struct {
	node        string
	first, last check.BucketID
	edit        func(*coordinator.Options)
}

// fleet starts coordinators over one database and waits until each of their shards is
// owned.
func fleet(t *testing.T, dsn string, network *rpc.Memory, shares ...share) map[string]*member {
	t.Helper()
	members := map[string]*member{}
	for _, sh := range shares {
		members[sh.node] = join(t, dsn, network, sh)
	}
	for _, m := range members {
		await(t, "each shard has an owner", func() bool {
			owned := 0
			for _, s := range getFleet(t, m).GetShards() {
				if s.GetOwner() != "" {
					owned++
				}
			}
			return owned == shardsOf(shares)
		})
	}
	return members
}

func shardsOf(shares []share) int {
	n := 0
	for _, sh := range shares {
		n += int(shard.Of(sh.last)-shard.Of(sh.first)) + 1
	}
	return n
}

func join(t *testing.T, dsn string, network *rpc.Memory, sh share) *member {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), dsn, sqlstore.Options{LegacyWrites: true, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	asked := prometheus.NewRegistry()
	o := coordinator.Options{
		Node: sh.node, Endpoint: sh.node, Store: s,
		Server:          rpc.ServerOptions{Access: rpc.Open()},
		Verifliers:      []panel.Member{{Name: "v", Region: "r", Address: "nobody"}},
		VeriflierClient: rpc.ClientOptions{Network: network},
		PeerClient:      rpc.ClientOptions{Network: network, Metrics: asked},
		Policy:          lifecycle.DefaultPolicy(), BucketMin: sh.first, BucketMax: sh.last,
		Notify: notify.Options{Disabled: true}, Log: slog.New(slog.DiscardHandler),
	}
	if sh.edit != nil {
		sh.edit(&o)
	}
	r := launch(t, network, o)
	return &member{rig: r, sites: monitorv1.NewSiteServiceClient(r.conn), fleet: monitorv1.NewFleetServiceClient(r.conn), asked: asked}
}

// launch runs a coordinator until the end of the test.
func launch(t *testing.T, network *rpc.Memory, o coordinator.Options) *rig {
	t.Helper()
	l, err := network.Listen(o.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	o.Listeners = []net.Listener{l}
	c, err := coordinator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- c.Run(ctx) }()
	conn, err := rpc.Dial(o.Endpoint, rpc.ClientOptions{Network: network})
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

// await waits for a condition, for two minutes at most: outside a bubble that is for a
// machine that is busy.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func getFleet(t *testing.T, m *member) *monitorv1.Fleet {
	t.Helper()
	resp, err := m.fleet.GetFleet(t.Context(), &monitorv1.GetFleetRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetFleet()
}

// calls counts what a member asked of others, by method, answered or not.
func (m *member) calls(t *testing.T, method string) int {
	t.Helper()
	families, err := m.asked.Gather()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "method" && label.GetValue() == method {
					n += int(metric.GetCounter().GetValue())
				}
			}
		}
	}
	return n
}

func (m *member) make(t *testing.T, blog int64, url string) *monitorv1.Site {
	t.Helper()
	resp, err := m.sites.CreateSite(t.Context(), &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{BlogId: blog, Url: url}})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetSite()
}

func (m *member) get(t *testing.T, id int64) *monitorv1.Site {
	t.Helper()
	resp, err := m.sites.GetSite(t.Context(), &monitorv1.GetSiteRequest{SiteId: id})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetSite()
}

// check plays a checker that finds the member's next site up.
func (m *member) check(t *testing.T, st wire) {
	t.Helper()
	as := hear(t, st).GetAssignments()
	if len(as.GetAssignments()) != 1 {
		t.Fatalf("assignments %v", as)
	}
	a := as.GetAssignments()[0]
	say(t, st, results(as.GetBatch(), &coordinatorv1.Result{
		SiteId: a.GetSiteId(), Sequence: a.GetSequence(),
		Observation: &checkv1.Observation{Outcome: checkv1.Outcome_OUTCOME_UP, HttpStatus: 200},
	}))
	if ack := hear(t, st).GetResultsAck(); ack.GetAccepted() != 1 {
		t.Fatalf("not accepted: %v", ack)
	}
}

func (m *member) checker(t *testing.T) wire {
	t.Helper()
	st := m.open(t, hello(nil))
	hear(t, st)
	say(t, st, credit(5))
	return st
}

func TestAnyCoordinatorAnswersAsTheOwnerWould(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	synctest.Test(t, func(t *testing.T) {
		f := fleet(t, dsn, rpc.NewMemory(), share{"a", 0, 127, nil}, share{"b", 128, 255, nil}, share{"c", 256, 511, nil})
		a, b, c := f["a"], f["b"], f["c"]
		atB, atC := b.checker(t), c.checker(t)

		// Created at a, they are checked by their owners at once.
		one := a.make(t, 200, "http://one.example/")
		b.check(t, atB)
		two := a.make(t, 300, "http://two.example/")
		c.check(t, atC)
		own := a.make(t, 5, "http://own.example/")

		for name, m := range f {
			for id, want := range map[int64]monitorv1.SiteState{
				one.GetSiteId(): monitorv1.SiteState_SITE_STATE_UP, two.GetSiteId(): monitorv1.SiteState_SITE_STATE_UP,
				own.GetSiteId(): monitorv1.SiteState_SITE_STATE_NEVER_CHECKED,
			} {
				if got := m.get(t, id); got.GetState() != want || (got.GetLastObservation() == nil) != (want != monitorv1.SiteState_SITE_STATE_UP) {
					t.Errorf("%s says of %d: %v", name, id, got)
				}
			}
		}
		// A site that waits for a checker is due anew at every tick.
		ignore := protocmp.IgnoreFields(&monitorv1.Site{}, "next_check_time")
		if diff := cmp.Diff(b.get(t, one.GetSiteId()), a.get(t, one.GetSiteId()), protocmp.Transform(), ignore); diff != "" {
			t.Errorf("the owner's answer and another's differ (-owner +other):\n%s", diff)
		}

		before := a.calls(t, monitorv1.SiteService_BatchGetSites_FullMethodName)
		list, err := a.sites.ListSites(t.Context(), &monitorv1.ListSitesRequest{})
		if err != nil {
			t.Fatal(err)
		}
		want := []*monitorv1.Site{b.get(t, one.GetSiteId()), c.get(t, two.GetSiteId()), a.get(t, own.GetSiteId())}
		if diff := cmp.Diff(want, list.GetSites(), protocmp.Transform(), ignore); diff != "" {
			t.Errorf("list (-owners +a):\n%s", diff)
		}
		if n := a.calls(t, monitorv1.SiteService_BatchGetSites_FullMethodName) - before; n != 2 {
			t.Errorf("a page of two owners' sites took %d questions", n)
		}
		batch, err := a.sites.BatchGetSites(t.Context(), &monitorv1.BatchGetSitesRequest{
			SiteIds: []int64{two.GetSiteId(), 999, own.GetSiteId(), one.GetSiteId(), two.GetSiteId()},
		})
		if err != nil {
			t.Fatal(err)
		}
		want = []*monitorv1.Site{want[1], want[2], want[0]}
		if diff := cmp.Diff(want, batch.GetSites(), protocmp.Transform(), ignore); diff != "" {
			t.Errorf("batch (-owners +a):\n%s", diff)
		}
		x, err := a.sites.ExplainSite(t.Context(), &monitorv1.ExplainSiteRequest{SiteId: one.GetSiteId()})
		if err != nil || x.GetExplanation().GetSummary() != "Up: the last check, by c, was good." {
			t.Errorf("explained as %v, %v", x, err)
		}
		up, err := wpcomv1.NewJetpackMonitorServiceClient(a.conn).GetJetpackMonitorStatus(t.Context(), &wpcomv1.GetJetpackMonitorStatusRequest{Site: "200"})
		if err != nil || !up.GetStatus() {
			t.Errorf("status %v, %v", up, err)
		}
	})
}

func TestEditsTakeEffectAtTheOwnerAtOnce(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	synctest.Test(t, func(t *testing.T) {
		f := fleet(t, dsn, rpc.NewMemory(), share{"a", 0, 255, nil}, share{"b", 256, 511, nil})
		a, b := f["a"], f["b"]
		made := a.make(t, 300, "http://example.com/")
		if n := getFleet(t, b).GetCoordinator().GetSites(); n != 1 {
			t.Fatalf("the owner watches %d sites", n)
		}
		pause := func(paused bool) *monitorv1.Site {
			t.Helper()
			resp, err := a.sites.UpdateSite(t.Context(), &monitorv1.UpdateSiteRequest{
				Site: &monitorv1.Site{SiteId: made.GetSiteId(), Paused: paused}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"paused"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			return resp.GetSite()
		}
		if got := pause(true); got.GetState() != monitorv1.SiteState_SITE_STATE_PAUSED || b.get(t, made.GetSiteId()).GetState() != got.GetState() {
			t.Errorf("paused: %v", got)
		}
		if x, err := a.sites.ExplainSite(t.Context(), &monitorv1.ExplainSiteRequest{SiteId: made.GetSiteId()}); err != nil || x.GetExplanation().GetSummary() != "Paused: it is not checked." {
			t.Errorf("%v, %v", x, err)
		}
		// Resumed, it is due at once and says so.
		if got := pause(false); got.GetNextCheckTime() == nil || got.GetState() == monitorv1.SiteState_SITE_STATE_PAUSED {
			t.Errorf("resumed: %v", got)
		}
		// The owner's refusals arrive as its own.
		_, err := a.sites.CreateSite(t.Context(), &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{BlogId: 300, Url: "http://example.com/"}})
		if status.Code(err) != codes.AlreadyExists {
			t.Errorf("twice: %v", err)
		}
		_, err = a.sites.CreateSite(t.Context(), &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{BlogId: 300, Url: "ftp://example.com/"}})
		if status.Code(err) != codes.InvalidArgument || fieldOf(err) != "site.url" {
			t.Errorf("a bad URL: %v", err)
		}
		if _, err := a.sites.DeleteSite(t.Context(), &monitorv1.DeleteSiteRequest{SiteId: made.GetSiteId()}); err != nil {
			t.Fatal(err)
		}
		if n := getFleet(t, b).GetCoordinator().GetSites(); n != 0 {
			t.Errorf("the owner still watches %d sites", n)
		}
		if _, err := a.sites.DeleteSite(t.Context(), &monitorv1.DeleteSiteRequest{SiteId: made.GetSiteId()}); status.Code(err) != codes.NotFound {
			t.Errorf("deleted twice: %v", err)
		}
	})
}

func TestTheFleetKnowsItsPeersAndShards(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	synctest.Test(t, func(t *testing.T) {
		f := fleet(t, dsn, rpc.NewMemory(), share{"a", 0, 255, nil}, share{"b", 256, 511, nil})
		f["a"].make(t, 300, "http://example.com/")
		got := getFleet(t, f["a"])
		if c := got.GetCoordinator(); c.GetNode() != "a" || c.GetShards() != 16 || c.GetSites() != 0 || c.GetStretch() != 1 || c.Coverage != nil {
			t.Errorf("coordinator %v", c)
		}
		if len(got.GetPeers()) != 1 {
			t.Fatalf("peers %v", got.GetPeers())
		}
		p := got.GetPeers()[0]
		if p.GetNode() != "b" || p.GetEndpoint() != "b" || p.GetDetail() != "" || p.GetStatus().GetNode() != "b" || p.GetStatus().GetSites() != 1 || p.GetStatus().GetShards() != 16 {
			t.Errorf("peer %v", p)
		}
		for i, s := range got.GetShards() {
			if owner := map[bool]string{true: "a", false: "b"}[i < 16]; s.GetOwner() != owner || s.GetTerm() == 0 || int(s.GetShard()) != i || s.GetExpireTime() == nil {
				t.Errorf("shard %d: %v", i, s)
			}
		}
		// A peer's alarms are raised here, with its name.
		await(t, "both lack checkers", func() bool {
			alarms := kinds(getFleet(t, f["a"]))
			return slices.Equal(alarms, []monitorv1.AlarmKind{monitorv1.AlarmKind_ALARM_KIND_NO_CHECKERS, monitorv1.AlarmKind_ALARM_KIND_NO_CHECKERS})
		})
		named := 0
		for _, alarm := range getFleet(t, f["a"]).GetAlarms() {
			if alarm.GetMessage() == "coordinator b: no checker is connected, nothing is checked" {
				named++
			}
		}
		if named != 1 {
			t.Errorf("alarms %v", getFleet(t, f["a"]).GetAlarms())
		}
		// Each sees the verifliers and its checkers for itself.
		f["b"].checker(t)
		p = getFleet(t, f["a"]).GetPeers()[0]
		if len(p.GetCheckers()) != 1 || p.GetCheckers()[0].GetNode() == "" || len(p.GetVerifliers()) != 1 || p.GetVerifliers()[0].GetName() != "v" {
			t.Errorf("peer %v", p)
		}
		if own := getFleet(t, f["a"]).GetCheckers(); len(own) != 0 {
			t.Errorf("a checker of b's is said to be a's: %v", own)
		}
	})
}

// kinds lists the alarms but that about the veriflier, which nobody runs here.
func kinds(f *monitorv1.Fleet) []monitorv1.AlarmKind {
	var out []monitorv1.AlarmKind
	for _, a := range f.GetAlarms() {
		if a.GetKind() != monitorv1.AlarmKind_ALARM_KIND_VERIFLIER {
			out = append(out, a.GetKind())
		}
	}
	return out
}

// dying is the store of a coordinator that does not give its shards back when it ends,
// as if it had been killed; so that tests may be slow, its leases then last long.
type dying struct{ store.Store }

func (d dying) ReleaseShard(ctx context.Context, l shard.Lease) error {
	_, err := d.RenewShard(ctx, l, time.Now().Add(10*time.Minute))
	return err
}

func TestWhenAnOwnerIsAwayTheRowsSpeak(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	synctest.Test(t, func(t *testing.T) {
		f := fleet(t, dsn, rpc.NewMemory(), share{"a", 0, 255, nil}, share{"b", 256, 511, func(o *coordinator.Options) { o.Store = dying{o.Store} }})
		a, b := f["a"], f["b"]
		up, down := b.make(t, 300, "http://up.example/"), b.make(t, 301, "http://down.example/")
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		// It goes down in the last moment of its owner.
		shards, err := a.store.ListShards(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		row, err := a.store.Site(t.Context(), check.SiteID(down.GetSiteId()))
		if err != nil {
			t.Fatal(err)
		}
		at := time.Now().Truncate(time.Millisecond)
		if _, err := storetest.Commit(t.Context(), a.store, shards[shard.Of(row.Bucket)].Fence(), record.Change{
			Key: "k", SiteID: row.ID, BlogID: row.BlogID, Bucket: row.Bucket, URL: row.URL,
			From: check.StatusRunning, To: check.StatusDown, Start: at, At: at,
			Cause: check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureServer},
		}); err != nil {
			t.Fatal(err)
		}

		list, err := a.sites.ListSites(t.Context(), &monitorv1.ListSitesRequest{})
		if err != nil || len(list.GetSites()) != 2 {
			t.Fatal(list, err)
		}
		if s := list.GetSites()[0]; s.GetState() != monitorv1.SiteState_SITE_STATE_NEVER_CHECKED || s.GetStatusId() != 1 {
			t.Errorf("up: %v", s)
		}
		if s := a.get(t, down.GetSiteId()); s.GetState() != monitorv1.SiteState_SITE_STATE_DOWN || s.GetOutageId() == 0 || s.GetStatusId() != 0 {
			t.Errorf("down: %v", s)
		}
		if _, err := a.sites.ExplainSite(t.Context(), &monitorv1.ExplainSiteRequest{SiteId: up.GetSiteId()}); status.Code(err) != codes.Unavailable {
			t.Errorf("explained: %v", err)
		}
		past, err := a.sites.ExplainSite(t.Context(), &monitorv1.ExplainSiteRequest{SiteId: down.GetSiteId(), At: timestamppb.New(at)})
		if err != nil || past.GetExplanation().GetOutage() == nil {
			t.Errorf("the past, which is stored, is explained as %v, %v", past, err)
		}
		// Edits are made in the database.
		a.make(t, 302, "http://new.example/")
		if _, err := a.sites.DeleteSite(t.Context(), &monitorv1.DeleteSiteRequest{SiteId: up.GetSiteId()}); err != nil {
			t.Error(err)
		}
		if _, err := a.store.Site(t.Context(), check.SiteID(up.GetSiteId())); err == nil {
			t.Error("it is not deleted")
		}

		time.Sleep(2 * time.Second) // the watchdog looks each second
		got := getFleet(t, a)
		if len(got.GetPeers()) != 1 || got.GetPeers()[0].GetStatus() != nil || got.GetPeers()[0].GetDetail() == "" {
			t.Errorf("peers %v", got.GetPeers())
		}
		if !slices.Contains(kinds(got), monitorv1.AlarmKind_ALARM_KIND_PEER) {
			t.Errorf("alarms %v", got.GetAlarms())
		}
	})
}

func TestABatchOverRESTHoldsWhatEachOwnerKnows(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		f := fleet(t, dsn, network, share{"a", 0, 255, nil}, share{"b", 256, 511, nil})
		a, b := f["a"], f["b"]
		atA, atB := a.checker(t), b.checker(t)
		one, two := a.make(t, 5, "http://one.example/"), b.make(t, 300, "http://two.example/")
		a.check(t, atA)
		b.check(t, atB)

		l, err := network.Listen("gateway")
		if err != nil {
			t.Fatal(err)
		}
		g, err := gateway.New(gateway.Options{Coordinator: "a,b", Client: rpc.ClientOptions{Network: network}, Listeners: []net.Listener{l}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- g.Run(ctx) }()
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return network.DialContext(ctx, "gateway") }}
		t.Cleanup(func() {
			transport.CloseIdleConnections()
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		for range 4 { // now a answers, now b
			resp, err := (&http.Client{Transport: transport}).Get(fmt.Sprintf("http://gateway/v1/sites:batchGet?site_ids=%d&site_ids=%d", two.GetSiteId(), one.GetSiteId()))
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			var got monitorv1.BatchGetSitesResponse
			if err := protojson.Unmarshal(raw, &got); err != nil || resp.StatusCode != http.StatusOK || len(got.GetSites()) != 2 {
				t.Fatalf("%d %s, %v", resp.StatusCode, raw, err)
			}
			for i, id := range []int64{two.GetSiteId(), one.GetSiteId()} {
				if s := got.GetSites()[i]; s.GetSiteId() != id || s.GetState() != monitorv1.SiteState_SITE_STATE_UP || s.GetLastObservation() == nil {
					t.Errorf("site %d: %v", id, s)
				}
			}
		}
		asked := a.calls(t, monitorv1.SiteService_BatchGetSites_FullMethodName) + b.calls(t, monitorv1.SiteService_BatchGetSites_FullMethodName)
		if asked != 4 {
			t.Errorf("coordinators asked one another %d times for four requests", asked)
		}
	})
}
