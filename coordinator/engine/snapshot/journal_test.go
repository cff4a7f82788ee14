package snapshot

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

var now = time.Unix(1_700_000_000, 0).UTC()

// take takes all waiting updates of a shard.
func take(j *Journal, s shard.ID) (ids []check.SiteID) {
	for {
		id, bucket, ok := j.Next(s)
		if !ok {
			return ids
		}
		if shard.Of(bucket) != s {
			panic("a site of another shard")
		}
		ids = append(ids, id)
	}
}

func TestOutdatedSnapshotsAreTakenInOrder(t *testing.T) {
	t.Parallel()
	j := NewJournal()
	for _, id := range []check.SiteID{3, 1, 2, 1, 3} {
		j.Outdated(id, 5)
	}
	j.Outdated(9, 5+shard.BucketsPer)
	if got := take(j, 0); !slices.Equal(got, []check.SiteID{3, 1, 2}) {
		t.Errorf("taken %v, want each once, in order", got)
	}
	if got := take(j, 1); !slices.Equal(got, []check.SiteID{9}) {
		t.Errorf("taken of the other shard %v", got)
	}
	j.Outdated(1, 5)
	if got := take(j, 0); !slices.Equal(got, []check.SiteID{1}) {
		t.Errorf("taken %v, want the one that is outdated again", got)
	}
}

func TestReturnedUpdatesComeFirstUnlessTheyAreOutdatedAgain(t *testing.T) {
	t.Parallel()
	j := NewJournal()
	var taken []Update
	for id := range check.SiteID(4) {
		j.Outdated(id, 5)
		taken = append(taken, Update{Site: id, Bucket: 5})
	}
	take(j, 0)
	j.Outdated(7, 5)
	j.Outdated(2, 5) // while the others were written
	j.GiveBack(taken)
	if got := take(j, 0); !slices.Equal(got, []check.SiteID{0, 1, 3, 7, 2}) {
		t.Errorf("taken %v", got)
	}
}

func TestASiteThatMovesIsWrittenOnlyInItsNewShard(t *testing.T) {
	t.Parallel()
	j := NewJournal()
	j.Outdated(1, 5)
	j.Outdated(1, 5+shard.BucketsPer)
	if a, b := take(j, 0), take(j, 1); len(a) != 0 || !slices.Equal(b, []check.SiteID{1}) {
		t.Errorf("taken %v and %v", a, b)
	}
}

func TestADroppedShardLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	j := NewJournal()
	for _, bucket := range []check.BucketID{5, 5 + shard.BucketsPer} {
		j.Outdated(check.SiteID(bucket), bucket)
		j.Left(record.Snapshot{SiteID: 1000 + check.SiteID(bucket), Bucket: bucket})
	}
	j.Drop(0)
	if j.Has(1005) || !j.Has(1000+5+shard.BucketsPer) {
		t.Error("what was left of the dropped shard is still there, or that of the other is not")
	}
	j.Loaded(0) // when it is ours again
	j.Loaded(1)
	if a, b := take(j, 0), take(j, 1); len(a) != 0 || len(b) != 2 {
		t.Errorf("to be written: %v and %v", a, b)
	}
}

func TestASnapshotThatNoSiteRecallsIsDeletedAfterTheLoad(t *testing.T) {
	t.Parallel()
	j := NewJournal()
	row := record.Site{ID: 1, Bucket: 5, URL: "http://a.example/", Status: check.StatusRunning}
	for id := range check.SiteID(3) {
		s, err := Update{Site: id, Bucket: 5, URL: row.URL, At: now, Snapshot: Snapshot{State: lifecycle.State{Status: check.StatusRunning}}}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		j.Left(s)
	}
	if r, err := j.Recall(now, &row); err != nil || r == nil || !r.Fresh {
		t.Fatalf("recalled %+v, %v", r, err)
	}
	j.Loaded(0)
	got := take(j, 0)
	slices.Sort(got)
	if !slices.Equal(got, []check.SiteID{0, 2}) || j.Has(0) {
		t.Errorf("to be deleted: %v", got)
	}
}

