package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

func takeoverTests() []test {
	return []test{
		{"rows of v1 continue as v1 would have continued them", func(t *testing.T, db Database) { takeOver(t, db, true) }},
		{"rows of v1 continue so without legacy writes too", func(t *testing.T, db Database) { takeOver(t, db, false) }},
		{"without legacy writes our newest change outweighs a lagging row", laggingRow},
		{"the last reported status survives retention", toldOutlivesHistory},
		{"the reported status of a deleted site does not apply to another with its id", reusedID},
		{"the reported status survives switching legacy writes off and on", switchedWrites},
		{"an open outage outweighs the row, whoever writes it", outageOutweighsRow},
	}
}

// notification is what WordPress.com receives: a status, and when the one before it began.
type notification struct {
	To    check.Status
	Since time.Time
}

// legacyRow is a row as v1 left it, at noon; changed is NULL when it is zero.
type legacyRow struct {
	status  check.Status
	changed time.Time
}

func insertRow(t testing.TB, db Database, url string, r legacyRow) {
	t.Helper()
	var changed any
	if !r.changed.IsZero() {
		changed = r.changed.Format("2006-01-02 15:04:05")
	}
	db.Exec(t, `INSERT INTO jetpack_monitor_sites (blog_id, bucket_no, monitor_url, site_status, last_status_change)
	VALUES (42, 7, ?, ?, ?)`, url, int(r.status), changed)
}

// siteOf finds the site with a URL.
func siteOf(t testing.TB, s store.Store, url string) record.Site {
	t.Helper()
	for _, site := range get[[]record.Site](t)(s.ListSites(t.Context(), store.SiteQuery{Limit: 1000})) {
		if site.URL == url {
			return site
		}
	}
	t.Fatalf("there is no %s", url)
	return record.Site{}
}

// v1 is what v1 tells about a row in two hours of checks, one in five minutes: its rules
// are from old and up or not up to new, and what is not new is silent.
func v1(r legacyRow, up bool) (told []notification) {
	for at := noon(); at.Before(after(2 * time.Hour)); at = at.Add(5 * time.Minute) {
		to := r.status
		switch {
		case up:
			to = check.StatusRunning
		case r.status == check.StatusRunning:
			to = check.StatusDown // local checks and verifliers agree
		case r.status == check.StatusDown && !at.Before(r.changed.Add(59*time.Minute)):
			to = check.StatusConfirmedDown
		}
		if to != r.status {
			told = append(told, notification{to, r.changed})
			r = legacyRow{to, at}
		}
	}
	return told
}

// takeOver plays two hours of checks for a row of each kind. After each change the site is
// read again, as by the next process.
func takeOver(t *testing.T, db Database, legacyWrites bool) {
	s := db.Open(t, legacyWrites)
	fence := own(t, s, "a", 7)
	for _, status := range []check.Status{check.StatusDown, check.StatusRunning, check.StatusConfirmedDown} {
		for since, changed := range map[string]time.Time{
			"never": {}, "half an hour ago": after(-30 * time.Minute), "long ago": after(-72 * time.Hour),
		} {
			for _, up := range []bool{true, false} {
				name := fmt.Sprintf("https://%d-%t.example.com/%s", status, up, since)
				row := legacyRow{status, changed}
				insertRow(t, db, name, row)
				site := siteOf(t, s, name)
				if site.Status != status || !site.StatusSince.Equal(changed) {
					t.Errorf("%s: status %d since %v", name, site.Status, site.StatusSince)
				}
				told := twoHours(t, s, fence, site.ID, up)
				want := v1(row, up)
				if len(told) != len(want) {
					t.Errorf("%s: told %v, v1 tells %v", name, told, want)
					continue
				}
				for i := range want {
					if told[i].To != want[i].To || i == 0 && !told[i].Since.Equal(want[i].Since) {
						t.Errorf("%s: told %v, v1 tells %v", name, told, want)
					}
					if i > 0 && told[i].Since.Before(noon()) {
						t.Errorf("%s: told %v, the second change does not follow the first", name, told)
					}
				}
			}
		}
	}
}

