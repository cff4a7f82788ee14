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

func orphanTests() []test {
	return []test{
		{"a closed outage has its reason", endReasons},
		{"an outage that was closed before reasons were stored has a reason too", endReasonsOfOld},
		{"an open outage whose row is deleted in the table is an orphan, whoever writes the table", orphanLife},
		{"orphans are listed by shard, the oldest first, up to the limit", orphanPages},
		{"an orphan is ended by the owner of its shard only", orphanFenced},
		{"an outage that is no longer an orphan is not ended", orphanNoMore},
		{"an outage whose row is deleted while it closes is closed once", raceOrphan},
		{"active rows of buckets that do not exist are counted", countStrays},
	}
}

// deleteRow is what WordPress.com does.
func deleteRow(t testing.TB, db Database, id check.SiteID) {
	t.Helper()
	db.Exec(t, "DELETE FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", id)
}

// goDown opens an outage.
func goDown(t testing.TB, s store.Store, f shard.Fence, site record.Site) int64 {
	t.Helper()
	return get[record.Committed](t)(Commit(t.Context(), s, f, opening(site, fmt.Sprint("down-", site.ID)))).OutageID
}

func orphans(t testing.TB, s store.Store, shards ...shard.ID) (ids []int64) {
	t.Helper()
	for _, o := range get[[]record.Outage](t)(s.ListOrphans(t.Context(), shards, 100)) {
		ids = append(ids, o.ID)
	}
	return ids
}

// wantEnd checks how an outage stands, in both ways to read it.
func wantEnd(t testing.TB, s store.Store, id int64, end time.Time, why record.EndReason) {
	t.Helper()
	one := get[record.Outage](t)(s.Outage(t.Context(), id))
	mark := record.OutageMark{Confirmed: one.Confirmed, ID: id + 1}
	listed := get[[]record.Outage](t)(s.ListOutages(t.Context(), store.OutageQuery{Before: mark, Limit: 1}))
	for _, o := range append(listed, one) {
		if o.ID != id || !o.End.Equal(end) || o.EndReason != why || (o.Status == check.StatusRunning) == end.IsZero() {
			t.Errorf("outage %d has status %d and ended at %v because of %d, want outage %d, %v and %d", o.ID, o.Status, o.End, o.EndReason, id, end, why)
		}
	}
}

// three are outages of which the first is open, the second was closed, and the site of the
// third was deleted through the API.
func three(t testing.TB, s store.Store) (open, recovered, deleted int64) {
	t.Helper()
	fence := own(t, s, "a", 7)
	var ids [3]int64
	var sites [3]record.Site
	for i := range ids {
		sites[i] = create(t, s, aSite(url(i)))
		ids[i] = goDown(t, s, fence, sites[i])
	}
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(sites[1], check.StatusDown, "up")))
	must(t, s.DeleteSite(t.Context(), sites[2].ID, after(3*time.Hour), nil))
	return ids[0], ids[1], ids[2]
}

func endReasons(t *testing.T, db Database) {
	s := db.Open(t, true)
	open, recovered, deleted := three(t, s)
	wantEnd(t, s, open, time.Time{}, record.EndNone)
	wantEnd(t, s, recovered, after(2*time.Hour), record.EndRecovered)
	wantEnd(t, s, deleted, after(3*time.Hour), record.EndDeleted)
}

func endReasonsOfOld(t *testing.T, db Database) {
	s := db.Open(t, true)
	open, recovered, deleted := three(t, s)
	db.Exec(t, "UPDATE jetmon_outages SET end_reason = 0")
	wantEnd(t, s, open, time.Time{}, record.EndNone)
	wantEnd(t, s, recovered, after(2*time.Hour), record.EndRecovered)
	wantEnd(t, s, deleted, after(3*time.Hour), record.EndDeleted)
	db.Exec(t, "UPDATE jetmon_outages SET end_reason = 99 WHERE id = ?", recovered) // of a newer version
	wantEnd(t, s, recovered, after(2*time.Hour), 99)
}

