package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func changedTests() []test {
	return []test{
		{"a URL that is changed through the API ends the outage at once, and its status is inherited", changedByAPI},
		{"an open outage whose row gets another URL in the table is ended as changed", changedInTable},
		{"URLs that a collation takes for equal differ", changedByCase},
		{"a change about the earlier URL is a conflict", changedUnderChange},
		{"a change about the new URL ends the outage of the earlier one, and is told once", changedThenUp},
		{"a new outage keeps the inherited status, and WordPress.com is not told again", changedThenDown},
		{"a status is inherited while changes are muted, too", changedMuted},
		{"an outage whose URL changes while it closes ends once", raceChanged},
	}
}

// editURL is what WordPress.com does.
func editURL(t testing.TB, db Database, id check.SiteID, url string) {
	t.Helper()
	db.Exec(t, "UPDATE jetpack_monitor_sites SET monitor_url = ? WHERE jetpack_monitor_site_id = ?", url, id)
}

// patchURL is what a client of the API does.
func patchURL(t testing.TB, s store.Store, id check.SiteID, url string, at time.Time) record.Site {
	t.Helper()
	return get[record.Site](t)(s.UpdateSite(t.Context(), id, at, func(site record.Site) (record.Site, error) {
		site.URL = url
		return site, nil
	}))
}

// wantInherited reads a site in each way, and checks that it inherits its status.
func wantInherited(t testing.TB, s store.Store, id check.SiteID, status check.Status, since time.Time) record.Site {
	t.Helper()
	site := get[record.Site](t)(s.Site(t.Context(), id))
	if !site.Inherited || site.OutageID != 0 || site.Status != status || !site.StatusSince.Equal(since) {
		t.Errorf("the site is %+v, want status %d since %v inherited", site, status, since)
	}
	read := get[store.SpanRead](t)(s.ReadSpan(t.Context(), record.Span{First: id, Last: id}, map[shard.ID]store.Digest{shard.Of(site.Bucket): 0}))
	wantEqual(t, read.Sites, []record.Site{site})
	for _, first := range []check.BucketID{site.Bucket, 0} {
		last := first
		if first == 0 {
			last = check.Buckets - 1
		}
		must(t, s.ScanBuckets(t.Context(), first, last, func(rows []record.Site) error {
			for _, row := range rows {
				if row.ID == id {
					wantEqual(t, row, site)
				}
			}
			return nil
		}))
	}
	return site
}

func changedByAPI(t *testing.T, db Database) {
	for i, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		site := create(t, s, aSite(url(10*i)))
		id := goDown(t, s, fence, site)
		before := footprint(t, db)
		got := patchURL(t, s, site.ID, url(10*i+1), after(3*time.Hour))
		wantEnd(t, s, id, after(3*time.Hour), record.EndChanged)
		wantEqual(t, footprint(t, db), before) // nobody is told
		wantEqual(t, wantInherited(t, s, site.ID, check.StatusDown, after(time.Minute)), got)
		// Another change of the URL inherits the same status.
		patchURL(t, s, site.ID, url(10*i+2), after(4*time.Hour))
		wantInherited(t, s, site.ID, check.StatusDown, after(time.Minute))
		wantEnd(t, s, id, after(3*time.Hour), record.EndChanged)
		if o := get[record.Outage](t)(s.Outage(t.Context(), id)); o.URL != url(10*i) {
			t.Errorf("the outage is of %q", o.URL)
		}
		// Other edits end nothing.
		whole := create(t, s, aSite(url(10*i+3)))
		open := goDown(t, s, fence, whole)
		get[record.Site](t)(s.UpdateSite(t.Context(), whole.ID, noon(), func(site record.Site) (record.Site, error) {
			site.Interval = 7 * time.Minute
			return site, nil
		}))
		wantEnd(t, s, open, time.Time{}, record.EndNone)
	}
}

