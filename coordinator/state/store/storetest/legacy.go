package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func legacyTests() []test {
	return []test{
		{"odd rows of WordPress.com are readable", oddRows},
		{"changes by WordPress.com are visible", foreignChanges},
		{"a commit writes status and whole seconds to the legacy row", commitWritesRow},
		{"without legacy writes the legacy table is only read", onlyRead},
		{"without legacy writes a site has the row's status until we have changed it", ownStatus},
		{"a site that v1 called down can be closed, with no outage", closeForeign},
		{"a status that v1 does not have counts as running", oddStatusIsRunning},
		{"our open outage outweighs a status that was reset behind our back", outageOutweighs},
	}
}

func oddRows(t *testing.T, db Database) {
	s := db.Open(t, true)
	long := "http://" + strings.Repeat("x", 293)
	const insert = `INSERT INTO jetpack_monitor_sites
	(blog_id, bucket_no, monitor_url, monitor_active, site_status, last_status_change, check_interval) VALUES (?, ?, ?, ?, ?, ?, ?)`
	db.Exec(t, insert, 1, 600, "no-scheme.example.com", 1, 7, nil, 0)
	db.Exec(t, insert, 0, 0, long, 0, 2, "2026-05-13 12:00:00", 255)
	db.Exec(t, insert, 2, 1, " javascript:alert(1)\n'\"", 3, 255, "1999-12-31 23:59:59", 7)
	db.Exec(t, insert, 3, 1, "", 1, 0, "2026-05-13 12:00:00", 1)
	got := get[[]record.Site](t)(s.ListSites(t.Context(), store.SiteQuery{Limit: 100}))
	if len(got) != 4 {
		t.Fatalf("%d sites of 4", len(got))
	}
	for i, want := range []record.Site{
		{BlogID: 1, Bucket: 600, URL: "no-scheme.example.com", Status: check.StatusRunning, Interval: 5 * time.Minute},
		{URL: long, Paused: true, Status: check.StatusConfirmedDown, StatusSince: noon(), Interval: 255 * time.Minute,
			Ours: &record.Verdict{Status: check.StatusRunning}},
		{BlogID: 2, Bucket: 1, URL: " javascript:alert(1)\n'\"", Paused: true, Status: check.StatusRunning,
			StatusSince: time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC), Interval: 7 * time.Minute},
		{BlogID: 3, Bucket: 1, Status: check.StatusDown, StatusSince: noon(), Interval: time.Minute, Ours: &record.Verdict{Status: check.StatusRunning}},
	} {
		want.ID = got[i].ID
		wantEqual(t, got[i], want)
		wantEqual(t, get[record.Site](t)(s.Site(t.Context(), want.ID)), want)
	}
}

func foreignChanges(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(1)))
	db.Exec(t, `UPDATE jetpack_monitor_sites SET monitor_url = ?, bucket_no = 8, check_interval = 9, monitor_active = 0
	WHERE jetpack_monitor_site_id = ?`, url(2), site.ID)
	site.URL, site.Bucket, site.Interval, site.Paused = url(2), 8, 9*time.Minute, true
	wantEqual(t, get[record.Site](t)(s.Site(t.Context(), site.ID)), site)
	db.Exec(t, "DELETE FROM jetpack_monitor_sites")
	_, err := s.Site(t.Context(), site.ID)
	wantKind(t, err, fault.NotFound)
}

func commitWritesRow(t *testing.T, db Database) {
	s := db.Open(t, true)
	site, other := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	fence := own(t, s, "a", 7)
	for i, c := range []record.Change{
		opening(site, "k0"), confirming(site, "k1"), closing(site, check.StatusConfirmedDown, "k2"),
		opening(site, "k3"), closing(site, check.StatusDown, "k4"),
	} {
		c.At = after(time.Duration(i)*time.Minute + 789*time.Millisecond)
		get[record.Committed](t)(Commit(t.Context(), s, fence, c))
		row := db.Int(t, "SELECT site_status FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", site.ID)
		if row != int64(c.To) {
			t.Errorf("site_status %d after a change to %d", row, c.To)
		}
		if n := db.Int(t, `SELECT COUNT(*) FROM jetpack_monitor_sites
	WHERE jetpack_monitor_site_id = ? AND last_status_change = ?`, site.ID,
			c.At.Truncate(time.Second).Format("2006-01-02 15:04:05")); n != 1 {
			t.Errorf("last_status_change is not %v in UTC", c.At)
		}
		got := get[record.Site](t)(s.Site(t.Context(), site.ID))
		since := c.At.Truncate(time.Second)
		if c.To != check.StatusRunning {
			since = c.At // our outage knows it better
		}
		if got.Status != c.To || !got.StatusSince.Equal(since) {
			t.Errorf("status %d since %v, want %d since %v", got.Status, got.StatusSince, c.To, since)
		}
	}
	wantEqual(t, get[record.Site](t)(s.Site(t.Context(), other.ID)), other)
}

// dump is the legacy row in numbers.
func dump(t testing.TB, db Database, id check.SiteID) []int64 {
	t.Helper()
	var row []int64
	for _, column := range []string{"site_status", "monitor_active", "check_interval", "last_status_change IS NULL"} {
		row = append(row, db.Int(t, "SELECT "+column+" FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", id))
	}
	return row
}