func orphanLife(t *testing.T, db Database) {
	for i, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		gone, paused, moved, whole := create(t, s, aSite(url(10*i))), create(t, s, aSite(url(10*i+1))), create(t, s, aSite(url(10*i+2))), create(t, s, aSite(url(10*i+3)))
		id := goDown(t, s, fence, gone)
		for _, site := range []record.Site{paused, moved, whole} {
			goDown(t, s, fence, site)
		}
		if ids := orphans(t, s, fence.Shard); len(ids) != 0 {
			t.Fatalf("orphans %v while all have their rows", ids)
		}
		deleteRow(t, db, gone.ID)
		db.Exec(t, "UPDATE jetpack_monitor_sites SET monitor_active = 0 WHERE jetpack_monitor_site_id = ?", paused.ID)
		db.Exec(t, "UPDATE jetpack_monitor_sites SET bucket_no = 300 WHERE jetpack_monitor_site_id = ?", moved.ID)
		before := footprint(t, db)
		found := get[[]record.Outage](t)(s.ListOrphans(t.Context(), allShards(), 100))
		want := get[record.Outage](t)(s.Outage(t.Context(), id))
		want.Ballot, want.Checks = nil, nil
		wantEqual(t, found, []record.Outage{want})
		if n := get[int](t)(s.EndOrphans(t.Context(), fence, []int64{id}, after(3*time.Hour))); n != 1 {
			t.Errorf("%d were ended, want 1", n)
		}
		wantEnd(t, s, id, after(3*time.Hour), record.EndDeleted)
		wantEqual(t, footprint(t, db), before) // no notification is sent, and no row is written
		if ids := orphans(t, s, allShards()...); len(ids) != 0 {
			t.Errorf("orphans %v when all are ended", ids)
		}
		// The engine does not know of the deletion yet and may still commit this.
		_, err := Commit(t.Context(), s, fence, closing(gone, check.StatusDown, fmt.Sprint("late-", i)))
		wantKind(t, err, fault.Conflict)
		if n := get[int](t)(s.EndOrphans(t.Context(), fence, []int64{id}, after(4*time.Hour))); n != 0 {
			t.Errorf("%d were ended again", n)
		}
		wantEnd(t, s, id, after(3*time.Hour), record.EndDeleted)
	}
}

func orphanPages(t *testing.T, db Database) {
	s := db.Open(t, true)
	var here, there []int64
	for i := range 7 {
		site := aSite(url(i))
		if i%2 == 1 {
			site.Bucket = 200
		}
		site = create(t, s, site)
		id := goDown(t, s, own(t, s, "a", site.Bucket), site)
		deleteRow(t, db, site.ID)
		if i%2 == 1 {
			there = append(there, id)
		} else {
			here = append(here, id)
		}
	}
	wantEqual(t, orphans(t, s, shard.Of(7)), here)
	wantEqual(t, orphans(t, s, shard.Of(200)), there)
	wantEqual(t, len(orphans(t, s, allShards()...)), 7)
	wantEqual(t, len(orphans(t, s)), 0)
	first := get[[]record.Outage](t)(s.ListOrphans(t.Context(), allShards(), 2))
	if len(first) != 2 || first[0].ID != here[0] || first[1].ID != there[0] {
		t.Errorf("the first two are %+v", first)
	}
	for _, limit := range []int{0, 10_001} {
		_, err := s.ListOrphans(t.Context(), allShards(), limit)
		wantKind(t, err, fault.Invalid)
	}
}

func orphanFenced(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(1)))
	old := own(t, s, "a", 7)
	id := goDown(t, s, old, site)
	deleteRow(t, db, site.ID)
	other := own(t, s, "a", 100)
	now := own(t, s, "a", 7) // its next life
	for _, f := range []shard.Fence{old, {}, {Shard: old.Shard, Node: "b", Term: now.Term}, {Shard: 200, Node: "a", Term: 1}} {
		_, err := s.EndOrphans(t.Context(), f, []int64{id}, after(time.Hour))
		wantKind(t, err, fault.Fenced)
	}
	if n := get[int](t)(s.EndOrphans(t.Context(), other, []int64{id}, after(time.Hour))); n != 0 {
		t.Errorf("%d of another shard were ended", n)
	}
	_, err := s.EndOrphans(t.Context(), now, make([]int64, 1001), after(time.Hour))
	wantKind(t, err, fault.Invalid)
	wantEnd(t, s, id, time.Time{}, record.EndNone)
	many := make([]int64, 1000)
	for i := range many {
		many[i] = int64(i + 1)
	}
	if n := get[int](t)(s.EndOrphans(t.Context(), now, many, after(time.Hour))); n != 1 {
		t.Errorf("%d were ended by their owner, want 1", n)
	}
	wantEnd(t, s, id, after(time.Hour), record.EndDeleted)
}

