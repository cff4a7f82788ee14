package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func mutedTests() []test {
	return []test{
		{"a muted change is recorded without a notification", mutedIsRecorded},
		{"muted changes do not fill the outbox", mutedLeaveNoRows},
		{"a change that is not muted gets a notification whatever was muted before", mutedThenTold},
		{"while changes are muted, WordPress.com knows the last notification or the row", knownWhileMuted},
		{"WordPress.com knows a row that v1 writes while we are muted", rowBesideMuted},
		{"a row that v1 writes while its shard is muted outweighs the last notification", rowInMutedShard},
		{"with legacy writes WordPress.com knows the row as it was before our write", rowBeforeMuted},
		{"an unreported outage is reported without opening another", adoptOutage},
		{"an unreported outage ends without a notification", settleSilently},
		{"muting a change withdraws pending notifications, and the site is reported later in any case", mutedWithdraws},
		{"pending notifications of a shard are withdrawn in batches, by its owner only", withdrawShard},
		{"a notification of an older version is withdrawn, and its site reported later", withdrawOld},
		{"a notification that is delivered while it is withdrawn counts as delivered", deliveredWithdrawn},
		{"a group mixes muted changes and others", mutedGroup},
	}
}

// muted returns a muted change.
func muted(c record.Change, at time.Duration) record.Change {
	c.Muted, c.At = true, after(at)
	return c
}

// wantUntold reads a site by all ways and compares what WordPress.com knows.
func wantUntold(t testing.TB, s store.Store, id check.SiteID, want *record.Known) record.Site {
	t.Helper()
	site := get[record.Site](t)(s.Site(t.Context(), id))
	wantEqual(t, site.Untold, want)
	if !site.Paused {
		for _, scanned := range scan(t, s, site.Bucket) {
			if scanned.ID == id {
				wantEqual(t, scanned, site)
			}
		}
		for _, read := range get[store.SpanRead](t)(s.ReadSpan(t.Context(), everywhere, map[shard.ID]store.Digest{shard.Of(site.Bucket): 0})).Sites {
			if read.ID == id {
				wantEqual(t, read, site)
			}
		}
	}
	return site
}

func wantCounts(t testing.TB, s store.Store, notifications, untold int) {
	t.Helper()
	if n := get[int](t)(CountNotifications(t.Context(), s, allShards())); n != notifications {
		t.Errorf("%d notifications wait, want %d", n, notifications)
	}
	if n := get[int](t)(s.CountUntold(t.Context(), allShards())); n != untold {
		t.Errorf("%d sites are untold, want %d", n, untold)
	}
}

func mutedIsRecorded(t *testing.T, db Database) {
	for i, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		site := create(t, s, aSite(url(i)))
		c := muted(opening(site, fmt.Sprint("open", i)), time.Minute)
		done := get[record.Committed](t)(Commit(t.Context(), s, fence, c))
		wantEqual(t, get[record.Committed](t)(Commit(t.Context(), s, fence, c)), done) // its key is there
		if done.OutageID == 0 || done.TransitionID == 0 {
			t.Errorf("committed as %+v", done)
		}
		wantCounts(t, s, 0, 1)
		if o := get[record.Outage](t)(s.Outage(t.Context(), done.OutageID)); o.Ballot == nil || len(o.Checks) != 2 || o.Status != check.StatusDown {
			t.Errorf("the outage is %+v", o)
		}
		got := wantUntold(t, s, site.ID, &record.Known{Status: check.StatusRunning})
		if got.Status != check.StatusDown || got.OutageID != done.OutageID {
			t.Errorf("the site is %+v", got)
		}
		row := map[bool]int64{true: 0, false: 1}[legacyWrites]
		if n := db.Int(t, "SELECT site_status FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", site.ID); n != row {
			t.Errorf("site_status is %d, want %d", n, row)
		}
		if n := db.Int(t, "SELECT delivered_ms FROM jetmon_transitions WHERE id = ?", done.TransitionID); n != -1 {
			t.Errorf("delivered_ms is %d", n)
		}
		must(t, s.DeleteSite(t.Context(), site.ID, noon(), nil))
		wantCounts(t, s, 0, 0)
		_, err := Commit(t.Context(), s, fence, muted(opening(site, "gone"), time.Minute))
		wantKind(t, err, fault.Conflict)
	}
}

