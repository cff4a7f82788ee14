package api

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/outlier"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/test/mariadb"
	"github.com/Automattic/jetmon/test/seeds"
)

// desk is the SiteService over an engine and a real store. It also plays the engine's panel
// and committer, which have nothing to do, and its only checker.
type desk struct {
	sites    *sites
	sessions int
	targets  map[check.SiteID]check.Target
}

func (d *desk) Ask(engine.Question)          {}
func (d *desk) Look(engine.Question)         {}
func (d *desk) Abandon(check.SiteID, uint32) {}
func (d *desk) Record(record.Change)         {}
func (d *desk) Keep(record.Ballot)           {}
func (d *desk) Full() bool                   { return false }
func (d *desk) Revoke([]dispatch.Ref)        {}
func (d *desk) End(string)                   {}
func (d *desk) Assign(b dispatch.Batch, targets []check.Target, _ uint64) bool {
	for i, k := range b.Checks {
		d.targets[k.Site] = targets[i]
	}
	return true
}

// dawdling is a store whose reads return a little after they were made.
type dawdling struct{ store.Store }

func (s dawdling) Site(ctx context.Context, id check.SiteID) (record.Site, error) {
	row, err := s.Store.Site(ctx, id)
	for range rand.IntN(100) {
		runtime.Gosched()
	}
	return row, err
}

// anybody returns the context of a call to a server that asks nobody who they are.
func anybody(t *testing.T) context.Context { return access.With(t.Context(), access.Anybody()) }

func newDesk(t *testing.T, dsn string) *desk {
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
	d := &desk{targets: map[check.SiteID]check.Target{}}
	random := rand.Uint64
	e := engine.New(engine.Options{
		Policy: lifecycle.DefaultPolicy(), Panel: d, Committer: d, Random: random,
		Log: slog.New(slog.DiscardHandler), Outliers: outlier.DefaultRule(),
		Dispatch: dispatch.Config{
			Lease: time.Minute, SessionTimeout: time.Hour, AvoidFor: time.Second, MaxBatch: 10, MaxQueue: 1000, SlowStart: -1, Random: random,
		},
	}, time.Now())
	d.sites = &sites{o: Options{Store: dawdling{s}, Engine: e, Shards: shardtest.New()}}
	return d
}

// watched returns the target of a site that the engine assigns now. It opens a new session of
// the checker, which gets all open checks of the one before.
func (d *desk) watched(t *testing.T, id check.SiteID) check.Target {
	t.Helper()
	e := d.sites.o.Engine
	d.sessions++
	// Each call advances the schedule by a second, by which a site made due soon is due.
	now := time.Now().Add(time.Duration(d.sessions) * time.Second)
	session, err := e.Join(now, dispatch.Hello{Node: "c", Instance: "1", Region: "r", MaxInFlight: 1000}, nil, d)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Grant(now, session, 1000); err != nil {
		t.Fatal(err)
	}
	clear(d.targets)
	e.Soon(now, id)
	e.Tick(now)
	return d.targets[id]
}

// agree fails unless the engine watches the site as it is stored.
func (d *desk) agree(t *testing.T, id check.SiteID) {
	t.Helper()
	row, err := d.sites.o.Store.Site(t.Context(), id)
	v, known := d.sites.o.Engine.View(time.Now(), id)
	if fault.Is(err, fault.NotFound) {
		if known {
			t.Fatal("a site that was deleted is watched")
		}
		return
	}
	if err != nil || !known {
		t.Fatalf("a site is not watched, or not stored: %v", err)
	}
	if v.Interval != row.Interval || (v.State.Stage == lifecycle.Paused) != row.Paused {
		t.Fatalf("watched every %s, %v; stored %s, paused %v", v.Interval, v.State.Stage, row.Interval, row.Paused)
	}
	if row.Paused {
		return
	}
	target := d.watched(t, id)
	if diff := cmp.Diff(row.Settings, target.Settings); diff != "" || target.URL != row.URL {
		t.Fatalf("%s is watched, %s stored; settings (-stored +watched):\n%s", target.URL, row.URL, diff)
	}
}

func TestAfterEditsAtOnceTheEngineWatchesWhatIsStored(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for name, dsn := range map[string]func(testing.TB) string{
			"SQLite":  func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "jetmon.db") },
			"MariaDB": mariadb.Start,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d, random := newDesk(t, dsn(t)), rand.New(rand.NewPCG(seed, 12))
				for round := range 100 {
					made, err := d.sites.CreateSite(anybody(t), &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{Url: "http://example.com/", BlogId: int64(round)}})
					if err != nil {
						t.Fatal(err)
					}
					d.editAtOnce(t, made.GetSite().GetSiteId(), random)
					d.agree(t, check.SiteID(made.GetSite().GetSiteId()))
				}
			})
		}
	})
}

// editAtOnce changes a site in several ways at once, and deletes it in every tenth round.
func (d *desk) editAtOnce(t *testing.T, id int64, random *rand.Rand) {
	t.Helper()
	begin := make(chan struct{})
	var all sync.WaitGroup
	for range 6 {
		site := &monitorv1.Site{
			SiteId: id, Paused: random.IntN(2) == 0, CheckInterval: durationpb.New(time.Duration(1+random.IntN(255)) * time.Minute),
			Url:      "http://example.com/" + string(rune('a'+random.IntN(26))),
			Settings: &monitorv1.CheckSettings{Method: checkv1.Method(random.IntN(4)), RequiredTexts: []string{string(rune('a' + random.IntN(26)))}},
		}
		path := []string{"paused", "check_interval", "url", "settings.method", "settings.required_texts"}[random.IntN(5)]
		all.Go(func() {
			<-begin
			_, err := d.sites.UpdateSite(anybody(t), &monitorv1.UpdateSiteRequest{Site: site, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{path}}})
			if err != nil && !fault.Is(err, fault.NotFound) {
				t.Error(err)
			}
		})
	}
	if random.IntN(10) == 0 {
		all.Go(func() {
			<-begin
			if _, err := d.sites.DeleteSite(anybody(t), &monitorv1.DeleteSiteRequest{SiteId: id}); err != nil {
				t.Error(err)
			}
		})
	}
	close(begin)
	all.Wait()
}
