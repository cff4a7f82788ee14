package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func raceTests() []test {
	return []test{
		{"of concurrent creations of a URL one succeeds", raceCreate},
		{"of concurrent changes to one URL one succeeds", raceRename},
		{"of concurrent moves of sites to a URL one succeeds", raceMove},
		{"deleting while updating leaves no settings behind", raceDeleteUpdate},
		{"concurrent creations of URLs of one blog all succeed", raceCreateBlog},
		{"of concurrent claims of a shard one succeeds", raceClaim},
		{"of concurrent openings of a site's outage one succeeds", raceOpen},
		{"concurrent commits of one key are one commit", raceKey},
		{"after a takeover nothing of the former owner is written", raceTakeover},
		{"concurrent commits in many shards all succeed", raceShards},
		{"deleting while committing leaves no open outage", raceDelete},
		{"a call whose context has ended gives up", endedContext},
	}
}

const racers = 12

// race runs f at once for many, over two handles, and counts successes and kinds of failure.
func race(t testing.TB, db Database, f func(n int, s store.Store) error) (won int, lost map[fault.Kind]int) {
	t.Helper()
	handles := []store.Store{db.Open(t, true), db.Open(t, true)}
	errs := make([]error, racers)
	start := make(chan struct{})
	var all sync.WaitGroup
	for n := range racers {
		all.Go(func() {
			<-start
			errs[n] = untilAnswered(t, func() error { return f(n, handles[n%2]) })
		})
	}
	close(start)
	all.Wait()
	lost = map[fault.Kind]int{}
	for _, err := range errs {
		if err == nil {
			won++
		} else if f, ok := errors.AsType[*fault.Error](err); ok {
			lost[f.Kind()]++
		} else {
			t.Errorf("an error without a kind: %v", err)
		}
	}
	return won, lost
}

// untilAnswered makes a call again while the store gives up, as its callers do: among many
// writers, on a busy machine, one may have to wait for longer than a store tries.
func untilAnswered(t testing.TB, f func() error) error {
	for {
		err := f()
		if !fault.Is(err, fault.Unavailable) || t.Context().Err() != nil {
			return err
		}
	}
}

func wantOneWinner(t testing.TB, won int, lost map[fault.Kind]int, kind fault.Kind) {
	t.Helper()
	if won != 1 || lost[kind] != racers-1 {
		t.Errorf("%d succeeded, the others failed as %v; want 1, and %d as %q", won, lost, racers-1, kind)
	}
}

func raceCreate(t *testing.T, db Database) {
	for round := range 5 {
		won, lost := race(t, db, func(_ int, s store.Store) error {
			_, err := s.CreateSite(t.Context(), aSite(url(round)))
			return err
		})
		wantOneWinner(t, won, lost, fault.AlreadyExists)
		if n := db.Int(t, "SELECT COUNT(*) FROM jetpack_monitor_sites WHERE monitor_url = ?", url(round)); n != 1 {
			t.Errorf("%d rows in round %d", n, round)
		}
	}
}

// raceRename has half of its racers create the URL that the others give to their sites,
// which come from another blog.
func raceRename(t *testing.T, db Database) {
	s := db.Open(t, true)
	for round := range 3 {
		var sites [racers]record.Site
		for n := range sites {
			sites[n] = aSite(fmt.Sprintf("https://%d-%d.example.com/", round, n))
			sites[n].BlogID = check.BlogID(100 + n)
			sites[n] = create(t, s, sites[n])
			sites[n].BlogID, sites[n].URL = 42, url(round)
		}
		won, lost := race(t, db, func(n int, s store.Store) error {
			if n%2 == 0 {
				_, err := s.CreateSite(t.Context(), aSite(url(round)))
				return err
			}
			return rewrite(t.Context(), s, sites[n])
		})
		wantOneWinner(t, won, lost, fault.AlreadyExists)
		if n := db.Int(t, "SELECT COUNT(*) FROM jetpack_monitor_sites WHERE monitor_url = ?", url(round)); n != 1 {
			t.Errorf("%d rows in round %d", n, round)
		}
	}
}

