package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// Several servers of one database hand out ids in blocks (TiDB) or steps (Galera): a row
// can have a lower id than one that was committed before it. These tests commit, and then
// give the newest rows the lowest ids.
func orderTests() []test {
	return []test{
		{"notifications of a site go out in the order of its changes, whatever their ids", orderOfNotifications},
		{"notifications stay in order when an older version has written some of them", orderAfterUpgrade},
		{"notifications stay in order when the site moves to another shard", orderAfterMove},
		{"an older notification that is not due holds back a newer one with a lower id", orderPostponed},
		{"changes of many sites in one group keep the order of each", orderOfGroups},
		{"the newest outage comes first, whatever its id, and pages are whole", orderOfOutages},
		{"the newest ballot comes first, whatever its id", orderOfBallots},
		{"an outage reads back with what opened it, whatever the ids", orderOfEvidence},
	}
}

// falling hands out ids, each lower than all before.
type falling struct{ next int64 }

func newFalling() *falling { return &falling{next: 1 << 40} }

// renumber gives the rows of a change ids that are lower than those of all before it.
func (f *falling) renumber(t testing.TB, db Database, key string) {
	t.Helper()
	old := db.Int(t, "SELECT id FROM jetmon_transitions WHERE change_key = ?", key)
	f.next--
	db.Exec(t, "UPDATE jetmon_transitions SET id = ? WHERE id = ?", f.next, old)
	db.Exec(t, "UPDATE jetmon_deliveries SET id = ?, transition_id = ? WHERE transition_id = ?", f.next, f.next, old)
	if ballot := db.Int(t, "SELECT ballot_id FROM jetmon_transitions WHERE change_key = ?", key); ballot != 0 {
		f.next--
		db.Exec(t, "UPDATE jetmon_ballots SET id = ? WHERE id = ?", f.next, ballot)
		db.Exec(t, "UPDATE jetmon_transitions SET ballot_id = ? WHERE ballot_id = ?", f.next, ballot)
	}
}

// renumberOutage does so with an outage, and returns its new id.
func (f *falling) renumberOutage(t testing.TB, db Database, old int64) int64 {
	t.Helper()
	f.next--
	db.Exec(t, "UPDATE jetmon_outages SET id = ? WHERE id = ?", f.next, old)
	for _, table := range []string{"jetmon_transitions", "jetmon_ballots"} {
		db.Exec(t, "UPDATE "+table+" SET outage_id = ? WHERE outage_id = ?", f.next, old)
	}
	return f.next
}

// wholeOutage is DOWN, confirmed down, UP, and DOWN again.
func wholeOutage(site record.Site, prefix string) []record.Change {
	return []record.Change{
		opening(site, prefix+"1"), confirming(site, prefix+"2"),
		closing(site, check.StatusConfirmedDown, prefix+"3"), opening(site, prefix+"4"),
	}
}

// wantDelivered delivers the notifications of one site, one by one, and compares their order.
func wantDelivered(t testing.TB, s store.Store, keys ...string) {
	t.Helper()
	for _, want := range append(keys, "") {
		notifications := due(t, s, after(24*time.Hour), 10)
		if got := keysOf(notifications); got != want {
			t.Fatalf("due %q, want %q", got, want)
		}
		if len(notifications) > 0 {
			must(t, Accept(t.Context(), s, notifications[0], after(24*time.Hour)))
		}
	}
}

func orderOfNotifications(t *testing.T, db Database) {
	s, ids := db.Open(t, true), newFalling()
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	for _, c := range wholeOutage(site, "k") {
		get[record.Committed](t)(Commit(t.Context(), s, fence, c))
		ids.renumber(t, db, c.Key)
	}
	if n := db.Int(t, `SELECT COUNT(*) FROM jetmon_transitions a JOIN jetmon_transitions b ON b.change_key > a.change_key
	WHERE b.site_seq <= a.site_seq`); n != 0 {
		t.Errorf("%d transitions have no higher site_seq than an earlier one", n)
	}
	wantDelivered(t, s, "k1", "k2", "k3", "k4")
}

