package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func blogTests() []test {
	return []test{
		{"settings of a blog are read as they were written, and are on record", blogSettingsKept},
		{"a refused edit of a blog's settings changes nothing, and one that changes nothing is not on record", blogSettingsRefused},
		{"settings of a blog go with its last site", blogSettingsForgotten},
		{"edits of a blog's settings at once lose nothing", blogSettingsRaced},
		{"the past of a site has its outages since a time, and when it was watched", pastsRead},
		{"the past of a site goes with it", pastsForgotten},
		{"what WordPress.com deletes has no past after a sweep", pastsSwept},
	}
}

func toldOfBlog(before, after record.BlogSettings) record.Audit {
	return record.Audit{At: noon(), Caller: "somebody", Method: "edit", Resource: "blogs/7", Before: fmt.Sprint(len(before.Emails)), After: fmt.Sprint(len(after.Emails))}
}

func blogSettingsKept(t *testing.T, db Database) {
	s := db.Open(t, true)
	wantEqual(t, get[record.BlogSettings](t)(s.BlogSettings(t.Context(), 7)), record.BlogSettings{})
	yes, no, minutes := true, false, uint32(15)
	want := record.BlogSettings{
		Notes: &yes, Mails: &no, DeferMinutes: &minutes, Webhooks: map[string]string{"http://a.example/ü": "https://hook.example/?a=b&c='"},
		Emails: []record.Email{{Name: "Zoë 🦆", Address: "z@example.com", Verified: true}}, Phones: []record.Phone{{Full: "+15555550123", Country: "US"}},
	}
	for _, after := range []record.BlogSettings{want, {}, want} {
		stored, err := s.EditBlogSettings(t.Context(), 7, func(record.BlogSettings) (record.BlogSettings, error) { return after, nil }, toldOfBlog)
		must(t, err)
		wantEqual(t, stored, after)
		wantEqual(t, get[record.BlogSettings](t)(db.Open(t, false).BlogSettings(t.Context(), 7)), after)
	}
	wantEqual(t, get[record.BlogSettings](t)(s.BlogSettings(t.Context(), 8)), record.BlogSettings{})
	records := trail(t, s, store.AuditQuery{Limit: 10, Resource: "blogs/7"})
	var seen []string
	for _, a := range records {
		seen = append(seen, a.Before+a.After)
	}
	wantEqual(t, seen, []string{"01", "10", "01"})
}

func blogSettingsRefused(t *testing.T, db Database) {
	s := db.Open(t, true)
	refusal := errors.New("no")
	_, err := s.EditBlogSettings(t.Context(), 7, func(b record.BlogSettings) (record.BlogSettings, error) {
		return record.BlogSettings{Emails: []record.Email{{Address: "a@b.example"}}}, refusal
	}, toldOfBlog)
	if !errors.Is(err, refusal) || err.Error() != "no" {
		t.Errorf("error %v, want the edit's own", err)
	}
	for range 2 {
		_, err = s.EditBlogSettings(t.Context(), 7, func(b record.BlogSettings) (record.BlogSettings, error) { return b, nil }, toldOfBlog)
		must(t, err)
	}
	wantEqual(t, get[record.BlogSettings](t)(s.BlogSettings(t.Context(), 7)), record.BlogSettings{})
	wantEqual(t, len(trail(t, s, store.AuditQuery{Limit: 10})), 0)
}

func blogSettingsForgotten(t *testing.T, db Database) {
	s := db.Open(t, true)
	first := get[record.Site](t)(s.CreateSite(t.Context(), aSite("http://a.example/")))
	last := get[record.Site](t)(s.CreateSite(t.Context(), aSite("http://b.example/")))
	no := false
	for _, blog := range []check.BlogID{first.BlogID, first.BlogID + 1} {
		_, err := s.EditBlogSettings(t.Context(), blog, func(record.BlogSettings) (record.BlogSettings, error) { return record.BlogSettings{Mails: &no}, nil }, toldOfBlog)
		must(t, err)
	}
	kept := func() (n int64) { return db.Int(t, "SELECT COUNT(*) FROM jetmon_blog_settings") }
	must(t, s.DeleteSite(t.Context(), first.ID, noon(), nil))
	wantEqual(t, kept(), int64(2))
	must(t, s.DeleteSite(t.Context(), last.ID, noon(), nil))
	wantEqual(t, kept(), int64(1))
	wantEqual(t, get[record.BlogSettings](t)(s.BlogSettings(t.Context(), first.BlogID)), record.BlogSettings{})
}

