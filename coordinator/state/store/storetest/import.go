package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func importTests() []test {
	return []test{
		{"added sites read back as they were written, in the order of the list", addedReadBack},
		{"sites that are there, or twice in the list, are added once", addedOnce},
		{"a site that the table cannot hold is refused alone", addedOneRefused},
		{"the same list from several at once is added once", addedByMany},
		{"an added site inherits nothing of an earlier row with its id", addedInheritNothing},
		{"added sites are on record and found by host", addedOnRecord},
		{"the sites of one call are bounded", addedBounded},
	}
}

// variedSites are sites that differ in all that can be edited.
func variedSites(n int) []record.Site {
	sites := make([]record.Site, n)
	for i := range sites {
		sites[i] = aSite(url(i))
		sites[i].BlogID = check.BlogID(i % 7)
		sites[i].Bucket = check.BucketID(i % check.Buckets)
		sites[i].Paused = i%3 == 0
		sites[i].Interval = time.Duration(1+i%255) * time.Minute
		if i%5 == 0 {
			sites[i].Tags = []string{fmt.Sprint("a-", i), "z"}
		}
		if i%2 == 0 {
			sites[i].Settings = check.Settings{Method: check.MethodGet, RequiredTexts: []string{fmt.Sprint("Grüße ", i)}}
		}
	}
	return sites
}

func addedReadBack(t *testing.T, db Database) {
	s := db.Open(t, true)
	sites := variedSites(store.MaxAdded)
	added := get[[]store.Added](t)(s.AddSites(t.Context(), sites))
	var last check.SiteID
	for i, a := range added {
		if a.Err != nil || a.Existed || a.Site.ID <= last {
			t.Fatalf("site %d: %+v after id %d", i, a, last)
		}
		last = a.Site.ID
		want := sites[i]
		want.ID, want.Status = a.Site.ID, check.StatusRunning
		wantEqual(t, a.Site, want)
		wantEqual(t, get[record.Site](t)(s.Site(t.Context(), a.Site.ID)), want)
	}
}

func addedOnce(t *testing.T, db Database) {
	s := db.Open(t, true)
	old := create(t, s, aSite("https://example.com/a"))
	other := aSite("https://example.com/A") // another path, whatever a collation says
	changed := aSite("https://example.com/a")
	changed.Interval = 9 * time.Minute
	list := []record.Site{changed, other, other, changed}
	for round := range 2 {
		added := get[[]store.Added](t)(s.AddSites(t.Context(), list))
		for i, existed := range []bool{true, round > 0, true, true} {
			if added[i].Err != nil || added[i].Existed != existed {
				t.Errorf("round %d, site %d: %+v, want existed %v", round, i, added[i], existed)
			}
		}
		wantEqual(t, added[0].Site, old)
		wantEqual(t, added[2].Site, added[1].Site)
	}
	if all := get[[]record.Site](t)(s.ListSites(t.Context(), store.SiteQuery{Limit: 10})); len(all) != 2 {
		t.Errorf("%d sites, want 2", len(all))
	}
}

func addedOneRefused(t *testing.T, db Database) {
	s := db.Open(t, true)
	bad := aSite(url(1))
	bad.Interval = time.Second
	lost := aSite(url(2))
	lost.Bucket = check.Buckets
	added := get[[]store.Added](t)(s.AddSites(t.Context(), []record.Site{bad, lost, aSite(url(3)), aSite("")}))
	for i, want := range []bool{false, false, true, false} {
		if (added[i].Err == nil) != want || want != (added[i].Site.ID > 0) {
			t.Errorf("site %d: %+v", i, added[i])
		}
		if !want {
			wantKind(t, added[i].Err, fault.Invalid)
		}
	}
}

func addedByMany(t *testing.T, db Database) {
	s := db.Open(t, true)
	sites := variedSites(100)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for half := range 2 {
				if _, err := s.AddSites(t.Context(), sites[half*50:half*50+50]); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for _, site := range sites[:20] {
				if _, err := s.CreateSite(t.Context(), site); err != nil && !fault.Is(err, fault.AlreadyExists) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if all := get[[]record.Site](t)(s.ListSites(t.Context(), store.SiteQuery{Limit: 1000})); len(all) != len(sites) {
		t.Errorf("%d sites, want %d", len(all), len(sites))
	}
}

func addedInheritNothing(t *testing.T, db Database) {
	s := db.Open(t, true)
	old := aSite(url(1))
	old.Settings = check.Settings{Method: check.MethodGet}
	old = create(t, s, old)
	db.Exec(t, "DELETE FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", old.ID)
	db.Exec(t, "INSERT INTO jetmon_site_hosts (site_id, host, page, url) VALUES (?, 'old.example', 1, 'https://old.example/')", old.ID+1)
	added := get[[]store.Added](t)(s.AddSites(t.Context(), []record.Site{aSite(url(2)), aSite(url(3))}))
	for i, a := range added {
		want := aSite(url(2 + i))
		want.ID, want.Status = a.Site.ID, check.StatusRunning
		wantEqual(t, get[record.Site](t)(s.Site(t.Context(), a.Site.ID)), want)
	}
}

func addedOnRecord(t *testing.T, db Database) {
	s := db.Open(t, true)
	ctx := store.WithWitness(t.Context(), func(before, after *record.Site) record.Audit {
		if before != nil {
			t.Errorf("before is %+v", before)
		}
		return record.Audit{At: noon(), Caller: "me", Resource: fmt.Sprint("sites/", after.ID), After: after.URL}
	})
	list := []record.Site{aSite(url(1)), aSite(url(2)), aSite(url(1))}
	added := get[[]store.Added](t)(s.AddSites(ctx, list))
	for range 2 { // nothing is added again
		trail := get[[]record.Audit](t)(s.ListAudit(t.Context(), store.AuditQuery{Limit: 10}))
		if len(trail) != 2 || trail[1].Resource != fmt.Sprint("sites/", added[0].Site.ID) || trail[1].After != url(1) || trail[0].After != url(2) {
			t.Fatalf("on record is %+v", trail)
		}
		get[[]store.Added](t)(s.AddSites(ctx, list))
	}
	at := record.Locate(url(2))
	found := get[[]record.Site](t)(s.ListSites(t.Context(), store.SiteQuery{Limit: 10, At: record.Location{Host: at.Host, Page: at.Page}}))
	if len(found) != 1 || found[0].ID != added[1].Site.ID {
		t.Errorf("found %+v", found)
	}
}

func addedBounded(t *testing.T, db Database) {
	s := db.Open(t, true)
	_, err := s.AddSites(t.Context(), variedSites(store.MaxAdded+1))
	wantKind(t, err, fault.Invalid)
	if added, err := s.AddSites(t.Context(), nil); len(added) != 0 || err != nil {
		t.Errorf("of none: %v, %v", added, err)
	}
}