// twoHours checks a site every five minutes for two hours, and commits the changes that
// lifecycle decides.
func twoHours(t testing.TB, s store.Store, fence shard.Fence, id check.SiteID, up bool) (told []notification) {
	t.Helper()
	policy := lifecycle.DefaultPolicy()
	read := func() (record.Site, lifecycle.State) {
		site := get[record.Site](t)(s.Site(t.Context(), id))
		return site, lifecycle.Initial(site.Status, site.StatusSince, site.Paused)
	}
	site, state := read()
	for minute := 0; minute < 120; minute += 5 {
		for n, node := range []string{"x", "y", "x"} {
			at := after(time.Duration(minute)*time.Minute + time.Duration(n)*20*time.Second)
			outcome := check.OutcomeDown
			if up {
				outcome = check.OutcomeUp
			}
			events := []lifecycle.Event{lifecycle.Observed{At: at, Node: node, Outcome: outcome}}
			for len(events) > 0 {
				next, effects := lifecycle.Step(state, events[0], policy)
				state, events = next, events[1:]
				for _, e := range effects {
					switch e := e.(type) {
					case lifecycle.Verify:
						events = append(events, lifecycle.Decided{At: at, Ballot: e.Ballot, Verdict: quorum.Confirmed})
					case lifecycle.Change:
						c := change(site, e.From, e.To, fmt.Sprintf("%d-%d-%d%d", site.ID, minute, e.From, e.To))
						c.Since, c.At = site.StatusSince, e.At
						get[record.Committed](t)(Commit(t.Context(), s, fence, c))
						told = append(told, deliverOf(t, s, id)...)
						site, state = read()
					}
				}
			}
		}
	}
	return told
}

// deliverOf delivers the notifications of a site.
func deliverOf(t testing.TB, s store.Store, id check.SiteID) (told []notification) {
	t.Helper()
	for {
		found := false
		for _, n := range due(t, s, after(24*time.Hour), 1000) {
			if n.Change.SiteID == id {
				found = true
				told = append(told, notification{n.Change.To, n.Change.Since})
				must(t, Accept(t.Context(), s, n, after(24*time.Hour)))
			}
		}
		if !found {
			return told
		}
	}
}

// wantStanding reads a site again and compares its status.
func wantStanding(t testing.TB, s store.Store, id check.SiteID, status check.Status, since time.Time) record.Site {
	t.Helper()
	site := get[record.Site](t)(s.Site(t.Context(), id))
	if site.Status != status || !site.StatusSince.Equal(since) {
		t.Errorf("site %d has status %d since %v, want %d since %v", id, site.Status, site.StatusSince, status, since)
	}
	if scanned := scan(t, s, site.Bucket); len(scanned) == 1 {
		wantEqual(t, scanned[0], site)
	}
	return site
}

func laggingRow(t *testing.T, db Database) {
	s := db.Open(t, false)
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	lag := func(status int) {
		db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = ?, last_status_change = '2026-05-13 20:00:00'", status)
	}
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k1")))
	wantStanding(t, s, site.ID, check.StatusDown, after(time.Minute)) // the row says 1
	lag(0)
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, "k2")))
	for _, status := range []int{0, 1, 2, 7} {
		lag(status)
		wantStanding(t, s, site.ID, check.StatusRunning, after(2*time.Hour))
	}
	lag(2)
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k3")))
	wantStanding(t, s, site.ID, check.StatusDown, after(time.Minute))
}

