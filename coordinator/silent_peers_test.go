package coordinator_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/test/mariadb"
)

// pretending is a store that says of the upper half of the shards that a coordinator
// owns them of which it knows nothing.
type pretending struct {
	store.Store
	owner, endpoint string
}

func (p pretending) ListShards(ctx context.Context) ([]shard.Lease, error) {
	leases, err := p.Store.ListShards(ctx)
	for s := shard.ID(shard.Count / 2); s < shard.Count; s++ {
		leases = append(leases, shard.Lease{Shard: s, Node: p.owner, Endpoint: p.endpoint, Term: 1, Expires: time.Now().Add(time.Minute)})
	}
	return leases, err
}

// half starts a coordinator of the lower half on SQLite that believes that somebody
// called b owns the rest.
func half(t *testing.T, network *rpc.Memory) *member {
	t.Helper()
	o := options(t, network)
	if err := o.Listeners[0].Close(); err != nil {
		t.Fatal(err)
	}
	o.BucketMax, o.PeerClient.Network = check.Buckets/2-1, network
	o.Store = pretending{o.Store, "b", "b"}
	r := launch(t, network, o)
	return &member{rig: r, sites: monitorv1.NewSiteServiceClient(r.conn), fleet: monitorv1.NewFleetServiceClient(r.conn)}
}

// patient is the deadline of who asks about a mute owner's sites: long enough for a busy
// machine, and half of it is what the owner gets at most.
const patient = 6 * time.Second

// mute is an owner that carries out what do says and never answers. It counts its calls.
type mute struct {
	monitorv1.UnimplementedSiteServiceServer
	calls, marked atomic.Int64
	do            func(ctx context.Context, id int64)
}

func (m *mute) never(ctx context.Context, id int64) error {
	m.calls.Add(1)
	if md, _ := metadata.FromIncomingContext(ctx); len(md.Get("jetmon-forwarded")) == 1 {
		m.marked.Add(1)
	}
	if m.do != nil {
		m.do(context.WithoutCancel(ctx), id)
	}
	<-ctx.Done()
	return ctx.Err()
}

func (m *mute) BatchGetSites(ctx context.Context, _ *monitorv1.BatchGetSitesRequest) (*monitorv1.BatchGetSitesResponse, error) {
	return nil, m.never(ctx, 0)
}

func (m *mute) CreateSite(ctx context.Context, _ *monitorv1.CreateSiteRequest) (*monitorv1.CreateSiteResponse, error) {
	return nil, m.never(ctx, 0)
}

func (m *mute) UpdateSite(ctx context.Context, req *monitorv1.UpdateSiteRequest) (*monitorv1.UpdateSiteResponse, error) {
	return nil, m.never(ctx, req.GetSite().GetSiteId())
}

func (m *mute) DeleteSite(ctx context.Context, req *monitorv1.DeleteSiteRequest) (*monitorv1.DeleteSiteResponse, error) {
	return nil, m.never(ctx, req.GetSiteId())
}

func (m *mute) ExplainSite(ctx context.Context, _ *monitorv1.ExplainSiteRequest) (*monitorv1.ExplainSiteResponse, error) {
	return nil, m.never(ctx, 0)
}

func serveMute(t *testing.T, network *rpc.Memory, m *mute) {
	t.Helper()
	serveMuteReady(t, network, m, nil)
}

func serveMuteReady(t *testing.T, network *rpc.Memory, m *mute, ready func() error) {
	t.Helper()
	l, err := network.Listen("b")
	if err != nil {
		t.Fatal(err)
	}
	server, err := rpc.NewServer(rpc.ServerOptions{Name: "mute", Access: rpc.Open(), Ready: ready}, func(r grpc.ServiceRegistrar) { monitorv1.RegisterSiteServiceServer(r, m) })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestAnOwnerThatNeverAnswersCostsTimeAndNoAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		a := half(t, network)
		row, err := a.store.CreateSite(t.Context(), record.Site{BlogID: 300, Bucket: 300, URL: "http://example.com/", Interval: time.Minute, Status: check.StatusRunning})
		if err != nil {
			t.Fatal(err)
		}
		id := int64(row.ID)
		owner := &mute{do: func(ctx context.Context, id int64) { _ = a.store.DeleteSite(ctx, check.SiteID(id), time.Now(), nil) }}
		serveMute(t, network, owner)
		ask := func(name string, want codes.Code, call func(context.Context) error) {
			ctx, cancel := context.WithTimeout(t.Context(), patient)
			defer cancel()
			// What comes in time is not our own deadline's end.
			if err := call(ctx); status.Code(err) != want || ctx.Err() != nil {
				t.Errorf("%s: %v, want %v; the caller's deadline: %v", name, err, want, ctx.Err())
			}
		}
		var asking sync.WaitGroup // each takes its time
		asking.Go(func() {
			ask("list", codes.OK, func(ctx context.Context) error {
				resp, err := a.sites.ListSites(ctx, &monitorv1.ListSitesRequest{})
				if len(resp.GetSites()) != 1 {
					t.Errorf("list: %v", resp)
				}
				return err
			})
		})
		asking.Go(func() {
			ask("explain", codes.Unavailable, func(ctx context.Context) error {
				_, err := a.sites.ExplainSite(ctx, &monitorv1.ExplainSiteRequest{SiteId: id})
				return err
			})
		})
		asking.Go(func() {
			// The owner may have added it: to do so again would be refused and look like a mistake.
			ask("create", codes.Unavailable, func(ctx context.Context) error {
				_, err := a.sites.CreateSite(ctx, &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{BlogId: 301, Url: "http://example.com/"}})
				return err
			})
		})
		asking.Wait()
		// The owner deletes it and falls silent: that is what was asked for.
		ask("delete", codes.OK, func(ctx context.Context) error {
			_, err := a.sites.DeleteSite(ctx, &monitorv1.DeleteSiteRequest{SiteId: id})
			return err
		})
		if owner.calls.Load() != 4 || owner.marked.Load() != 4 {
			t.Errorf("%d calls, %d of them marked as forwarded", owner.calls.Load(), owner.marked.Load())
		}
	})
}