func blogSettingsRaced(t *testing.T, db Database) {
	const writers = 8
	stores := []store.Store{db.Open(t, true), db.Open(t, true)}
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			_, err := stores[i%2].EditBlogSettings(t.Context(), 7, func(b record.BlogSettings) (record.BlogSettings, error) {
				b.Emails = append(slices.Clone(b.Emails), record.Email{Address: fmt.Sprintf("%d@example.com", i)})
				return b, nil
			}, toldOfBlog)
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := get[record.BlogSettings](t)(stores[0].BlogSettings(t.Context(), 7)); len(got.Emails) != writers {
		t.Errorf("%d of %d edits are left: %v", len(got.Emails), writers, got.Emails)
	}
}

// pasts reads the past of some sites, each of which must come once.
func pasts(t testing.TB, s store.Store, since time.Time, ids ...check.SiteID) map[check.SiteID]record.Past {
	t.Helper()
	all := map[check.SiteID]record.Past{}
	must(t, s.Pasts(t.Context(), ids, since, func(p record.Past) {
		if _, twice := all[p.SiteID]; twice {
			t.Errorf("site %d comes twice", p.SiteID)
		}
		all[p.SiteID] = p
	}))
	return all
}

func pastsRead(t *testing.T, db Database) {
	s := db.Open(t, true)
	began := time.Now().Add(-time.Second)
	var ids []check.SiteID
	for i := range 3 {
		site := aSite(fmt.Sprintf("http://%d.example/", i))
		site.Paused = i == 2
		ids = append(ids, get[record.Site](t)(s.CreateSite(t.Context(), site)).ID)
	}
	imported := get[[]store.Added](t)(s.AddSites(t.Context(), []record.Site{aSite("http://x.example/"), {BlogID: 42, Bucket: 7, URL: "http://y.example/", Interval: time.Minute, Paused: true}}))
	db.Exec(t, "INSERT INTO jetpack_monitor_sites (blog_id, bucket_no, monitor_url) VALUES (42, 7, 'http://theirs.example/')")
	theirs := check.SiteID(db.Int(t, "SELECT MAX(jetpack_monitor_site_id) FROM jetpack_monitor_sites"))
	later := func(hours int) time.Time {
		return began.Add(time.Duration(hours) * time.Hour).Truncate(time.Millisecond).UTC()
	}
	pause := func(id check.SiteID, at time.Time, paused bool) { pauseAt(t, s, id, at, paused) }
	for i, hour := range []int{1, 2, 2, 2, 3} {
		pause(ids[0], later(hour), i%2 == 0)
	}
	pause(ids[2], later(4), false)
	pause(theirs, later(5), true)
	outage := func(site check.SiteID, start, end int, open bool) {
		until := later(end)
		if open {
			until = time.Time{}
		}
		pastOutage(t, db, site, later(start), until)
	}
	outage(ids[1], 1, 2, false)
	outage(ids[1], 3, 5, false)
	outage(ids[1], 6, 0, true)
	outage(theirs, 7, 0, true)

	got := pasts(t, s, later(2), append(slices.Clone(ids), theirs, 1<<40, imported[0].Site.ID, imported[1].Site.ID)...)
	if w := got[imported[0].Site.ID].Watched; len(w) != 1 || !w[0].End.IsZero() || w[0].Start.Before(began) {
		t.Errorf("an imported site was watched %v", w)
	}
	if len(got) != 5 {
		t.Errorf("%d sites have a past: %v", len(got), got)
	}
	first := got[ids[0]].Watched
	if len(first) != 2 || first[0].Start.Before(began) || first[0].Start.After(time.Now()) {
		t.Fatalf("the first site was watched %v", first)
	}
	wantEqual(t, first, []uptime.Span{{Start: first[0].Start, End: later(1)}, {Start: later(2), End: later(3)}})
	if w := got[ids[1]].Watched; len(w) != 1 || !w[0].End.IsZero() {
		t.Errorf("the second site was watched %v", w)
	}
	past := func(start, end time.Time) record.PastOutage {
		return record.PastOutage{URL: "http://1.example/", Outage: uptime.Outage{Start: start, Confirmed: start.Add(40 * time.Second), End: end, PausedFor: 90 * time.Second}}
	}
	outages := got[ids[1]].Outages
	slices.SortFunc(outages, func(a, b record.PastOutage) int { return a.Start.Compare(b.Start) })
	wantEqual(t, outages, []record.PastOutage{past(later(3), later(5)), past(later(6), time.Time{})})
	wantEqual(t, got[ids[2]], record.Past{SiteID: ids[2], Watched: []uptime.Span{{Start: later(4)}}})
	wantEqual(t, got[theirs], record.Past{SiteID: theirs, Watched: []uptime.Span{{End: later(5)}}, Outages: []record.PastOutage{past(later(7), time.Time{})}})
	wantKind(t, s.Pasts(t.Context(), make([]check.SiteID, store.MaxPasts+1), noon(), func(record.Past) {}), fault.Invalid)
	wantEqual(t, len(pasts(t, s, noon())), 0)
}