// orderAfterUpgrade lets a version that gives no places write some of the changes, in the
// database of one server: there a later row has a higher id.
func orderAfterUpgrade(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	for i, old := range []string{"1", "12", "13", "2", "24", "34", "1234", ""} {
		site := create(t, s, aSite(url(i)))
		for n, c := range wholeOutage(site, fmt.Sprint(i, "-")) {
			const last = "SELECT COALESCE(MAX(last_seq), 0) FROM jetmon_site_order WHERE site_id = ?"
			before := db.Int(t, last, site.ID)
			get[record.Committed](t)(Commit(t.Context(), s, fence, c))
			if !strings.Contains(old, fmt.Sprint(n+1)) {
				continue
			}
			leaveInOutbox(t, db, c)
			if before == 0 {
				db.Exec(t, "DELETE FROM jetmon_site_order WHERE site_id = ?", site.ID)
			} else {
				db.Exec(t, "UPDATE jetmon_site_order SET last_seq = ? WHERE site_id = ?", before, site.ID)
			}
		}
		get[int](t)(s.AdoptOutbox(t.Context(), fence, 500))
		wantDelivered(t, s, fmt.Sprint(i, "-1"), fmt.Sprint(i, "-2"), fmt.Sprint(i, "-3"), fmt.Sprint(i, "-4"))
	}
}

// leaveInOutbox has an older version have committed a change.
func leaveInOutbox(t testing.TB, db Database, c record.Change) {
	t.Helper()
	db.Exec(t, "UPDATE jetmon_transitions SET site_seq = 0 WHERE change_key = ?", c.Key)
	db.Exec(t, `INSERT INTO jetmon_outbox (id, change_key, site_id, site_seq, bucket, attempts, next_ms, created_ms, last_error)
	SELECT id, change_key, site_id, 0, bucket, 0, at_ms, at_ms, '' FROM jetmon_transitions WHERE change_key = ?`, c.Key)
	db.Exec(t, "DELETE FROM jetmon_deliveries WHERE event_key = ?", c.Key)
	db.Exec(t, "DELETE FROM jetmon_events WHERE event_key = ?", c.Key)
	db.Exec(t, "UPDATE jetmon_delivery_counts SET pending = pending - 1 WHERE shard = ?", shard.Of(c.Bucket))
}

func orderAfterMove(t *testing.T, db Database) {
	s, ids := db.Open(t, true), newFalling()
	site := create(t, s, aSite(url(1)))
	changes := wholeOutage(site, "k")
	for i, bucket := range []check.BucketID{7, 100, 300, 7} {
		c := changes[i]
		c.Bucket = bucket
		if c.Ballot != nil {
			c.Ballot.Bucket = bucket
		}
		db.Exec(t, "UPDATE jetpack_monitor_sites SET bucket_no = ? WHERE jetpack_monitor_site_id = ?", bucket, site.ID)
		get[record.Committed](t)(Commit(t.Context(), s, own(t, s, "a", bucket), c))
		ids.renumber(t, db, c.Key)
	}
	wantDelivered(t, s, "k1", "k2", "k3", "k4")
}

func orderPostponed(t *testing.T, db Database) {
	s, ids := db.Open(t, true), newFalling()
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	for _, c := range wholeOutage(site, "k")[:3] {
		get[record.Committed](t)(Commit(t.Context(), s, fence, c))
		ids.renumber(t, db, c.Key)
	}
	now := after(3 * time.Hour)
	must(t, Postpone(t.Context(), s, due(t, s, now, 1)[0], now.Add(time.Minute), "refused"))
	if got := keysOf(due(t, s, now, 10)); got != "" {
		t.Errorf("due %q, want nothing: k2 and k3 wait for k1", got)
	}
	wantDelivered(t, s, "k1", "k2", "k3")
}

