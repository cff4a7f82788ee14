package storetest

import (
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

func groupTests() []test {
	return []test{
		{"a group is answered in order, each change with evidence of its own", groupWhole},
		{"a conflicting change does not affect the others", groupMixed},
		{"a value that no column can hold does not affect the others", groupUnfit},
		{"committing a group again returns the first results and writes nothing", groupAgain},
		{"a group with a lost fence is refused, and nothing is written", groupFenced},
		{"invalid groups are refused", badGroups},
		{"a group that is committed concurrently is committed once", raceGroup},
		{"concurrent groups of many shards all succeed", raceGroupShards},
		{"a concurrent change by WordPress.com is a conflict of its site only", raceGroupForeign},
	}
}

func commitAll(t testing.TB, s store.Store, f shard.Fence, group []record.Change) []store.CommitResult {
	t.Helper()
	return get[[]store.CommitResult](t)(s.CommitAll(t.Context(), f, group))
}

// wantAll returns the results of a group, all of which must be committed.
func wantAll(t testing.TB, results []store.CommitResult) []record.Committed {
	t.Helper()
	var done []record.Committed
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("change %d: %v", i, r.Err)
		}
		done = append(done, r.Committed)
	}
	return done
}

// groupWhole takes 200 sites down and up again; each change has other values.
func groupWhole(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	var open, confirm, closes []record.Change
	for i, site := range someSites(t, db, s, 7, 200) {
		down := opening(site, fmt.Sprint("open-", i))
		down.At, down.Ballot.Round = down.At.Add(time.Duration(i)*time.Millisecond), uint8(i)
		if i%3 == 0 {
			down.Ballot = nil
		}
		sure := confirming(site, fmt.Sprint("confirm-", i))
		sure.At, sure.Relapses = sure.At.Add(time.Duration(i)*time.Minute), uint16(i)
		up := closing(site, check.StatusConfirmedDown, fmt.Sprint("close-", i))
		up.At = up.At.Add(time.Duration(i) * time.Hour)
		open, confirm, closes = append(open, down), append(confirm, sure), append(closes, up)
	}
	done := wantAll(t, commitAll(t, s, fence, open))
	for i, c := range open {
		o := get[record.Outage](t)(s.Outage(t.Context(), done[i].OutageID))
		switch {
		case o.SiteID != c.SiteID || !o.Confirmed.Equal(c.At) || o.Status != check.StatusDown:
			t.Fatalf("change %d of site %d became %+v", i, c.SiteID, o)
		case (o.Ballot == nil) != (c.Ballot == nil), o.Ballot != nil && (o.Ballot.Round != c.Ballot.Round || o.Ballot.SiteID != c.SiteID):
			t.Fatalf("outage of change %d has ballot %+v", i, o.Ballot)
		}
	}
	wantNotifications(t, s, open, done)
	for _, group := range [][]record.Change{confirm, closes} {
		for i, d := range wantAll(t, commitAll(t, s, fence, group)) {
			if d.OutageID != done[i].OutageID {
				t.Fatalf("change %d concerns outage %d, want %d", i, d.OutageID, done[i].OutageID)
			}
			want := record.Site{Status: group[i].To, StatusSince: group[i].At}
			if want.Status == check.StatusRunning {
				want.StatusSince = want.StatusSince.Truncate(time.Second)
			}
			site := get[record.Site](t)(s.Site(t.Context(), group[i].SiteID))
			if site.Status != want.Status || !site.StatusSince.Equal(want.StatusSince) {
				t.Fatalf("site %d has status %d since %v, want %d since %v", site.ID, site.Status, site.StatusSince, want.Status, want.StatusSince)
			}
		}
	}
	for i, d := range done {
		o := get[record.Outage](t)(s.Outage(t.Context(), d.OutageID))
		if !o.End.Equal(closes[i].At) || o.Relapses != closes[i].Relapses {
			t.Fatalf("outage %d ended %v with %d relapses", i, o.End, o.Relapses)
		}
	}
	wantEqual(t, footprint(t, db), [5]int64{200, 133, 600, 600, 0})
}

// wantNotifications wants a notification for each change that opened an outage, with its evidence.
func wantNotifications(t *testing.T, s store.Store, open []record.Change, done []record.Committed) {
	t.Helper()
	index := map[string]int{}
	for i, c := range open {
		index[c.Key] = i
	}
	notifications := due(t, s, after(time.Hour), 1000)
	if len(notifications) != len(open) {
		t.Fatalf("%d notifications of %d changes", len(notifications), len(open))
	}
	for _, n := range notifications {
		i := index[n.Key]
		if n.TransitionID != done[i].TransitionID || n.Key != open[i].Key ||
			(n.Change.Ballot == nil) != (open[i].Ballot == nil) || n.Change.Ballot != nil && n.Change.Ballot.Round != open[i].Ballot.Round {
			t.Fatalf("notification %d is %+v", i, n)
		}
	}
}