func raceCreateBlog(t *testing.T, db Database) {
	won, lost := race(t, db, func(n int, s store.Store) error {
		for i := range 5 {
			if _, err := s.CreateSite(t.Context(), aSite(url(100*n+i))); err != nil {
				return err
			}
		}
		return nil
	})
	if won != racers {
		t.Errorf("%d of %d, the others failed as %v", won, racers, lost)
	}
	if n := db.Int(t, "SELECT COUNT(*) FROM jetpack_monitor_sites"); n != 5*racers {
		t.Errorf("%d rows, want %d", n, 5*racers)
	}
}

func raceMove(t *testing.T, db Database) {
	s := db.Open(t, true)
	sites := make([]record.Site, racers)
	for i := range sites {
		sites[i] = create(t, s, aSite(url(i)))
	}
	won, lost := race(t, db, func(n int, s store.Store) error {
		return set(t, s, sites[n].ID, "url", 1000)
	})
	wantOneWinner(t, won, lost, fault.AlreadyExists)
}

func raceDeleteUpdate(t *testing.T, db Database) {
	s := db.Open(t, true)
	for round := range 10 {
		site := create(t, s, aSite(url(round)))
		_, lost := race(t, db, func(n int, s store.Store) error {
			if n == 0 {
				return s.DeleteSite(t.Context(), site.ID, noon(), nil)
			}
			return set(t, s, site.ID, "method", n)
		})
		if len(lost) > 1 || len(lost) == 1 && lost[fault.NotFound] == 0 {
			t.Errorf("failures %v; only updates may fail, as not found", lost)
		}
	}
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_site_settings"); n != 0 {
		t.Errorf("settings of %d sites are left", n)
	}
}

func raceClaim(t *testing.T, db Database) {
	for round := range 3 { // of a shard never seen, then of an expired one
		won, lost := race(t, db, func(n int, s store.Store) error {
			_, err := s.ClaimShard(t.Context(), 0, anOwner(fmt.Sprint("node-", n)), after(time.Duration(round)*time.Minute))
			return err
		})
		wantOneWinner(t, won, lost, fault.Conflict)
		if term := get[[]shard.Lease](t)(db.Open(t, true).ListShards(t.Context()))[0].Term; term != uint64(round+1) {
			t.Errorf("term %d after round %d", term, round)
		}
	}
}

func raceOpen(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(1)))
	fence := own(t, s, "a", 7)
	won, lost := race(t, db, func(n int, s store.Store) error {
		_, err := Commit(t.Context(), s, fence, opening(site, fmt.Sprint("k", n)))
		return err
	})
	wantOneWinner(t, won, lost, fault.Conflict)
	wantEqual(t, footprint(t, db), [5]int64{1, 1, 1, 1, 1})
}

func raceKey(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(1)))
	fence := own(t, s, "a", 7)
	for _, c := range []record.Change{opening(site, "k1"), confirming(site, "k2"), closing(site, check.StatusConfirmedDown, "k3")} {
		answers := make([]record.Committed, racers)
		won, lost := race(t, db, func(n int, s store.Store) (err error) {
			answers[n], err = Commit(t.Context(), s, fence, c)
			return err
		})
		if won != racers {
			t.Fatalf("%d of %d were answered, the others failed as %v", won, racers, lost)
		}
		if len(slices.Compact(answers)) != 1 {
			t.Errorf("answers differ: %+v", answers)
		}
	}
	wantEqual(t, footprint(t, db), [5]int64{1, 1, 3, 3, 0})
}

