package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func commitTests() []test {
	return []test{
		{"committing a key again returns the first result and writes nothing", sameKey},
		{"committing a key again returns the first result even after the shard was lost", sameKeyFenced},
		{"a key of another site is refused", foreignKey},
		{"a fence that is not the owner's is refused", fenced},
		{"a change of a missing, paused or moved site, or of one with another status, is a conflict", conflicts},
		{"impossible changes are refused", impossible},
		{"a refused commit leaves nothing", refusedLeavesNothing},
	}
}

// footprint counts the rows that a commit could leave.
func footprint(t testing.TB, db Database) (rows [5]int64) {
	t.Helper()
	for i, what := range []string{
		"jetmon_outages", "jetmon_ballots", "jetmon_transitions", "jetmon_deliveries WHERE state IN (1, 2)", "jetpack_monitor_sites WHERE site_status <> 1",
	} {
		rows[i] = db.Int(t, "SELECT COUNT(*) FROM "+what)
	}
	return rows
}

func sameKey(t *testing.T, db Database) {
	for _, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		site := create(t, s, aSite(url(int(footprint(t, db)[0]))))
		fence := own(t, s, "a", 7)
		p := map[bool]string{true: "w", false: "r"}[legacyWrites]
		changes := []record.Change{opening(site, p+"1"), confirming(site, p+"2"), closing(site, check.StatusConfirmedDown, p+"3")}
		var done []record.Committed
		for i, c := range changes {
			done = append(done, get[record.Committed](t)(Commit(t.Context(), s, fence, c)))
			before := footprint(t, db)
			for j := range i + 1 {
				wantEqual(t, get[record.Committed](t)(Commit(t.Context(), s, fence, changes[j])), done[j])
			}
			wantEqual(t, footprint(t, db), before)
		}
		// The site is up again, so the first change would apply; its notification is gone, too.
		must(t, Accept(t.Context(), s, notificationOf(t, s, p+"1"), after(time.Hour)))
		before := footprint(t, db)
		wantEqual(t, get[record.Committed](t)(Commit(t.Context(), s, fence, changes[0])), done[0])
		wantEqual(t, footprint(t, db), before)
	}
}

func sameKeyFenced(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(1)))
	old := own(t, s, "a", 7)
	done := get[record.Committed](t)(Commit(t.Context(), s, old, opening(site, "k")))
	own(t, s, "a", 7) // its next life
	wantEqual(t, get[record.Committed](t)(Commit(t.Context(), s, old, opening(site, "k"))), done)
	_, err := Commit(t.Context(), s, old, confirming(site, "k2"))
	wantKind(t, err, fault.Fenced)
}

func foreignKey(t *testing.T, db Database) {
	s := db.Open(t, true)
	a, b := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	fence := own(t, s, "a", 7)
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(a, "k")))
	before := footprint(t, db)
	_, err := Commit(t.Context(), s, fence, opening(b, "k"))
	wantKind(t, err, fault.AlreadyExists)
	wantEqual(t, footprint(t, db), before)
}

func fenced(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(1)))
	_, err := Commit(t.Context(), s, shard.Fence{Shard: 0, Node: "a", Term: 1}, opening(site, "k"))
	wantKind(t, err, fault.Fenced) // no coordinator ever claimed it
	valid, other := own(t, s, "a", 7), own(t, s, "a", 100)
	for _, f := range []shard.Fence{
		{Shard: valid.Shard, Node: valid.Node, Term: valid.Term + 1},
		{Shard: valid.Shard, Node: valid.Node, Term: valid.Term - 1},
		{Shard: valid.Shard, Node: "b", Term: valid.Term},
		{Shard: valid.Shard, Node: "A", Term: valid.Term},
		{Shard: valid.Shard, Term: valid.Term},
		other, // owned, but not the site's
		{},
	} {
		_, err := Commit(t.Context(), s, f, opening(site, "k"))
		wantKind(t, err, fault.Fenced)
		wantKind(t, s.KeepBallot(t.Context(), f, aBallot(site)), fault.Fenced)
	}
	must(t, s.ReleaseShard(t.Context(), shard.Lease{Shard: valid.Shard, Node: valid.Node, Term: valid.Term}))
	for _, f := range []shard.Fence{valid, {Shard: valid.Shard, Term: valid.Term}} {
		_, err = Commit(t.Context(), s, f, opening(site, "k"))
		wantKind(t, err, fault.Fenced)
	}
	wantEqual(t, footprint(t, db), [5]int64{})
}

func conflicts(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	for _, c := range []record.Change{confirming(site, "k"), closing(site, check.StatusDown, "k"), closing(site, check.StatusConfirmedDown, "k")} {
		_, err := Commit(t.Context(), s, fence, c)
		wantKind(t, err, fault.Conflict)
	}
	for name, spoil := range map[string]string{
		"gone":   "DELETE FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?",
		"paused": "UPDATE jetpack_monitor_sites SET monitor_active = 0 WHERE jetpack_monitor_site_id = ?",
		"moved":  "UPDATE jetpack_monitor_sites SET bucket_no = 8 WHERE jetpack_monitor_site_id = ?",
		"down":   "UPDATE jetpack_monitor_sites SET site_status = 0 WHERE jetpack_monitor_site_id = ?",
	} {
		site := create(t, s, aSite("https://"+name+".example.com/"))
		db.Exec(t, spoil, site.ID)
		if _, err := Commit(t.Context(), s, fence, opening(site, name)); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	down := create(t, s, aSite(url(2)))
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(down, "down2")))
	for _, c := range []record.Change{opening(down, "again"), closing(down, check.StatusConfirmedDown, "k")} {
		_, err := Commit(t.Context(), s, fence, c)
		wantKind(t, err, fault.Conflict)
	}
	db.Exec(t, "UPDATE jetpack_monitor_sites SET monitor_active = 0")
	_, err := Commit(t.Context(), s, fence, closing(down, check.StatusDown, "k"))
	wantKind(t, err, fault.Conflict)
}

func impossible(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	for _, pair := range [][2]check.Status{{1, 1}, {3, 3}, {1, 2}, {2, 0}, {1, 3}, {3, 1}} {
		_, err := Commit(t.Context(), s, fence, change(site, pair[0], pair[1], "k"))
		wantKind(t, err, fault.Invalid)
	}
	for _, key := range []string{"", strings.Repeat("k", 65), "with blank", "ü", "\x00"} {
		_, err := Commit(t.Context(), s, fence, opening(site, key))
		wantKind(t, err, fault.Invalid)
	}
	site.ID = 0
	_, err := Commit(t.Context(), s, fence, opening(site, "k"))
	wantKind(t, err, fault.Invalid)
}

func refusedLeavesNothing(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	// An open outage while the row has status running: the last check of all.
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k")))
	db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = 1")
	before := footprint(t, db)
	_, err := Commit(t.Context(), s, fence, opening(site, "k2"))
	wantKind(t, err, fault.Conflict)
	wantEqual(t, footprint(t, db), before)
}