func toldOutlivesHistory(t *testing.T, db Database) {
	s := db.Open(t, false)
	fence := own(t, s, "a", 7)
	insertRow(t, db, url(1), legacyRow{check.StatusDown, after(-time.Hour)})
	insertRow(t, db, url(2), legacyRow{check.StatusDown, after(-time.Hour)})
	foreign, ours := siteOf(t, s, url(1)), siteOf(t, s, url(2))
	get[record.Committed](t)(Commit(t.Context(), s, fence, confirming(foreign, "k1")))
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(ours, check.StatusDown, "k2")))
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(ours, "k3")))
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(ours, check.StatusDown, "k4")))
	deliverOf(t, s, ours.ID)
	deliverOf(t, s, foreign.ID)
	if n := expire(t, s, fence, store.Expiry{Ballots: after(1000 * time.Hour), Outages: after(1000 * time.Hour)}, 100); n != 1 {
		t.Errorf("%d expired, want the outage", n)
	}
	db.Exec(t, "DELETE FROM jetmon_transitions")
	wantStanding(t, s, foreign.ID, check.StatusConfirmedDown, after(time.Hour))
	wantStanding(t, s, ours.ID, check.StatusRunning, after(2*time.Hour))
}

func reusedID(t *testing.T, db Database) {
	for i, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		id := 1000 + i
		insert := func(blog int, status check.Status) {
			db.Exec(t, `INSERT INTO jetpack_monitor_sites (jetpack_monitor_site_id, blog_id, bucket_no, monitor_url, site_status, last_status_change)
	VALUES (?, ?, 7, ?, ?, NULL)`, id, blog, url(id), int(status))
		}
		insert(1, check.StatusDown)
		site := get[record.Site](t)(s.Site(t.Context(), check.SiteID(id)))
		get[record.Committed](t)(Commit(t.Context(), s, fence, confirming(site, fmt.Sprint(legacyWrites))))
		db.Exec(t, "DELETE FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", id) // as WordPress.com does
		insert(2, check.StatusRunning)
		wantStanding(t, s, site.ID, check.StatusRunning, time.Time{})
		must(t, s.DeleteSite(t.Context(), site.ID, noon(), nil))
		insert(1, check.StatusRunning)
		wantStanding(t, s, site.ID, check.StatusRunning, time.Time{})
	}
}

func switchedWrites(t *testing.T, db Database) {
	on, off := db.Open(t, true), db.Open(t, false)
	fence := own(t, on, "a", 7)
	insertRow(t, db, url(1), legacyRow{check.StatusDown, after(-time.Hour)})
	site := siteOf(t, on, url(1))
	at := after(2 * time.Hour)
	commit := func(s store.Store, c record.Change) {
		t.Helper()
		at = at.Add(time.Hour)
		c.At = at
		get[record.Committed](t)(Commit(t.Context(), s, fence, c))
	}
	// On: the row is ours, and right.
	commit(on, closing(site, check.StatusDown, "k1"))
	wantStanding(t, on, site.ID, check.StatusRunning, at)
	wantStanding(t, off, site.ID, check.StatusRunning, at)
	// Off: what we tell is not in the row, which WordPress.com has not written yet.
	commit(off, opening(site, "k2"))
	commit(off, closing(site, check.StatusDown, "k3"))
	db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = 0")
	wantStanding(t, off, site.ID, check.StatusRunning, at)
	// On again: the row still lags.
	wantStanding(t, on, site.ID, check.StatusRunning, at)
	commit(on, opening(site, "k4"))
	commit(on, closing(site, check.StatusDown, "k5"))
	if n := db.Int(t, "SELECT site_status FROM jetpack_monitor_sites"); n != 1 {
		t.Errorf("site_status %d", n)
	}
	// From now on the row is ours again, and an edit of it counts.
	db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = 2")
	wantStanding(t, on, site.ID, check.StatusConfirmedDown, at)
	wantStanding(t, off, site.ID, check.StatusRunning, at)
}

func outageOutweighsRow(t *testing.T, db Database) {
	for i, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		site := create(t, s, aSite(url(i)))
		opened := get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, fmt.Sprint("open", i))))
		for _, status := range []int{1, 2, 0} {
			db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = ?, last_status_change = NULL WHERE jetpack_monitor_site_id = ?", status, site.ID)
			got := get[record.Site](t)(s.Site(t.Context(), site.ID))
			if got.Status != check.StatusDown || got.OutageID != opened.OutageID || !got.StatusSince.Equal(after(time.Minute)) {
				t.Errorf("the row says %d: %+v", status, got)
			}
		}
		db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = 1")
		get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, fmt.Sprint("close", i))))
	}
}