func mutedLeaveNoRows(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "before")))
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, "before2")))
	for n := range 100 {
		get[record.Committed](t)(Commit(t.Context(), s, fence, muted(opening(site, fmt.Sprint("o", n)), time.Hour)))
		get[record.Committed](t)(Commit(t.Context(), s, fence, muted(closing(site, check.StatusDown, fmt.Sprint("c", n)), time.Hour)))
	}
	wantCounts(t, s, 0, 1)
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_site_status"); n != 1 {
		t.Errorf("%d rows of statuses", n)
	}
}

func mutedThenTold(t *testing.T, db Database) {
	for i, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		site := create(t, s, aSite(url(i)))
		p := fmt.Sprint(legacyWrites)
		get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, p+"1")))
		deliverOf(t, s, site.ID)
		get[record.Committed](t)(Commit(t.Context(), s, fence, muted(closing(site, check.StatusDown, p+"2"), 2*time.Hour)))
		known := &record.Known{Status: check.StatusDown, Since: after(time.Minute)}
		wantUntold(t, s, site.ID, known)
		// A change begins from what WordPress.com knows.
		_, err := Commit(t.Context(), s, fence, opening(site, p+"3"))
		wantKind(t, err, fault.Conflict)
		c := closing(site, check.StatusDown, p+"4")
		c.At, c.Since = after(3*time.Hour), known.Since
		get[record.Committed](t)(Commit(t.Context(), s, fence, c))
		wantEqual(t, deliverOf(t, s, site.ID), []notification{{check.StatusRunning, known.Since}})
		if got := wantUntold(t, s, site.ID, nil); got.Status != check.StatusRunning || !got.StatusSince.Equal(after(3*time.Hour)) {
			t.Errorf("the site is %+v", got)
		}
		wantCounts(t, s, 0, 0)
	}
}

// knownWhileMuted takes sites through all that can be known and happen meanwhile.
func knownWhileMuted(t *testing.T, db Database) {
	for _, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		for i, tt := range []struct {
			row   legacyRow // of v1
			told  []check.Status
			muted []check.Status
			want  record.Known
		}{
			{legacyRow{1, time.Time{}}, nil, []check.Status{0}, record.Known{Status: 1}},
			{legacyRow{1, after(-time.Hour)}, nil, []check.Status{0, 1, 0}, record.Known{Status: 1, Since: after(-time.Hour)}},
			{legacyRow{0, after(-time.Hour)}, nil, []check.Status{1}, record.Known{Status: 0, Since: after(-time.Hour)}},
			{legacyRow{0, after(-time.Hour)}, nil, []check.Status{2, 1, 0}, record.Known{Status: 0, Since: after(-time.Hour)}},
			{legacyRow{2, time.Time{}}, nil, []check.Status{1, 0}, record.Known{Status: 2}},
			{legacyRow{1, after(-time.Hour)}, []check.Status{0}, []check.Status{1}, record.Known{Status: 0, Since: after(time.Hour)}},
			{legacyRow{1, after(-time.Hour)}, []check.Status{0, 1}, []check.Status{0, 2}, record.Known{Status: 1, Since: after(2 * time.Hour)}},
			{legacyRow{1, after(-time.Hour)}, []check.Status{0, 2}, []check.Status{1, 0}, record.Known{Status: 2, Since: after(2 * time.Hour)}},
		} {
			name := fmt.Sprintf("https://%t-%d.example.com/", legacyWrites, i)
			insertRow(t, db, name, tt.row)
			site := siteOf(t, s, name)
			hour, from := time.Duration(0), tt.row.status
			for n, to := range append(tt.told, tt.muted...) {
				hour++
				c := change(site, from, to, fmt.Sprint(legacyWrites, "-", i, "-", n))
				c.At, c.Muted = after(hour*time.Hour), n >= len(tt.told)
				get[record.Committed](t)(Commit(t.Context(), s, fence, c))
				deliverOf(t, s, site.ID)
				from = to
			}
			if got := wantUntold(t, s, site.ID, &tt.want); got.Status != from {
				t.Errorf("%s: on record is %d, want %d", name, got.Status, from)
			}
			differ := 1
			if from == tt.want.Status {
				differ = 0
			}
			wantCounts(t, s, 0, differ)
			// Switching legacy writes does not change what WordPress.com knows.
			wantUntold(t, db.Open(t, !legacyWrites), site.ID, &tt.want)
			must(t, s.DeleteSite(t.Context(), site.ID, noon(), nil))
		}
	}
}

