package coordinator_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// severed is a database that hangs while it is away: what owns shards, or reads them, waits
// for an answer until it gives up.
type severed struct {
	store.Store
	away     atomic.Bool
	refusing atomic.Bool // it answers questions, and takes nothing
	blind    atomic.Bool // it does all but read the sites
}

func (s *severed) wait(ctx context.Context, writes bool) error {
	if s.away.Load() || writes && s.refusing.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (s *severed) ListShards(ctx context.Context) ([]shard.Lease, error) {
	if err := s.wait(ctx, false); err != nil {
		return nil, err
	}
	return s.Store.ListShards(ctx)
}

func (s *severed) ListMembers(ctx context.Context, now time.Time) ([]shard.Member, error) {
	if err := s.wait(ctx, false); err != nil {
		return nil, err
	}
	return s.Store.ListMembers(ctx, now)
}

func (s *severed) Announce(ctx context.Context, m shard.Member) error {
	if err := s.wait(ctx, true); err != nil {
		return err
	}
	return s.Store.Announce(ctx, m)
}

func (s *severed) RenewShard(ctx context.Context, l shard.Lease, until time.Time) (shard.Lease, error) {
	if err := s.wait(ctx, true); err != nil {
		return shard.Lease{}, err
	}
	return s.Store.RenewShard(ctx, l, until)
}

func (s *severed) ClaimShard(ctx context.Context, id shard.ID, o shard.Owner, now time.Time) (shard.Lease, error) {
	if err := s.wait(ctx, true); err != nil {
		return shard.Lease{}, err
	}
	return s.Store.ClaimShard(ctx, id, o, now)
}

func (s *severed) ScanBuckets(ctx context.Context, first, last check.BucketID, f func([]record.Site) error) error {
	if err := s.wait(ctx, false); err != nil {
		return err
	}
	if s.blind.Load() {
		return errors.New("the table is locked")
	}
	return s.Store.ScanBuckets(ctx, first, last, f)
}

// health asks for the health of each service of a coordinator, and wants all alike.
func (r *rig) health(t *testing.T) healthpb.HealthCheckResponse_ServingStatus {
	t.Helper()
	all := map[healthpb.HealthCheckResponse_ServingStatus][]string{}
	for _, name := range []string{"", "jetmon.monitor.v1.SiteService", "jetmon.monitor.v1.FleetService", "jetmon.coordinator.v1.AssignmentService"} {
		h, err := healthpb.NewHealthClient(r.conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: name})
		if err != nil {
			t.Fatalf("health of %q: %v", name, err)
		}
		all[h.GetStatus()] = append(all[h.GetStatus()], name)
	}
	if len(all) != 1 {
		t.Fatalf("services differ in health: %v", all)
	}
	for status := range all {
		return status
	}
	return 0
}

const (
	serving    = healthpb.HealthCheckResponse_SERVING
	notServing = healthpb.HealthCheckResponse_NOT_SERVING
)

func TestHealthFollowsTheDatabase(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		away func(*severed) *atomic.Bool
	}{
		{"it does not answer", func(s *severed) *atomic.Bool { return &s.away }},
		{"it answers and takes nothing", func(s *severed) *atomic.Bool { return &s.refusing }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var db *severed
				r := startWith(t, func(o *coordinator.Options) {
					db = &severed{Store: o.Store}
					o.Store = db
				})
				time.Sleep(3 * time.Second)
				if got := r.health(t); got != serving {
					t.Fatalf("with its database it is %v", got)
				}
				for range 2 {
					tt.away(db).Store(true)
					time.Sleep(4 * time.Second)
					if got := r.health(t); got != serving {
						t.Errorf("4 s without the database it is %v", got)
					}
					time.Sleep(7 * time.Second)
					if got := r.health(t); got != notServing {
						t.Errorf("11 s without the database it is %v", got)
					}
					tt.away(db).Store(false)
					time.Sleep(6 * time.Second)
					if got := r.health(t); got != serving {
						t.Errorf("6 s after the database is back it is %v", got)
					}
				}
			})
		})
	}
}

// elsewhere is a database in which somebody called b owns every shard.
type elsewhere struct{ store.Store }

func (e elsewhere) ListShards(context.Context) (all []shard.Lease, _ error) {
	for s := range shard.ID(shard.Count) {
		all = append(all, shard.Lease{Shard: s, Node: "b", Endpoint: "b", Term: 1, Expires: time.Now().Add(time.Minute)})
	}
	return all, nil
}

func TestACoordinatorWhoseShardsAreAllOthersIsReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := startWith(t, func(o *coordinator.Options) { o.Store = elsewhere{o.Store} })
		time.Sleep(time.Second)
		if got := r.health(t); got != serving {
			t.Errorf("it is %v", got)
		}
	})
}

// However the database fails at first: health says SERVING when the sites are there, and
// not before.
func TestACoordinatorThatHasLoadedNothingIsNotReady(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault func(*severed) *atomic.Bool
	}{
		{"the database is away", func(s *severed) *atomic.Bool { return &s.away }},
		{"the database takes nothing", func(s *severed) *atomic.Bool { return &s.refusing }},
		{"the sites cannot be read", func(s *severed) *atomic.Bool { return &s.blind }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var db *severed
				r := startWith(t, func(o *coordinator.Options) {
					db = &severed{Store: o.Store}
					o.Store = db
					for blog := range check.BlogID(10) {
						if _, err := o.Store.CreateSite(t.Context(), record.Site{BlogID: blog + 1, URL: "http://site.example/", Interval: time.Minute, Status: check.StatusRunning}); err != nil {
							t.Fatal(err)
						}
					}
					tt.fault(db).Store(true)
				})
				time.Sleep(7 * time.Millisecond) // between two looks of the server at itself
				for range 60 {
					time.Sleep(500 * time.Millisecond)
					if got := r.health(t); got != notServing {
						t.Fatalf("it is %v", got)
					}
				}
				tt.fault(db).Store(false)
				for began := time.Now(); r.health(t) != serving; time.Sleep(50 * time.Millisecond) {
					if time.Since(began) > 20*time.Second {
						t.Fatal("it is not ready 20 s after the database is well")
					}
				}
				resp, err := monitorv1.NewFleetServiceClient(r.conn).GetFleet(t.Context(), &monitorv1.GetFleetRequest{})
				if err != nil || resp.GetFleet().GetCoordinator().GetSites() != 10 {
					t.Errorf("ready, it watches %d of 10 sites, %v", resp.GetFleet().GetCoordinator().GetSites(), err)
				}
			})
		})
	}
}