// raceTakeover lets an owner commit as fast as it can while another takes its shard.
func raceTakeover(t *testing.T, db Database) {
	s := db.Open(t, true)
	var sites []record.Site
	for i := range 40 {
		sites = append(sites, create(t, s, aSite(url(i))))
	}
	old := own(t, s, "old", 7)
	half := make(chan struct{})
	var committed []check.SiteID
	var owner sync.WaitGroup
	owner.Go(func() {
		for i, site := range sites {
			if i == len(sites)/4 {
				close(half)
			}
			err := untilAnswered(t, func() error {
				_, err := Commit(t.Context(), s, old, opening(site, fmt.Sprint("old-", i)))
				return err
			})
			switch {
			case err == nil:
				committed = append(committed, site.ID)
			case !fault.Is(err, fault.Fenced):
				t.Errorf("the former owner got %v", err)
			}
		}
	})
	defer owner.Wait() // also when the test ends early
	<-half
	other := db.Open(t, true)
	l := get[shard.Lease](t)(other.ClaimShard(t.Context(), 0, anOwner("new"), after(time.Minute)))
	// From here on the new owner reads all that the old one will ever have written.
	read := get[[]record.Site](t)(other.ListSites(t.Context(), store.SiteQuery{Limit: 100}))
	var seen []check.SiteID
	for _, site := range read {
		if site.Status == check.StatusDown {
			seen = append(seen, site.ID)
			continue
		}
		get[record.Committed](t)(Commit(t.Context(), other, l.Fence(), opening(site, fmt.Sprint("new-", site.ID))))
	}
	owner.Wait()
	if !slices.Equal(seen, committed) {
		t.Errorf("the new owner saw %v, the former committed %v", seen, committed)
	}
}

func raceShards(t *testing.T, db Database) {
	s := db.Open(t, true)
	sites := make([]record.Site, racers)
	fences := make([]shard.Fence, racers)
	for i := range sites {
		site := aSite(url(i))
		site.Bucket = check.BucketID(i * shard.BucketsPer)
		sites[i], fences[i] = create(t, s, site), own(t, s, "a", site.Bucket)
	}
	won, lost := race(t, db, func(n int, s store.Store) error {
		for i, c := range []record.Change{
			opening(sites[n], ""), confirming(sites[n], ""), closing(sites[n], check.StatusConfirmedDown, ""),
			opening(sites[n], ""), closing(sites[n], check.StatusDown, ""),
		} {
			c.Key = fmt.Sprint(n, "-", i)
			if _, err := Commit(t.Context(), s, fences[n], c); err != nil {
				return err
			}
		}
		return nil
	})
	if won != racers {
		t.Errorf("%d of %d, the others failed as %v", won, racers, lost)
	}
	wantEqual(t, footprint(t, db), [5]int64{2 * racers, 2 * racers, 5 * racers, 5 * racers, 0})
}

func raceDelete(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	sites := make([]record.Site, racers/2)
	for i := range sites {
		sites[i] = create(t, s, aSite(url(i)))
	}
	_, lost := race(t, db, func(n int, s store.Store) error {
		site := sites[n/2]
		if n%2 == 0 {
			return s.DeleteSite(t.Context(), site.ID, after(time.Hour), nil)
		}
		_, err := Commit(t.Context(), s, fence, opening(site, fmt.Sprint("k", n)))
		return err
	})
	if lost[fault.Conflict] > len(sites) || len(lost) > 1 || len(lost) == 1 && lost[fault.Conflict] == 0 {
		t.Errorf("failures %v; only commits may fail, as conflicts", lost)
	}
	if open := get[[]record.Outage](t)(s.ListOutages(t.Context(), store.OutageQuery{Limit: 10, OpenOnly: true})); len(open) != 0 {
		t.Errorf("%d outages of deleted sites are open", len(open))
	}
}

func endedContext(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(1)))
	fence := own(t, s, "a", 7)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Commit(ctx, s, fence, opening(site, "k"))
	for _, err := range []error{err, s.Ping(ctx), rewrite(ctx, s, site), s.DeleteSite(ctx, site.ID, noon(), nil)} {
		wantKind(t, err, fault.Unavailable)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v does not say why", err)
		}
	}
	_, err = s.Site(ctx, site.ID)
	wantKind(t, err, fault.Unavailable)
	wantEqual(t, footprint(t, db), [5]int64{})
	must(t, s.Ping(t.Context()))
}