func TestThePartOfASnapshotThatCounts(t *testing.T) {
	t.Parallel()
	flap := lifecycle.Flap{Good: now.Add(-time.Minute), Agreed: true, Recoveries: [2]time.Time{now.Add(-time.Minute)}}
	kept := Snapshot{
		State:  lifecycle.State{Stage: lifecycle.Suspect, Status: check.StatusRunning, Failures: 2, Observed: now, Flap: flap},
		Checks: []record.LocalCheck{{Node: "a", At: now, Observation: down}}, LastCheck: now,
	}
	row := record.Site{ID: 1, Bucket: 5, URL: "http://a.example/", Status: check.StatusRunning}
	for name, tt := range map[string]struct {
		age   time.Duration // of the snapshot
		edit  func(*record.Site)
		spoil bool
		want  string
	}{
		"a fresh one in full":                         {age: 3 * time.Second, want: "all"},
		"one of ten minutes in full":                  {age: 10 * time.Minute, want: "all"},
		"an old one for its flapping":                 {age: 11 * time.Minute, want: "flap"},
		"one from a clock too far ahead the same way": {age: -11 * time.Minute, want: "flap"},
		"one from a clock a little ahead in full":     {age: -9 * time.Minute, want: "all"},
		"one of another URL not at all":               {edit: func(s *record.Site) { s.URL = "http://b.example/" }, want: "nothing"},
		"one of another status not at all":            {edit: func(s *record.Site) { s.Status = check.StatusDown }, want: "nothing"},
		"one that cannot be read is an error":         {spoil: true, want: "error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := row
			if tt.edit != nil {
				tt.edit(&row)
			}
			at := now.Add(-tt.age)
			s, err := Update{Site: 1, Bucket: 5, URL: "http://a.example/", At: at, Snapshot: kept}.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if tt.spoil {
				s.State = s.State[1:]
			}
			j := NewJournal()
			j.Left(s)
			r, err := j.Recall(now, &row)
			got := "nothing"
			switch {
			case err != nil:
				got = "error"
			case r != nil && r.Fresh:
				got = "all"
			case r != nil:
				got = "flap"
			}
			if got != tt.want || j.Has(1) {
				t.Fatalf("%s counts, want %s; it is still there: %t", got, tt.want, j.Has(1))
			}
			switch {
			case got == "all" && (r.State != kept.State || len(r.Checks) != 1):
				t.Errorf("recalled %+v", r)
			case got == "flap" && (r.State.Flap.Recoveries != flap.Recoveries || !r.State.Flap.Good.IsZero() || r.State.Flap.Agreed):
				t.Errorf("the flapping is %+v", r.State.Flap)
			}
		})
	}
}

func TestNothingRecalledIsInTheFuture(t *testing.T) {
	t.Parallel()
	later := now.Add(5 * time.Minute)
	s := Snapshot{LastCheck: later, Regional: Regional{At: later}, Checks: []record.LocalCheck{{At: later}, {At: now.Add(-time.Hour)}}}
	s.State = lifecycle.State{Observed: later, FirstFailure: later, Flap: lifecycle.Flap{Good: later, Recoveries: [2]time.Time{later, later}}}
	s.notAfter(now)
	for i, got := range []time.Time{
		s.LastCheck, s.Regional.At, s.State.Observed, s.State.FirstFailure, s.State.Flap.Good,
		s.State.Flap.Recoveries[0], s.State.Flap.Recoveries[1], s.Checks[0].At,
	} {
		if !got.Equal(now) {
			t.Errorf("time %d is %v, want %v", i, got, now)
		}
	}
	if !s.Checks[1].At.Equal(now.Add(-time.Hour)) {
		t.Error("a time that has passed is changed")
	}
}

func TestTooManyChecksLoseTheirMiddle(t *testing.T) {
	t.Parallel()
	var s Snapshot
	for i := range MaxChecks + 3 {
		s.Checks = append(s.Checks, record.LocalCheck{Node: string(rune('a' + i))})
	}
	state, err := s.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(state)
	if err != nil || len(got.Checks) != MaxChecks || got.Checks[0].Node != "a" || got.Checks[MaxChecks-1].Node != string(rune('a'+MaxChecks+2)) {
		t.Errorf("%v: %+v", err, got.Checks)
	}
}

// The journal against a list of waiting sites for each shard, over random outdating, moves, writes
// that fail, and shards that come and go.
func TestEachOutdatedSnapshotIsTakenOnce(t *testing.T) {
	seeds.Run(t, []uint64{1, 2, 3, 4, 5}, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		j := NewJournal()
		want := map[check.SiteID]shard.ID{}
		var taken []Update
		for step := range 10_000 {
			id, bucket := check.SiteID(rng.IntN(30)), check.BucketID(rng.IntN(3)*shard.BucketsPer)
			sh := shard.Of(bucket)
			switch rng.IntN(6) {
			case 0, 1, 2:
				j.Outdated(id, bucket)
				want[id] = sh
			case 3:
				id, bucket, ok := j.Next(sh)
				if ok != slices.Contains(slices.Collect(maps.Values(want)), sh) {
					t.Fatalf("step %d: site %d of shard %d is taken: %t", step, id, sh, ok)
				}
				if ok {
					if want[id] != sh {
						t.Fatalf("step %d: site %d is of shard %d, not %d", step, id, want[id], sh)
					}
					delete(want, id)
					taken = append(taken, Update{Site: id, Bucket: bucket})
				}
			case 4:
				j.GiveBack(taken)
				for _, u := range taken {
					if _, ok := want[u.Site]; !ok {
						want[u.Site] = shard.Of(u.Bucket)
					}
				}
				taken = nil
			default:
				if rng.IntN(10) == 0 {
					j.Drop(sh)
					j.Loaded(sh)
					for id, s := range want {
						if s == sh {
							delete(want, id)
						}
					}
				}
				taken = nil
			}
		}
		for sh := range shard.ID(3) {
			for _, id := range take(j, sh) {
				if s, ok := want[id]; !ok || s != sh {
					t.Fatalf("site %d is taken once too often", id)
				}
				delete(want, id)
			}
		}
		if len(want) != 0 {
			t.Fatalf("%v are not taken", want)
		}
	})
}