func rowBesideMuted(t *testing.T, db Database) {
	s := db.Open(t, false)
	fence := own(t, s, "a", 7)
	insertRow(t, db, url(1), legacyRow{check.StatusRunning, after(-time.Hour)})
	insertRow(t, db, url(2), legacyRow{check.StatusRunning, after(-time.Hour)})
	never, once := siteOf(t, s, url(1)), siteOf(t, s, url(2))
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(once, "k0"))) // at 12:01
	deliverOf(t, s, once.ID)
	get[record.Committed](t)(Commit(t.Context(), s, fence, muted(closing(once, check.StatusDown, "k1"), time.Hour)))
	get[record.Committed](t)(Commit(t.Context(), s, fence, muted(opening(never, "k2"), time.Hour)))
	v1 := func(status int, changed string) {
		db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = ?, last_status_change = ?", status, changed)
	}
	// It writes from our own notification of 12:01, and later from those of v1.
	v1(0, "2026-05-13 12:01:01")
	wantUntold(t, s, once.ID, &record.Known{Status: check.StatusDown, Since: after(61 * time.Second)})
	for i, status := range []check.Status{0, 1, 2} {
		hour := 13 + i
		v1(int(status), fmt.Sprintf("2026-05-13 %d:00:00", hour))
		known := &record.Known{Status: status, Since: time.Date(2026, 5, 13, hour, 0, 0, 0, time.UTC)}
		wantUntold(t, s, never.ID, known)
		wantUntold(t, s, once.ID, known)
	}
	// A row that is older than our last notification does not count.
	v1(1, "2026-05-13 12:00:00")
	wantUntold(t, s, once.ID, &record.Known{Status: check.StatusDown, Since: after(time.Minute)})
	wantUntold(t, s, never.ID, &record.Known{Status: check.StatusRunning, Since: noon()})
	// With legacy writes the next muted change overwrites the row, of which it takes note.
	on := db.Open(t, true)
	get[record.Committed](t)(Commit(t.Context(), on, fence, muted(closing(never, check.StatusDown, "k3"), 3*time.Hour)))
	wantUntold(t, on, never.ID, &record.Known{Status: check.StatusRunning, Since: noon()})
	wantUntold(t, s, never.ID, &record.Known{Status: check.StatusRunning, Since: noon()})
}