func pauseAt(t testing.TB, s store.Store, id check.SiteID, at time.Time, paused bool) {
	t.Helper()
	_, err := s.UpdateSite(t.Context(), id, at, func(row record.Site) (record.Site, error) {
		row.Paused = paused
		return row, nil
	})
	must(t, err)
}

// pastOutage adds an outage that was paused for 90 s; a zero end is open.
func pastOutage(t testing.TB, db Database, site check.SiteID, start, end time.Time) {
	t.Helper()
	until, openSite := int64(0), any(site)
	if !end.IsZero() {
		until, openSite = end.UnixMilli(), nil
	}
	db.Exec(t, `INSERT INTO jetmon_outages (site_id, open_site, blog_id, bucket, url, status, status_ms, start_ms, confirmed_ms, end_ms,
	failure, reason, http_status, rule_voters, rule_need, rule_regions, round, relapses, suspended_ms, paused_ms)
	VALUES (?, ?, 42, 7, 'http://1.example/', 0, 0, ?, ?, ?, 0, '', 0, 0, 0, 0, 0, 0, 0, 90000)`, site, openSite, start.UnixMilli(), start.UnixMilli()+40_000, until)
}

func pastsForgotten(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := get[record.Site](t)(s.CreateSite(t.Context(), aSite("http://a.example/")))
	must(t, s.DeleteSite(t.Context(), site.ID, time.Now(), nil))
	if p := pasts(t, s, noon(), site.ID); len(p) != 0 {
		t.Errorf("a deleted site has the past %v", p)
	}
}

func pastsSwept(t *testing.T, db Database) {
	s := db.Open(t, true)
	gone := get[record.Site](t)(s.CreateSite(t.Context(), aSite("http://a.example/")))
	stays := get[record.Site](t)(s.CreateSite(t.Context(), aSite("http://b.example/")))
	db.Exec(t, "DELETE FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", gone.ID)
	must(t, s.IndexHosts(t.Context(), record.Span{First: 1, Last: 1 << 40}, nil, true))
	if p := pasts(t, s, noon(), gone.ID, stays.ID); len(p) != 1 || len(p[stays.ID].Watched) != 1 {
		t.Error(cmp.Diff(nil, p))
	}
}