func TestAnUpdateThatTheOwnerDoesNotAnswerIsMadeHere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		a := half(t, network)
		serveMute(t, network, &mute{})
		row, err := a.store.CreateSite(t.Context(), record.Site{BlogID: 300, Bucket: 300, URL: "http://example.com/", Interval: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patient)
		defer cancel()
		got, err := a.sites.UpdateSite(ctx, &monitorv1.UpdateSiteRequest{
			Site: &monitorv1.Site{SiteId: int64(row.ID), Paused: true}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"paused"}},
		})
		if err != nil || got.GetSite().GetState() != monitorv1.SiteState_SITE_STATE_PAUSED {
			t.Fatal(got, err)
		}
		if row, err = a.store.Site(t.Context(), row.ID); err != nil || !row.Paused {
			t.Error(row, err)
		}
	})
}

// An owner that has lost the database could only hang. What it knows by heart it is asked
// all the same.
func TestEditsAreMadeHereWhileTheOwnerIsNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		a := half(t, network)
		a.ready(t)
		owner := &mute{}
		serveMuteReady(t, network, owner, func() error { return errors.New("the database is away") })
		ctx, cancel := context.WithTimeout(t.Context(), patient)
		defer cancel()
		made, err := a.sites.CreateSite(ctx, &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{BlogId: 300, Url: "http://example.com/"}})
		if err != nil {
			t.Fatal("create:", err)
		}
		id := made.GetSite().GetSiteId()
		if _, err := a.sites.UpdateSite(ctx, &monitorv1.UpdateSiteRequest{
			Site: &monitorv1.Site{SiteId: id, Paused: true}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"paused"}},
		}); err != nil {
			t.Error("update:", err)
		}
		if n := owner.calls.Load(); n != 0 {
			t.Errorf("%d edits were passed on", n)
		}
		got, err := a.sites.GetSite(ctx, &monitorv1.GetSiteRequest{SiteId: id})
		if err != nil || got.GetSite().GetState() != monitorv1.SiteState_SITE_STATE_PAUSED || owner.calls.Load() != 1 {
			t.Errorf("%v, %v, after %d questions to the owner", got, err, owner.calls.Load())
		}
		if _, err := a.sites.DeleteSite(ctx, &monitorv1.DeleteSiteRequest{SiteId: id}); err != nil {
			t.Error("delete:", err)
		}
	})
}

// Two coordinators, each of which believes that the other owns half of the shards,
// which in truth nobody does.
func TestCoordinatorsThatDisagreeSendNothingInCircles(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	synctest.Test(t, func(t *testing.T) {
		confused := func(other string) func(*coordinator.Options) {
			return func(o *coordinator.Options) { o.Store = pretending{o.Store, other, other} }
		}
		f := fleet(t, dsn, rpc.NewMemory(), share{"a", 0, 127, confused("b")}, share{"b", 128, 255, confused("a")}, share{"c", 256, 511, nil})
		a, b := f["a"], f["b"]
		if err := f["c"].stop(); err != nil {
			t.Fatal(err)
		}
		made := a.make(t, 300, "http://example.com/")
		if got := a.get(t, made.GetSiteId()); got.GetState() != monitorv1.SiteState_SITE_STATE_NEVER_CHECKED || got.GetUrl() != "http://example.com/" {
			t.Errorf("got %v", got)
		}
		x, err := a.sites.ExplainSite(t.Context(), &monitorv1.ExplainSiteRequest{SiteId: made.GetSiteId()})
		if err != nil || x.GetExplanation().GetSummary() == "" {
			t.Errorf("explained as %v, %v", x, err)
		}
		if _, err := a.sites.UpdateSite(t.Context(), &monitorv1.UpdateSiteRequest{
			Site: &monitorv1.Site{SiteId: made.GetSiteId(), Url: "http://example.org/"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"url"}},
		}); err != nil {
			t.Error(err)
		}
		if _, err := a.sites.DeleteSite(t.Context(), &monitorv1.DeleteSiteRequest{SiteId: made.GetSiteId()}); err != nil {
			t.Error(err)
		}
		for _, method := range []string{
			monitorv1.SiteService_CreateSite_FullMethodName, monitorv1.SiteService_BatchGetSites_FullMethodName,
			monitorv1.SiteService_ExplainSite_FullMethodName, monitorv1.SiteService_UpdateSite_FullMethodName, monitorv1.SiteService_DeleteSite_FullMethodName,
		} {
			if there, back := a.calls(t, method), b.calls(t, method); there != 1 || back != 0 {
				t.Errorf("%s: %d times passed on, %d times passed back", method, there, back)
			}
		}
	})
}
