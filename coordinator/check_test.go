package coordinator_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/test/mariadb"
)

func TestAnyCoordinatorHasASiteCheckedOnDemand(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	synctest.Test(t, func(t *testing.T) {
		f := fleet(t, dsn, rpc.NewMemory(), share{"a", 0, 255, nil}, share{"b", 256, 511, func(o *coordinator.Options) { o.Store = dying{o.Store} }})
		a, b := f["a"], f["b"]
		site := b.make(t, 300, "http://x.example/")
		id := site.GetSiteId()
		ask := func(m *member) (*checkv1.Observation, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			resp, err := m.sites.CheckSite(ctx, &monitorv1.CheckSiteRequest{SiteId: id})
			return resp.GetObservation(), err
		}
		for name, m := range f {
			if _, err := ask(m); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "no checker is connected") {
				t.Errorf("without checkers, through %s: %v", name, err)
			}
		}
		atB := b.checker(t)
		b.check(t, atB) // as a new site

		// Four callers through two coordinators share one check.
		var all sync.WaitGroup
		for range 2 {
			for name, m := range f {
				all.Go(func() {
					if seen, err := ask(m); err != nil || seen.GetOutcome() != checkv1.Outcome_OUTCOME_UP || seen.GetHttpStatus() != 200 {
						t.Errorf("through %s: %v, %v", name, seen, err)
					}
				})
			}
		}
		time.Sleep(100 * time.Millisecond)
		b.check(t, atB)
		all.Wait()
		synctest.Wait()
		if last := a.get(t, id); time.Since(last.GetLastCheckTime().AsTime()) > time.Second {
			t.Errorf("the check does not count: %v", last)
		}

		all.Go(func() {
			if seen, err := ask(a); err != nil || seen.GetFailure() != checkv1.FailureKind_FAILURE_KIND_POLICY || seen.GetReason() != "userinfo" {
				t.Errorf("a URL that cannot be checked: %v, %v", seen, err)
			}
		})
		time.Sleep(100 * time.Millisecond)
		b.refuse(t, atB)
		all.Wait()

		all.Go(func() {
			began := time.Now()
			if _, err := ask(a); status.Code(err) != codes.Unavailable || time.Since(began) > 30*time.Second {
				t.Errorf("a checker that does not answer: %v after %v", err, time.Since(began))
			}
		})
		all.Wait()
		if paused, err := a.sites.PauseSite(t.Context(), &monitorv1.PauseSiteRequest{SiteId: id}); err != nil || !paused.GetSite().GetPaused() {
			t.Fatal(paused, err)
		}
		if _, err := ask(a); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("a paused site: %v", err)
		}
		if resumed, err := a.sites.ResumeSite(t.Context(), &monitorv1.ResumeSiteRequest{SiteId: id}); err != nil || resumed.GetSite().GetPaused() {
			t.Fatal(resumed, err)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := ask(a); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "coordinator b") {
			t.Errorf("a coordinator that is away: %v", err)
		}
		id = 1 << 40
		if _, err := ask(a); status.Code(err) != codes.NotFound {
			t.Errorf("a site that is not there: %v", err)
		}
	})
}

func TestASiteIsPausedAndResumedThroughAnyCoordinator(t *testing.T) {
	t.Parallel()
	for name, start := range systems() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			members := start(t, rpc.NewMemory())
			id := members["a"].make(t, 7, "http://example.com/").GetSiteId()
			for node, m := range members {
				before := m.get(t, id)
				for range 2 {
					resp, err := m.sites.PauseSite(t.Context(), &monitorv1.PauseSiteRequest{SiteId: id})
					if err != nil || !resp.GetSite().GetPaused() || m.get(t, id).GetState() != monitorv1.SiteState_SITE_STATE_PAUSED {
						t.Fatalf("paused through %s: %v, %v", node, resp, err)
					}
				}
				old := before.GetEtag()
				if _, err := m.sites.PauseSite(t.Context(), &monitorv1.PauseSiteRequest{SiteId: id, Etag: old}); !isMismatch(err) {
					t.Errorf("paused under an old etag: %v", err)
				}
				if _, err := m.sites.ResumeSite(t.Context(), &monitorv1.ResumeSiteRequest{SiteId: id, Etag: old}); !isMismatch(err) {
					t.Errorf("resumed under an old etag: %v", err)
				}
				for range 2 {
					resp, err := m.sites.ResumeSite(t.Context(), &monitorv1.ResumeSiteRequest{SiteId: id, Etag: m.get(t, id).GetEtag()})
					if err != nil || resp.GetSite().GetPaused() || resp.GetSite().GetEtag() != old {
						t.Fatalf("resumed through %s: %v, %v", node, resp, err)
					}
				}
			}
			if _, err := members["a"].sites.PauseSite(t.Context(), &monitorv1.PauseSiteRequest{SiteId: 1 << 40}); status.Code(err) != codes.NotFound {
				t.Errorf("a site that is not there: %v", err)
			}
		})
	}
}

// A check on demand needs the database at its beginning only: when that goes away meanwhile, what
// is seen is told.
func TestACheckOnDemandEndsWellWhileTheDatabaseIsStopped(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	synctest.Test(t, func(t *testing.T) {
		var db *stopped
		a := fleet(t, dsn, rpc.NewMemory(), share{"a", 0, 511, func(o *coordinator.Options) {
			db = &stopped{Store: o.Store}
			o.Store = db
		}})["a"]
		site := a.make(t, 300, "http://x.example/")
		st := a.checker(t)
		a.check(t, st) // as a new site
		seen := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			_, err := a.sites.CheckSite(ctx, &monitorv1.CheckSiteRequest{SiteId: site.GetSiteId()})
			seen <- err
		}()
		time.Sleep(3 * time.Second)
		db.away.Store(true)
		time.Sleep(6 * time.Second)
		a.check(t, st)
		if err := <-seen; err != nil {
			t.Error(err)
		}
		db.away.Store(false)
	})
}