// groupMixed has a change for every kind of result.
func groupMixed(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	sites := someSites(t, db, s, 7, 11)
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(sites[0], "zero")))
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(sites[1], "one")))
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(sites[1], check.StatusDown, "one-up")))
	db.Exec(t, "DELETE FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", sites[2].ID)
	db.Exec(t, "UPDATE jetpack_monitor_sites SET monitor_active = 0 WHERE jetpack_monitor_site_id = ?", sites[3].ID)
	db.Exec(t, "UPDATE jetpack_monitor_sites SET bucket_no = 8 WHERE jetpack_monitor_site_id = ?", sites[4].ID)
	db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = 2 WHERE jetpack_monitor_site_id = ?", sites[5].ID)
	group := []record.Change{
		opening(sites[6], "six"),
		opening(sites[2], "gone"), opening(sites[3], "paused"), opening(sites[4], "moved"),
		closing(sites[5], check.StatusConfirmedDown, "foreign"), // with no outage of ours
		opening(sites[0], "again"),
		opening(sites[7], "one"), // another site's key
		change(sites[8], check.StatusRunning, check.StatusConfirmedDown, "impossible"),
		closing(sites[9], check.StatusDown, "not-down"),
		opening(sites[1], "one-up"), // known, as another change of the site
		opening(sites[10], "ten"),
	}
	results := commitAll(t, s, fence, group)
	for _, i := range []int{1, 2, 3, 5, 8} {
		wantKind(t, results[i].Err, fault.Conflict)
	}
	wantKind(t, results[6].Err, fault.AlreadyExists)
	wantKind(t, results[7].Err, fault.Invalid)
	done := wantAll(t, []store.CommitResult{results[0], results[4], results[9], results[10]})
	if done[0].OutageID == 0 || done[1].OutageID != 0 || done[1].TransitionID == 0 || done[3].OutageID == 0 || done[3].OutageID == done[0].OutageID {
		t.Errorf("committed %+v", done)
	}
	for _, i := range []int{1, 2, 3, 5, 6, 7, 8} {
		wantEqual(t, results[i].Committed, record.Committed{})
	}
	// Sites 0, 6 and 10 are down; 1 was; another program has called 5 down.
	wantEqual(t, footprint(t, db), [5]int64{4, 4, 6, 6, 3})
	for i, c := range group { // and Commit answers the same
		got, err := Commit(t.Context(), s, fence, c)
		if (err == nil) != (results[i].Err == nil) || got != results[i].Committed {
			t.Errorf("%s: in a group %+v, alone %+v, %v", c.Key, results[i], got, err)
		}
	}
}

func groupUnfit(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	var group []record.Change
	for i, site := range someSites(t, db, s, 7, 5) {
		group = append(group, opening(site, fmt.Sprint("k", i)))
	}
	group[2].At = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC) // beyond a TIMESTAMP
	results := commitAll(t, s, fence, group)
	if results[2].Err != nil { // an engine without types takes it
		wantKind(t, results[2].Err, fault.Invalid)
	}
	wantAll(t, slices.Delete(results, 2, 3))
}

func groupAgain(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	var open, closes []record.Change
	for i, site := range someSites(t, db, s, 7, 7) {
		open = append(open, opening(site, fmt.Sprint("open-", i)))
		closes = append(closes, closing(site, check.StatusDown, fmt.Sprint("close-", i)))
	}
	first := commitAll(t, s, fence, open)
	wantAll(t, first)
	wantEqual(t, commitAll(t, s, fence, open), first)
	// Of these three sites the opening would apply once more.
	second := commitAll(t, s, fence, closes[:3])
	before := footprint(t, db)
	wantEqual(t, commitAll(t, s, fence, open), first)
	wantEqual(t, footprint(t, db), before)
	// Known ones and new ones, also in another order.
	mixed := commitAll(t, s, fence, []record.Change{closes[5], closes[1], open[6]})
	wantAll(t, mixed)
	wantEqual(t, mixed[1:], []store.CommitResult{second[1], first[6]})
	own(t, s, "a", 7) // its next life
	wantEqual(t, commitAll(t, s, fence, open), first)
	_, err := s.CommitAll(t.Context(), fence, []record.Change{open[0], closes[6]})
	wantKind(t, err, fault.Fenced)
	wantEqual(t, get[[]store.CommitResult](t)(s.CommitAll(t.Context(), fence, nil)), []store.CommitResult{})
}