func changedInTable(t *testing.T, db Database) {
	for i, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		site, whole := create(t, s, aSite(url(10*i))), create(t, s, aSite(url(10*i+1)))
		id := goDown(t, s, fence, site)
		goDown(t, s, fence, whole)
		get[record.Committed](t)(Commit(t.Context(), s, fence, confirming(site, fmt.Sprint("two-", i))))
		since := get[record.Site](t)(s.Site(t.Context(), site.ID)).StatusSince
		editURL(t, db, site.ID, "https://other.example.com/")
		wantInherited(t, s, site.ID, check.StatusConfirmedDown, since) // before anybody has noticed, too
		before := footprint(t, db)
		wantEqual(t, orphans(t, s, allShards()...), []int64{id})
		if n := get[int](t)(s.EndOrphans(t.Context(), fence, []int64{id}, after(3*time.Hour))); n != 1 {
			t.Errorf("%d were ended, want 1", n)
		}
		wantEnd(t, s, id, after(3*time.Hour), record.EndChanged)
		wantEqual(t, footprint(t, db), before)
		wantInherited(t, s, site.ID, check.StatusConfirmedDown, since)
		wantEqual(t, len(orphans(t, s, allShards()...)), 0)
		must(t, s.DeleteSite(t.Context(), site.ID, noon(), nil))
	}
}

func changedByCase(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	for i, pair := range [][2]string{
		{"https://example.com/a", "https://example.com/A"}, {"https://example.com/é", "https://example.com/e"},
		{"https://example.com/b", "https://example.com/b "},
	} {
		site := create(t, s, aSite(pair[0]))
		id := goDown(t, s, fence, site)
		wantEqual(t, len(orphans(t, s, fence.Shard)), 0)
		editURL(t, db, site.ID, pair[1])
		wantInherited(t, s, site.ID, check.StatusDown, after(time.Minute))
		wantEqual(t, orphans(t, s, fence.Shard), []int64{id})
		get[int](t)(s.EndOrphans(t.Context(), fence, []int64{id}, after(time.Duration(i+2)*time.Hour)))
		wantEnd(t, s, id, after(time.Duration(i+2)*time.Hour), record.EndChanged)
	}
}

func changedUnderChange(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site, well := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	id := goDown(t, s, fence, site)
	editURL(t, db, site.ID, url(3))
	editURL(t, db, well.ID, url(4))
	before := footprint(t, db)
	for i, c := range []record.Change{closing(site, check.StatusDown, "up"), confirming(site, "two"), opening(well, "down")} {
		_, err := Commit(t.Context(), s, fence, c)
		if wantKind(t, err, fault.Conflict); i == 0 {
			wantEnd(t, s, id, time.Time{}, record.EndNone)
		}
	}
	wantEqual(t, footprint(t, db), before)
}

// moving is a site whose URL changes in the table while it is down.
type moving struct {
	store.Store
	fence   shard.Fence
	site    record.Site
	outage  int64
	noticed bool
	db      Database
	// n makes URLs and keys that no other case has.
	n int
}

// eachMove calls f with a site for each way of writing the legacy row, and of noticing the
// change: by EndOrphans, or only by the next commit.
func eachMove(t *testing.T, db Database, f func(m *moving)) {
	for i, legacyWrites := range []bool{true, false} {
		for j, noticed := range []bool{true, false} {
			m := &moving{Store: db.Open(t, legacyWrites), noticed: noticed, db: db, n: 10*i + 3*j}
			m.fence = own(t, m, "a", 7)
			m.site = create(t, m, aSite(url(m.n)))
			m.outage = goDown(t, m, m.fence, m.site)
			deliverOf(t, m, m.site.ID)
			f(m)
		}
	}
}

func (m *moving) key(k string) string { return fmt.Sprint(m.n, k) }

// move changes the URL.
func (m *moving) move(t *testing.T) {
	editURL(t, m.db, m.site.ID, url(m.n+1))
	if m.noticed {
		get[int](t)(m.EndOrphans(t.Context(), m.fence, []int64{m.outage}, after(time.Hour)))
	}
}

// adopting opens an outage of the status that a site inherits.
func adopting(site record.Site, key string) record.Change {
	c := opening(site, key)
	c.From, c.To, c.Since, c.At = site.Status, site.Status, site.StatusSince, after(5*time.Hour)
	return c
}

func changedThenUp(t *testing.T, db Database) {
	eachMove(t, db, func(m *moving) {
		m.move(t)
		moved := get[record.Site](t)(m.Site(t.Context(), m.site.ID))
		done := get[record.Committed](t)(Commit(t.Context(), m, m.fence, closing(moved, check.StatusDown, m.key("up"))))
		if done.OutageID != 0 {
			t.Errorf("it closed outage %d", done.OutageID)
		}
		end := after(2 * time.Hour) // of the change
		if m.noticed {
			end = after(time.Hour)
		}
		wantEnd(t, m, m.outage, end, record.EndChanged)
		if told := deliverOf(t, m, m.site.ID); len(told) != 1 || told[0].To != check.StatusRunning {
			t.Errorf("told %v", told)
		}
		if got := get[record.Site](t)(m.Site(t.Context(), m.site.ID)); got.Inherited || got.Status != check.StatusRunning {
			t.Errorf("the site is %+v", got)
		}
		_, err := Commit(t.Context(), m, m.fence, closing(moved, check.StatusDown, m.key("again")))
		wantKind(t, err, fault.Conflict)
	})
}