func orderOfGroups(t *testing.T, db Database) {
	s, ids := db.Open(t, true), newFalling()
	fence := own(t, s, "a", 7)
	sites := someSites(t, db, s, 7, 40)
	index := map[check.SiteID]int{}
	next := make([]int, len(sites)) // of each site, as many of its changes are committed
	for round := range 6 {
		var group []record.Change
		for i, site := range sites {
			index[site.ID] = i
			if i%(round+1) == 0 && next[i] < 4 { // so that a group has first and later changes
				group = append(group, wholeOutage(site, url(i))[next[i]])
				next[i]++
			}
		}
		wantAll(t, commitAll(t, s, fence, group))
		for _, c := range group {
			ids.renumber(t, db, c.Key)
		}
	}
	told := make([]int, len(sites))
	for {
		notifications := due(t, s, after(24*time.Hour), 1000)
		if len(notifications) == 0 {
			break
		}
		for _, n := range notifications {
			i := index[n.Change.SiteID]
			if want := wholeOutage(sites[i], url(i))[told[i]].Key; n.Key != want {
				t.Fatalf("site %d is told %s, want %s", n.Change.SiteID, n.Key, want)
			}
			told[i]++
			must(t, Accept(t.Context(), s, n, after(24*time.Hour)))
		}
	}
	wantEqual(t, told, next)
}

func orderOfOutages(t *testing.T, db Database) {
	s, ids := db.Open(t, true), newFalling()
	fence := own(t, s, "a", 7)
	a, b := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	var all, ofA []int64 // the newest first
	for i := range 7 {
		site := []record.Site{a, b}[i%2]
		down, up := opening(site, fmt.Sprint("down-", i)), closing(site, check.StatusDown, fmt.Sprint("up-", i))
		down.At = after(time.Duration(i) * time.Hour)
		up.At = down.At.Add(time.Minute)
		id := get[record.Committed](t)(Commit(t.Context(), s, fence, down)).OutageID
		if i < 5 { // the last two stay open
			get[record.Committed](t)(Commit(t.Context(), s, fence, up))
		}
		id = ids.renumberOutage(t, db, id)
		all = append([]int64{id}, all...)
		if i%2 == 0 {
			ofA = append([]int64{id}, ofA...)
		}
	}
	for _, limit := range []int{1, 2, 50} {
		wantEqual(t, pageOutages(t, s, store.OutageQuery{Limit: limit}), all)
		wantEqual(t, pageOutages(t, s, store.OutageQuery{Limit: limit, SiteID: a.ID}), ofA)
		wantEqual(t, pageOutages(t, s, store.OutageQuery{Limit: limit, OpenOnly: true}), all[:2])
	}
}

func orderOfBallots(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	var want []time.Time
	for i := range 5 {
		b := aBallot(site)
		b.Decided = after(time.Duration(i) * time.Hour)
		must(t, s.KeepBallot(t.Context(), fence, b))
		want = append([]time.Time{b.Decided}, want...)
	}
	db.Exec(t, "UPDATE jetmon_ballots SET id = 1000000 - id")
	for limit := 1; limit <= 5; limit++ {
		var got []time.Time
		for _, b := range get[[]record.Ballot](t)(s.ListBallots(t.Context(), site.ID, limit)) {
			got = append(got, b.Decided)
		}
		wantEqual(t, got, want[:limit])
	}
}

// orderOfEvidence has a second ballot in an outage.
func orderOfEvidence(t *testing.T, db Database) {
	s, ids := db.Open(t, true), newFalling()
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	open, confirm := opening(site, "k1"), confirming(site, "k2")
	later := aBallot(site)
	later.Verdict, later.Round = quorum.Confirmed, 9
	confirm.Ballot, confirm.Checks = &later, []record.LocalCheck{{Node: "later", At: confirm.At}}
	var id int64
	for _, c := range []record.Change{open, confirm} {
		id = get[record.Committed](t)(Commit(t.Context(), s, fence, c)).OutageID
		ids.renumber(t, db, c.Key)
	}
	o := get[record.Outage](t)(s.Outage(t.Context(), id))
	if o.Ballot == nil || o.Ballot.Round != open.Ballot.Round || o.Ballot.OutageID != id {
		t.Errorf("ballot %+v", o.Ballot)
	}
	wantEqual(t, o.Checks, open.Checks)
}