func rowInMutedShard(t *testing.T, db Database) {
	s := db.Open(t, false)
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k1"))) // at 12:01
	deliverOf(t, s, site.ID)
	v1 := func(status int, changed string) {
		db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = ?, last_status_change = ?", status, changed)
	}
	v1(1, "2026-05-13 12:30:00")
	wantUntold(t, s, site.ID, nil) // perhaps WordPress.com was slow
	get[int](t)(s.Mute(t.Context(), fence, 10))
	known := &record.Known{Status: check.StatusRunning, Since: after(30 * time.Minute)}
	if got := wantUntold(t, s, site.ID, known); got.Status != check.StatusDown || got.OutageID == 0 {
		t.Errorf("on record is %+v", got)
	}
	wantCounts(t, s, 0, 0) // nothing of ours is untold
	v1(0, "2026-05-13 12:00:00")
	wantUntold(t, s, site.ID, &record.Known{Status: check.StatusDown, Since: after(time.Minute)})
	v1(1, "2026-05-13 12:30:00")
	// The outage that v1 has ended ends here too, without a notification.
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, "k2")))
	wantCounts(t, s, 0, 0)
	if got := wantUntold(t, s, site.ID, nil); got.Status != check.StatusRunning || got.OutageID != 0 {
		t.Errorf("on record is %+v", got)
	}
	// With legacy writes, rows that others write count, muted or not.
	on := db.Open(t, true)
	get[record.Committed](t)(Commit(t.Context(), on, fence, opening(site, "k3")))
	get[record.Committed](t)(Commit(t.Context(), on, fence, closing(site, check.StatusDown, "k4")))
	deliverOf(t, on, site.ID)
	get[int](t)(on.Mute(t.Context(), fence, 10))
	v1(2, "2026-05-13 11:00:00")
	wantUntold(t, on, site.ID, &record.Known{Status: check.StatusConfirmedDown, Since: after(-time.Hour)})
}

func rowBeforeMuted(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	insertRow(t, db, url(1), legacyRow{check.StatusConfirmedDown, after(-time.Hour)})
	site := siteOf(t, s, url(1))
	get[record.Committed](t)(Commit(t.Context(), s, fence, muted(closing(site, check.StatusConfirmedDown, "k1"), time.Hour)))
	known := &record.Known{Status: check.StatusConfirmedDown, Since: after(-time.Hour)}
	if got := wantUntold(t, s, site.ID, known); got.Status != check.StatusRunning || !got.StatusSince.Equal(after(time.Hour)) {
		t.Errorf("the site is %+v", got)
	}
	get[record.Committed](t)(Commit(t.Context(), s, fence, muted(opening(site, "k2"), 2*time.Hour)))
	wantUntold(t, s, site.ID, known)
	// When notifications resume, the next change begins from what is known, not from the row.
	c := closing(site, check.StatusConfirmedDown, "k3")
	c.At = after(3 * time.Hour)
	get[record.Committed](t)(Commit(t.Context(), s, fence, c))
	wantUntold(t, s, site.ID, nil)
	wantStanding(t, s, site.ID, check.StatusRunning, after(3*time.Hour))
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_outages WHERE open_site IS NOT NULL"); n != 0 {
		t.Errorf("%d outages are open", n)
	}
}

func adoptOutage(t *testing.T, db Database) {
	for i, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		for j, confirmed := range []bool{false, true} {
			site := create(t, s, aSite(url(2*i+j)))
			key := func(n int) string { return fmt.Sprintf("%d-%d-%d", i, j, n) }
			opened := get[record.Committed](t)(Commit(t.Context(), s, fence, muted(opening(site, key(1)), time.Minute)))
			if confirmed {
				get[record.Committed](t)(Commit(t.Context(), s, fence, muted(confirming(site, key(2)), time.Hour)))
			}
			c := opening(site, key(3))
			c.At = after(2 * time.Hour)
			done := get[record.Committed](t)(Commit(t.Context(), s, fence, c))
			if done.OutageID != opened.OutageID {
				t.Errorf("told as outage %d, open is %d", done.OutageID, opened.OutageID)
			}
			if told := deliverOf(t, s, site.ID); len(told) != 1 || told[0].To != check.StatusDown {
				t.Errorf("told %v", told)
			}
			wantUntold(t, s, site.ID, nil)
			wantStandingOf(t, s, site.ID, check.StatusDown, after(2*time.Hour))
			if n := len(get[[]record.Outage](t)(s.ListOutages(t.Context(), store.OutageQuery{SiteID: site.ID, Limit: 10}))); n != 1 {
				t.Errorf("%d outages", n)
			}
			if n := len(get[[]record.Ballot](t)(s.ListBallots(t.Context(), site.ID, 10))); n != 2 {
				t.Errorf("%d ballots, want both", n)
			}
			get[record.Committed](t)(Commit(t.Context(), s, fence, confirming(site, key(4))))
			get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusConfirmedDown, key(5))))
		}
	}
}