func onlyRead(t *testing.T, db Database) {
	s := db.Open(t, false)
	site := create(t, s, aSite(url(1)))
	db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = 7 WHERE jetpack_monitor_site_id = ?", site.ID)
	before := dump(t, db, site.ID)
	fence := own(t, s, "a", 7)
	for _, c := range []record.Change{opening(site, "k0"), confirming(site, "k1"), closing(site, check.StatusConfirmedDown, "k2")} {
		get[record.Committed](t)(Commit(t.Context(), s, fence, c))
		if now := dump(t, db, site.ID); !cmp.Equal(before, now) {
			t.Fatalf("the legacy row was %v and is %v", before, now)
		}
	}
	if got := keysOf(due(t, s, after(24*time.Hour), 1)); got != "k0" {
		t.Errorf("notifications begin with %q; they do not depend on legacy writes", got)
	}
	db.Exec(t, "UPDATE jetpack_monitor_sites SET monitor_active = 0 WHERE jetpack_monitor_site_id = ?", site.ID)
	_, err := Commit(t.Context(), s, fence, opening(site, "k3"))
	wantKind(t, err, fault.Conflict)
}

func ownStatus(t *testing.T, db Database) {
	s := db.Open(t, false)
	site := create(t, s, aSite(url(1)))
	fence := own(t, s, "a", 7)
	read := func() record.Site { return get[record.Site](t)(s.Site(t.Context(), site.ID)) }
	for _, status := range []check.Status{check.StatusConfirmedDown, check.StatusRunning, check.StatusDown} {
		db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = ? WHERE jetpack_monitor_site_id = ?", int(status), site.ID)
		if got := read(); got.Status != status || !got.StatusSince.IsZero() {
			t.Errorf("status %d since %v, want %d since never", got.Status, got.StatusSince, status)
		}
	}
	_, err := Commit(t.Context(), s, fence, opening(site, "k0"))
	wantKind(t, err, fault.Conflict)
	foreign := get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, "k1")))
	if got := read(); got.Status != check.StatusRunning || !got.StatusSince.Equal(after(2*time.Hour)) || foreign.OutageID != 0 {
		t.Errorf("got %+v after the recovery of a site that somebody else called down", got)
	}
	_, err = Commit(t.Context(), s, fence, closing(site, check.StatusDown, "k2"))
	wantKind(t, err, fault.Conflict)
	first := get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k3")))
	if got := read(); got.Status != check.StatusDown || !got.StatusSince.Equal(after(time.Minute)) || got.OutageID != first.OutageID {
		t.Errorf("got %+v after opening", got)
	}
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, "k4")))
	if got := read(); got.Status != check.StatusRunning || !got.StatusSince.Equal(after(2*time.Hour)) || got.OutageID != 0 {
		t.Errorf("got %+v after closing", got)
	}
}

func closeForeign(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	for i, from := range []check.Status{check.StatusDown, check.StatusConfirmedDown} {
		site := create(t, s, aSite(url(i)))
		db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = ? WHERE jetpack_monitor_site_id = ?", int(from), site.ID)
		_, err := Commit(t.Context(), s, fence, opening(site, "open"))
		wantKind(t, err, fault.Conflict)
		if from == check.StatusDown {
			done := get[record.Committed](t)(Commit(t.Context(), s, fence, confirming(site, "confirm")))
			if done.OutageID != 0 || done.TransitionID == 0 {
				t.Errorf("confirmed as %+v", done)
			}
			from = check.StatusConfirmedDown
		}
		c := closing(site, from, "close"+url(i))
		done := get[record.Committed](t)(Commit(t.Context(), s, fence, c))
		if done.OutageID != 0 || done.TransitionID == 0 {
			t.Errorf("closed as %+v", done)
		}
		wantEqual(t, get[record.Committed](t)(Commit(t.Context(), s, fence, c)), done)
		if got := get[record.Site](t)(s.Site(t.Context(), site.ID)); got.Status != check.StatusRunning {
			t.Errorf("status %d after closing", got.Status)
		}
	}
	if n := len(get[[]record.Outage](t)(s.ListOutages(t.Context(), store.OutageQuery{Limit: 10}))); n != 0 {
		t.Errorf("%d outages", n)
	}
}

func oddStatusIsRunning(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(1)))
	db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = 7 WHERE jetpack_monitor_site_id = ?", site.ID)
	get[record.Committed](t)(Commit(t.Context(), s, own(t, s, "a", 7), opening(site, "k")))
	if got := get[record.Site](t)(s.Site(t.Context(), site.ID)); got.Status != check.StatusDown {
		t.Errorf("status %d", got.Status)
	}
}

func outageOutweighs(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(1)))
	fence := own(t, s, "a", 7)
	opened := get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k1")))
	db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = 1 WHERE jetpack_monitor_site_id = ?", site.ID)
	if got := get[record.Site](t)(s.Site(t.Context(), site.ID)); got.Status != check.StatusDown || got.OutageID != opened.OutageID {
		t.Fatalf("status %d, outage %d", got.Status, got.OutageID)
	}
	_, err := Commit(t.Context(), s, fence, opening(site, "k2"))
	wantKind(t, err, fault.Conflict)
	get[record.Committed](t)(Commit(t.Context(), s, fence, confirming(site, "k3")))
	closed := get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusConfirmedDown, "k4")))
	if closed.OutageID != opened.OutageID {
		t.Errorf("closed outage %d, want %d", closed.OutageID, opened.OutageID)
	}
}