func changedThenDown(t *testing.T, db Database) {
	eachMove(t, db, func(m *moving) {
		_, err := Commit(t.Context(), m, m.fence, adopting(get[record.Site](t)(m.Site(t.Context(), m.site.ID)), m.key("early")))
		wantKind(t, err, fault.Conflict) // its outage is of this URL
		m.move(t)
		moved := wantInherited(t, m, m.site.ID, check.StatusDown, after(time.Minute))
		c := adopting(moved, m.key("down"))
		done := get[record.Committed](t)(Commit(t.Context(), m, m.fence, c))
		wantEqual(t, get[record.Committed](t)(Commit(t.Context(), m, m.fence, c)), done)
		if told := deliverOf(t, m, m.site.ID); len(told) != 0 {
			t.Errorf("told %v", told)
		}
		o := get[record.Outage](t)(m.Outage(t.Context(), done.OutageID))
		if o.ID == m.outage || o.URL != url(m.n+1) || o.Status != check.StatusDown || o.Ballot == nil || len(o.Checks) == 0 || !o.Confirmed.Equal(c.At) {
			t.Errorf("the new outage is %+v", o)
		}
		got := get[record.Site](t)(m.Site(t.Context(), m.site.ID))
		if got.Inherited || got.OutageID != done.OutageID || got.Status != check.StatusDown || !got.StatusSince.Equal(moved.StatusSince) {
			t.Errorf("the site is %+v", got)
		}
		two := confirming(got, m.key("two"))
		two.At = after(6 * time.Hour)
		get[record.Committed](t)(Commit(t.Context(), m, m.fence, two))
		up := closing(got, check.StatusConfirmedDown, m.key("up"))
		up.At = after(7 * time.Hour)
		get[record.Committed](t)(Commit(t.Context(), m, m.fence, up))
		wantEnd(t, m, done.OutageID, after(7*time.Hour), record.EndRecovered)
		wantEqual(t, get[record.Outage](t)(m.Outage(t.Context(), done.OutageID)).Ballot, o.Ballot)
	})
}

func changedMuted(t *testing.T, db Database) {
	for i, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		site := create(t, s, aSite(url(10*i)))
		get[record.Committed](t)(Commit(t.Context(), s, fence, muted(opening(site, fmt.Sprint("down", i)), time.Hour)))
		patchURL(t, s, site.ID, url(10*i+1), after(2*time.Hour))
		moved := wantInherited(t, s, site.ID, check.StatusDown, after(time.Hour))
		wantUntold(t, s, site.ID, &record.Known{Status: check.StatusRunning})
		c := adopting(moved, fmt.Sprint("new", i))
		c.Muted = true
		done := get[record.Committed](t)(Commit(t.Context(), s, fence, c))
		got := wantUntold(t, s, site.ID, &record.Known{Status: check.StatusRunning})
		if got.Inherited || got.OutageID != done.OutageID || got.Status != check.StatusDown {
			t.Errorf("the site is %+v", got)
		}
		wantCounts(t, s, 0, 1)
		// A coordinator that tells begins from what WordPress.com knows.
		told := opening(moved, fmt.Sprint("told", i))
		told.At = after(6 * time.Hour)
		get[record.Committed](t)(Commit(t.Context(), s, fence, told))
		if n := deliverOf(t, s, site.ID); len(n) != 1 {
			t.Errorf("told %v", n)
		}
		must(t, s.DeleteSite(t.Context(), site.ID, noon(), nil))
	}
}

func raceChanged(t *testing.T, db Database) {
	edited := raceEnd(t, db, record.EndChanged, func(s store.Store, site record.Site) error {
		_, err := s.UpdateSite(context.WithoutCancel(t.Context()), site.ID, after(3*time.Hour), func(x record.Site) (record.Site, error) {
			x.URL += "elsewhere"
			return x, nil
		})
		return err
	})
	for _, id := range edited {
		wantInherited(t, db.Open(t, true), id, check.StatusDown, after(time.Minute))
	}
}