func groupFenced(t *testing.T, db Database) {
	s := db.Open(t, true)
	valid, other := own(t, s, "a", 7), own(t, s, "a", 100)
	sites := someSites(t, db, s, 7, 2)
	group := []record.Change{opening(sites[0], "k0"), opening(sites[1], "k1")}
	for _, f := range []shard.Fence{
		{Shard: valid.Shard, Node: valid.Node, Term: valid.Term + 1}, {Shard: valid.Shard, Node: "b", Term: valid.Term},
		{Shard: valid.Shard, Term: valid.Term}, other, {},
	} {
		_, err := s.CommitAll(t.Context(), f, group)
		wantKind(t, err, fault.Fenced)
	}
	wantEqual(t, footprint(t, db), [5]int64{})
}

func badGroups(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	sites := someSites(t, db, s, 7, 2)
	elsewhere := sites[1]
	elsewhere.Bucket = 100
	for name, group := range map[string][]record.Change{
		"two shards": {opening(sites[0], "k0"), opening(elsewhere, "k1")},
		"one site":   {opening(sites[0], "k0"), closing(sites[0], check.StatusDown, "k1")},
		"one key":    {opening(sites[0], "k0"), opening(sites[1], "k0")},
		"too many":   slices.Repeat([]record.Change{opening(sites[0], "k0")}, 201),
	} {
		if _, err := s.CommitAll(t.Context(), fence, group); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantEqual(t, footprint(t, db), [5]int64{})
}

func raceGroup(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	var group []record.Change
	for i, site := range someSites(t, db, s, 7, 20) {
		group = append(group, opening(site, fmt.Sprint("k", i)))
	}
	answers := make([][]store.CommitResult, racers)
	won, lost := race(t, db, func(n int, s store.Store) (err error) {
		answers[n], err = s.CommitAll(t.Context(), fence, group)
		return err
	})
	if won != racers {
		t.Fatalf("%d of %d were answered, the others failed as %v", won, racers, lost)
	}
	wantAll(t, answers[0])
	for _, other := range answers {
		wantEqual(t, other, answers[0])
	}
	wantEqual(t, footprint(t, db), [5]int64{20, 20, 20, 20, 20})
}

func raceGroupShards(t *testing.T, db Database) {
	s := db.Open(t, true)
	const size = 15
	var fences [racers]shard.Fence
	var sites [racers][]record.Site
	for n := range racers {
		bucket := check.BucketID(n * shard.BucketsPer)
		fences[n], sites[n] = own(t, s, "a", bucket), someSites(t, db, s, bucket, size)
	}
	won, lost := race(t, db, func(n int, s store.Store) error {
		for round := range 6 {
			var group []record.Change
			for i, site := range sites[n] {
				c := opening(site, "")
				if round%2 == 1 {
					c = closing(site, check.StatusDown, "")
				}
				c.Key = fmt.Sprintf("%d-%d-%d", n, round, i)
				group = append(group, c)
			}
			results, err := s.CommitAll(t.Context(), fences[n], group)
			if err != nil {
				return err
			}
			for _, r := range results {
				if r.Err != nil {
					return r.Err
				}
			}
		}
		return nil
	})
	if won != racers {
		t.Errorf("%d of %d, the others failed as %v", won, racers, lost)
	}
	const all = racers * size
	wantEqual(t, footprint(t, db), [5]int64{3 * all, 3 * all, 6 * all, 6 * all, 0})
}

// raceGroupForeign takes groups of sites down while others pause, move and delete some.
func raceGroupForeign(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	const size, groups = 10, 20
	sites := someSites(t, db, s, 7, size*groups)
	committed := int64(0)
	var owner sync.WaitGroup
	owner.Go(func() {
		for g := range groups {
			var group []record.Change
			for i, site := range sites[g*size : (g+1)*size] {
				group = append(group, opening(site, fmt.Sprintf("%d-%d", g, i)))
			}
			var results []store.CommitResult
			if err := untilAnswered(t, func() (err error) {
				results, err = s.CommitAll(t.Context(), fence, group)
				return err
			}); err != nil {
				t.Errorf("group %d: %v", g, err)
			}
			for i, r := range results {
				if r.Err == nil {
					committed++
				} else if i%5 != 0 || !fault.Is(r.Err, fault.Conflict) {
					t.Errorf("site %d of group %d: %v", i, g, r.Err)
				}
			}
		}
	})
	defer owner.Wait() // also when the test ends early
	for i := 0; i < len(sites); i += 5 {
		db.Exec(t, []string{
			"UPDATE jetpack_monitor_sites SET monitor_active = 0 WHERE jetpack_monitor_site_id = ?",
			"UPDATE jetpack_monitor_sites SET bucket_no = 300 WHERE jetpack_monitor_site_id = ?",
			"DELETE FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?",
		}[i%3], sites[i].ID)
	}
	owner.Wait()
	rows := footprint(t, db)
	wantEqual(t, rows[:4], []int64{committed, committed, committed, committed})
}