// wantStandingOf is wantStanding in a bucket of several sites.
func wantStandingOf(t testing.TB, s store.Store, id check.SiteID, status check.Status, since time.Time) {
	t.Helper()
	if site := get[record.Site](t)(s.Site(t.Context(), id)); site.Status != status || !site.StatusSince.Equal(since) {
		t.Errorf("site %d has status %d since %v, want %d since %v", id, site.Status, site.StatusSince, status, since)
	}
}

func settleSilently(t *testing.T, db Database) {
	for i, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		site := create(t, s, aSite(url(i)))
		key := func(n int) string { return fmt.Sprint(i, "-", n) }
		opened := get[record.Committed](t)(Commit(t.Context(), s, fence, muted(opening(site, key(1)), time.Minute)))
		for _, from := range []check.Status{check.StatusConfirmedDown, check.StatusDown} {
			if from == check.StatusConfirmedDown {
				_, err := Commit(t.Context(), s, fence, closing(site, from, key(2)))
				wantKind(t, err, fault.Conflict)
				_, err = Commit(t.Context(), s, fence, confirming(site, key(2)))
				wantKind(t, err, fault.Conflict)
				continue
			}
			c := closing(site, from, key(3))
			done := get[record.Committed](t)(Commit(t.Context(), s, fence, c))
			wantEqual(t, get[record.Committed](t)(Commit(t.Context(), s, fence, c)), done)
			if done.OutageID != opened.OutageID {
				t.Errorf("ended outage %d, open was %d", done.OutageID, opened.OutageID)
			}
		}
		wantCounts(t, s, 0, 0)
		wantUntold(t, s, site.ID, nil)
		wantStandingOf(t, s, site.ID, check.StatusRunning, after(2*time.Hour))
		if o := get[record.Outage](t)(s.Outage(t.Context(), opened.OutageID)); o.End.IsZero() || o.Status != check.StatusRunning {
			t.Errorf("the outage is %+v", o)
		}
		_, err := Commit(t.Context(), s, fence, closing(site, check.StatusDown, key(4)))
		wantKind(t, err, fault.Conflict)
		get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, key(5)))) // the next one
		deliverOf(t, s, site.ID)
	}
}

func mutedGroup(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	var group []record.Change
	var sites []record.Site
	for i := range 40 {
		site := create(t, s, aSite(url(i)))
		sites = append(sites, site)
		c := opening(site, fmt.Sprint("k", i))
		c.Muted = i%2 == 0
		group = append(group, c)
	}
	for _, r := range get[[]store.CommitResult](t)(s.CommitAll(t.Context(), fence, group)) {
		must(t, r.Err)
	}
	wantCounts(t, s, 20, 20)
	for i, site := range sites {
		var want *record.Known
		if i%2 == 0 {
			want = &record.Known{Status: check.StatusRunning}
		}
		wantEqual(t, get[record.Site](t)(s.Site(t.Context(), site.ID)).Untold, want)
	}
	// Reported outages end muted, and unreported ones are reported.
	for i := range group {
		if i%2 == 0 {
			group[i] = opening(sites[i], fmt.Sprint("again", i))
		} else {
			group[i] = muted(closing(sites[i], check.StatusDown, fmt.Sprint("over", i)), time.Hour)
		}
	}
	for _, r := range get[[]store.CommitResult](t)(s.CommitAll(t.Context(), fence, group)) {
		must(t, r.Err)
	}
	wantCounts(t, s, 20, 20)
}