func orphanNoMore(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	back, over := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	open, closed := goDown(t, s, fence, back), goDown(t, s, fence, over)
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(over, check.StatusDown, "up")))
	deleteRow(t, db, over.ID)
	deleteRow(t, db, back.ID)
	wantEqual(t, orphans(t, s, fence.Shard), []int64{open})
	db.Exec(t, `INSERT INTO jetpack_monitor_sites (jetpack_monitor_site_id, blog_id, bucket_no, monitor_url, site_status)
	VALUES (?, 42, 7, ?, 0)`, back.ID, back.URL)
	if n := get[int](t)(s.EndOrphans(t.Context(), fence, []int64{open, closed, 12345}, after(3*time.Hour))); n != 0 {
		t.Errorf("%d were ended, want none", n)
	}
	wantEnd(t, s, open, time.Time{}, record.EndNone)
	wantEnd(t, s, closed, after(2*time.Hour), record.EndRecovered)
}

func raceOrphan(t *testing.T, db Database) {
	raceEnd(t, db, record.EndDeleted, func(_ store.Store, site record.Site) error {
		deleteRow(t, db, site.ID)
		return nil
	})
}

// raceEnd has an edit of a site in trouble, its recovery and EndOrphans race. The outage ends
// once: as the recovery, which is told, or for the edit, and then nothing is told. It returns
// the sites of the latter.
func raceEnd(t *testing.T, db Database, why record.EndReason, edit func(store.Store, record.Site) error) (edited []check.SiteID) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	for round := range 5 {
		site := create(t, s, aSite(url(10*round)))
		id := goDown(t, s, fence, site)
		race(t, db, func(n int, s store.Store) (err error) {
			switch n % 3 {
			case 0:
				err = edit(s, site)
			case 1:
				_, err = Commit(t.Context(), s, fence, closing(site, check.StatusDown, fmt.Sprint("up-", site.ID, "-", n)))
			default:
				_, err = s.EndOrphans(t.Context(), fence, []int64{id}, after(3*time.Hour))
			}
			return err
		})
		get[int](t)(s.EndOrphans(t.Context(), fence, []int64{id}, after(4*time.Hour)))
		o := get[record.Outage](t)(s.Outage(t.Context(), id))
		told := db.Int(t, "SELECT COUNT(*) FROM jetmon_transitions WHERE outage_id = ? AND to_status = 1", id)
		switch {
		case o.EndReason == record.EndRecovered && told == 1 && o.End.Equal(after(2*time.Hour)):
		case o.EndReason == why && told == 0 && !o.End.Before(after(3*time.Hour)):
			edited = append(edited, site.ID)
		default:
			t.Errorf("the outage ended at %v because of %d, with %d recoveries told", o.End, o.EndReason, told)
		}
	}
	return edited
}

func countStrays(t *testing.T, db Database) {
	s := db.Open(t, true)
	create(t, s, aSite(url(1)))
	wantEqual(t, get[record.Strays](t)(s.CountStrays(t.Context())), record.Strays{})
	for i, row := range []struct{ bucket, active int }{{0, 1}, {511, 1}, {512, 1}, {700, 1}, {600, 1}, {900, 0}} {
		db.Exec(t, "INSERT INTO jetpack_monitor_sites (blog_id, bucket_no, monitor_url, monitor_active) VALUES (1, ?, ?, ?)", row.bucket, url(10+i), row.active)
	}
	wantEqual(t, get[record.Strays](t)(s.CountStrays(t.Context())), record.Strays{Rows: 3, First: 512, Last: 700})
}
