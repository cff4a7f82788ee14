package committer

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func TestAChangeIsRetriedUntilTheStoreHasIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &fakeStore{group: script(away, away, away, nil)}
		f := opened(b)
		f.Record(change(1, 0))
		time.Sleep(150 * time.Millisecond) // one failure or two
		synctest.Wait()
		if st := f.Status(); st.Uncommitted != 1 || st.FailingSince.IsZero() || st.Err == "" || st.Fenced != 0 {
			t.Errorf("status %+v", st)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		f.wantWritten(t, 1)
		if n := len(b.groups); n != 4 {
			t.Errorf("%d tries, want 4", n)
		}
		if st := f.Status(); !st.FailingSince.IsZero() || st.Err != "" {
			t.Errorf("status %+v", st)
		}
		f.end(t)
	})
}

func TestAConflictingChangeIsRefused(t *testing.T) {
	t.Parallel()
	gone := fault.New(fault.NotFound, "no such site")
	tests := []struct {
		name   string
		why    error
		site   func() error
		hasRow bool
	}{
		{"with the row as it is now", conflict, inTurn(nil), true},
		{"when the site is not there", gone, inTurn(nil), true},
		{"when its key is another one's", fault.New(fault.AlreadyExists, "taken"), inTurn(nil), true},
		{"with nothing when the row is gone", conflict, inTurn(gone), false},
		{"when the row can be read at last", conflict, inTurn(away, away, nil), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := opened(&fakeStore{change: func(record.Change) error { return tt.why }, site: tt.site})
				f.Record(change(1, 0))
				time.Sleep(time.Minute)
				synctest.Wait()
				if len(f.refused) != 1 || (f.refused[0] != nil) != tt.hasRow {
					t.Errorf("refused %v", f.refused)
				}
				if st := f.Status(); st.Uncommitted != 0 {
					t.Errorf("status %+v", st)
				}
				f.end(t)
			})
		})
	}
}

func TestAGroupIsOfOneShardTheOldestFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &fakeStore{}
		f := prepare(b, Options{Workers: 1})
		f.Record(change(1, 7))
		for i := range 250 {
			f.Record(change(2+i, 3))
		}
		f.Record(change(252, 7))
		f.Record(change(253, 0))
		f.open()
		synctest.Wait()
		if got, want := b.sizes(), []int{2, 100, 100, 50, 1}; !slices.Equal(got, want) {
			t.Errorf("groups of %d, want %d", got, want)
		}
		var last check.SiteID
		for i, g := range b.groups {
			for _, c := range g {
				if shard.Of(c.Bucket) != shard.Of(g[0].Bucket) {
					t.Errorf("group %d has changes of several shards", i)
				}
				if c.Bucket == 3*shard.BucketsPer {
					if c.SiteID < last {
						t.Errorf("change %d goes after %d", c.SiteID, last)
					}
					last = c.SiteID
				}
			}
		}
		f.wantWritten(t, 253)
		f.end(t)
	})
}

func TestASingleChangeIsAGroupOfOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &fakeStore{}
		f := opened(b)
		began := time.Now()
		for i := range 3 {
			f.Record(change(i, 0))
			synctest.Wait()
		}
		if got := b.sizes(); !slices.Equal(got, []int{1, 1, 1}) || time.Since(began) != 0 {
			t.Errorf("groups of %d after %v", got, time.Since(began))
		}
		f.end(t)
	})
}

func TestTwoChangesOfASiteAreNeverInOneGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &fakeStore{}
		f := prepare(b, Options{})
		for _, site := range []int{1, 2, 3, 2, 4, 3, 3} {
			f.Record(change(site, 0))
		}
		f.open()
		synctest.Wait()
		if got, want := b.sizes(), []int{3, 3, 1}; !slices.Equal(got, want) {
			t.Errorf("groups of %d, want %d", got, want)
		}
		f.end(t)
	})
}

func TestOneRefusalInAGroupIsItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &fakeStore{change: func(c record.Change) error {
			if c.SiteID == 3 {
				return conflict
			}
			return nil
		}}
		f := prepare(b, Options{Workers: 1})
		for i := range 10 {
			f.Record(change(i, 0))
		}
		f.open()
		synctest.Wait()
		f.wantWritten(t, 9)
		if len(f.refused) != 1 || f.refused[0].ID != 3 || len(b.groups) != 1 {
			t.Errorf("refused %+v after %d groups", f.refused, len(b.groups))
		}
		f.end(t)
	})
}

func TestNothingIsWrittenForAnUncertainShard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &fakeStore{}
		f := opened(b)
		f.shards.Doubt(0, true)
		f.Record(change(1, 0))
		f.Keep(record.Ballot{SiteID: 1})
		time.Sleep(time.Minute)
		synctest.Wait()
		st := f.Status()
		if len(b.groups) != 0 || b.kept != 0 || st.Uncommitted != 1 || st.DroppedEvidence != 1 || !st.FailingSince.IsZero() {
			t.Fatalf("groups %v, kept %d, status %+v", b.groups, b.kept, st)
		}
		if st.Fenced != 0 {
			t.Error("a change that waits until its shard is surely ours again is counted as fenced")
		}
		f.shards.Doubt(0, false)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		f.wantWritten(t, 1)
		if n := f.Status().Fenced; n != 0 {
			t.Errorf("%d changes are counted as fenced, though all are written", n)
		}
		f.end(t)
	})
}

// It does not matter whether we learn of the loss first or the store.
func TestChangesDiscardedWithTheirShardAreCounted(t *testing.T) {
	t.Parallel()
	for name, another := range map[string]error{"we know": nil, "the store knows": fault.New(fault.Fenced, "another owner")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var lost atomic.Bool
				b := &fakeStore{group: func(context.Context, []record.Change) error {
					if lost.Load() {
						return another
					}
					return nil
				}}
				f := opened(b)
				lost.Store(true)
				f.shards.Doubt(0, another == nil)
				f.Record(change(1, 0))
				f.Record(change(2, 0))
				time.Sleep(time.Minute)
				synctest.Wait()
				if st := f.Status(); st.Fenced != 0 || st.Uncommitted != 2 || !st.FailingSince.IsZero() {
					t.Errorf("status %+v, want two changes that wait for what becomes of their shard", st)
				}
				tried := len(b.groups)
				f.Forget(0) // its next owner finds out for itself
				lost.Store(false)
				f.shards.Doubt(0, false)
				time.Sleep(time.Minute)
				synctest.Wait()
				if st := f.Status(); len(b.groups) != tried || st.Uncommitted != 0 || st.Fenced != 2 {
					t.Errorf("groups %v, status %+v", b.groups, st)
				}
				f.Record(change(3, 0)) // it is ours again
				synctest.Wait()
				f.wantWritten(t, 1)
				f.end(t)
			})
		})
	}
}

// An owner in between has judged the sites of the shard for itself.
func TestAChangeOfAnEarlierTenureIsNeverWritten(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*fixture){
		"though nobody said that it was over": func(*fixture) {},
		"nor when it was decided after that":  func(f *fixture) { f.Forget(0); f.Record(change(2, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := opened(&fakeStore{})
				f.shards.Doubt(0, true)
				f.Record(change(1, 0))
				lose(f)
				void := f.Status().Fenced + uint64(f.Status().Uncommitted)
				time.Sleep(2 * time.Hour)
				f.shards.Set(0, shard.Tenure{Term: 3})
				f.Record(change(3, 0)) // while it is ours again, and not for certain
				time.Sleep(time.Minute)
				f.shards.Doubt(0, false)
				time.Sleep(time.Minute)
				synctest.Wait()
				f.wantWritten(t, 1)
				if n := f.Status().Fenced; n != void || len(f.committed) != 1 || f.committed[0].SiteID != 3 {
					t.Errorf("%d fenced, want %d; committed %v", n, void, f.committed)
				}
				f.end(t)
			})
		})
	}
}

func TestAChangeOfAShardThatIsNotOursIsDiscardedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := opened(&fakeStore{})
		f.shards.Lose(0)
		f.Record(change(1, 0))
		if st := f.Status(); st.Uncommitted != 0 || st.Fenced != 1 || !st.OldestSince.IsZero() {
			t.Errorf("status %+v", st)
		}
		f.end(t)
	})
}

func TestStatusHasTheTimeOfTheOldestWaitingChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &fakeStore{group: func(_ context.Context, cs []record.Change) error {
			if slices.ContainsFunc(cs, func(c record.Change) bool { return c.SiteID == 2 }) {
				return fault.New(fault.Invalid, "too long")
			}
			return nil
		}}
		f := opened(b)
		wait := func(of string, since time.Time) {
			t.Helper()
			time.Sleep(30 * time.Second)
			synctest.Wait()
			if got := f.Status().OldestSince; !got.Equal(since) {
				t.Errorf("the oldest change is %s: it waits since %v, said is %v", of, since, got)
			}
		}
		wait("none", time.Time{})
		f.shards.Doubt(0, true)
		first := time.Now()
		f.Record(change(1, 0))
		time.Sleep(time.Second)
		second := time.Now()
		f.Record(change(2, 1))
		time.Sleep(time.Second)
		f.Record(change(3, 1))
		wait("that of the shard that is not surely ours", first)
		f.shards.Doubt(0, false)
		wait("that which the store cannot take", second)
		f.Forget(1)
		wait("none again", time.Time{})
		f.end(t)
	})
}

func TestAChangeWaitsWhenItsShardBecomesUncertainBetweenTwoCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &fakeStore{change: func(record.Change) error { return conflict }}
		f := opened(b)
		b.site = func() error { f.shards.Doubt(0, true); return nil }
		f.Record(change(1, 0))
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := f.Status(); len(f.refused) != 0 || st.Uncommitted != 1 || st.Fenced != 0 {
			t.Errorf("refused %v, status %+v", f.refused, st)
		}
		b.site = nil
		f.shards.Doubt(0, false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(f.refused) != 1 || f.refused[0] == nil || f.Status().Uncommitted != 0 {
			t.Errorf("refused %v, status %+v", f.refused, f.Status())
		}
		f.end(t)
	})
}

func TestChangesOfAShardThatIsLostDuringTheirCommitAreDiscarded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		then      error
		refuse    error
		committed int
	}{
		{"when the store is away", away, nil, 0},
		{"when the store says so too", fault.New(fault.Fenced, "another owner"), nil, 0},
		{"when the change does not fit", nil, conflict, 0},
		{"but for what the store has taken", nil, nil, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &fakeStore{
					group:  func(context.Context, []record.Change) error { time.Sleep(time.Second); return tt.then },
					change: func(record.Change) error { return tt.refuse },
				}
				f := opened(b)
				f.Record(change(1, 0))
				synctest.Wait()
				f.Forget(0)
				time.Sleep(time.Minute)
				synctest.Wait()
				f.wantWritten(t, tt.committed)
				st := f.Status()
				if len(f.refused) != 0 || len(b.groups) != 1 || st.Fenced != uint64(1-tt.committed) || !st.FailingSince.IsZero() {
					t.Errorf("refused %v, %d tries, status %+v", f.refused, len(b.groups), st)
				}
				f.end(t)
			})
		})
	}
}

func TestAFailingShardDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := prepare(&fakeStore{group: func(_ context.Context, cs []record.Change) error {
			if shard.Of(cs[0].Bucket)%2 == 1 {
				return away
			}
			return nil
		}}, Options{})
		for s := range shard.ID(30) { // more than there are workers
			f.shards.Doubt(s, s%2 == 0)
			f.Record(change(int(s), s))
		}
		f.open()
		time.Sleep(10 * time.Second)
		f.Record(change(30, 30))
		synctest.Wait()
		if len(f.committed) != 1 || f.Status().Uncommitted != 30 {
			t.Errorf("%d committed, status %+v", len(f.committed), f.Status())
		}
		f.end(t)
	})
}

func TestAnUnacceptableChangeDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &fakeStore{group: func(_ context.Context, cs []record.Change) error {
			if slices.ContainsFunc(cs, func(c record.Change) bool { return c.SiteID == 5 }) {
				return fault.New(fault.Invalid, "too long")
			}
			return nil
		}}
		f := prepare(b, Options{Workers: 1})
		for i := range 200 {
			f.Record(change(i, 0))
		}
		f.open()
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := f.Status(); len(f.committed) != 199 || st.Uncommitted != 1 || st.FailingSince.IsZero() {
			t.Errorf("%d committed, status %+v", len(f.committed), st)
		}
		f.end(t)
	})
}

func TestASlowStoreGetsSmallerGroups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context, cs []record.Change) error {
			select {
			case <-time.After(time.Duration(len(cs)) * 300 * time.Millisecond): // a hundred take half a minute
				return nil
			case <-ctx.Done():
				return fault.New(fault.Unavailable, "too slow: %w", ctx.Err())
			}
		}
		f := prepare(&fakeStore{group: slow}, Options{Workers: 1})
		for i := range 200 {
			f.Record(change(i, 0))
		}
		f.open()
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		f.wantWritten(t, 200)
		f.end(t)
	})
}

func TestFullUntilTheStoreIsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from := time.Now()
		b := &fakeStore{group: func(context.Context, []record.Change) error {
			if time.Since(from) < 10*time.Second {
				return fault.New(fault.Unavailable, "read-only")
			}
			return nil
		}}
		f := prepare(b, Options{MaxQueued: 500})
		f.open()
		for i := range 500 {
			f.Record(change(i, shard.ID(i%shard.Count)))
		}
		if f.Full() || f.Status().Full {
			t.Error("full at its bound")
		}
		f.Record(change(500, 0))
		if !f.Full() || !f.Status().Full {
			t.Error("not full beyond its bound")
		}
		for i := range 500 { // it takes them nevertheless
			f.Record(change(501+i, 1))
		}
		time.Sleep(16 * time.Second) // back after 10 s, noticed within 5 s
		synctest.Wait()
		f.wantWritten(t, 1001)
		if f.Full() || f.Status().Full {
			t.Error("full though nothing waits")
		}
		f.end(t)
	})
}

func TestTheAlarmEndsWhenNothingIsLeftToRefuse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := opened(&fakeStore{group: script(away)})
		f.Record(change(1, 0))
		time.Sleep(time.Minute)
		synctest.Wait()
		f.Forget(0)
		time.Sleep(time.Minute)
		if st := f.Status(); !st.FailingSince.IsZero() || st.Uncommitted != 0 {
			t.Errorf("status %+v", st)
		}
		f.end(t)
	})
}

func TestEvidenceWaitsForAnUnreachableStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from := time.Now()
		b := &fakeStore{ballot: func() error {
			if time.Since(from) < 15*time.Second {
				return away
			}
			return nil
		}}
		f := opened(b)
		for range 5 {
			f.Keep(record.Ballot{SiteID: 1})
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := f.Status(); b.kept != 5 || st.DroppedEvidence != 0 {
			t.Errorf("%d kept, status %+v", b.kept, st)
		}
		f.end(t)
	})
}

func TestEvidenceThatCannotBeKeptIsDroppedAndCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := prepare(&fakeStore{ballot: inTurn(away)}, Options{Workers: 1})
		for range maxEvidence + 3 {
			f.Keep(record.Ballot{SiteID: 1})
		}
		if st := f.Status(); st.DroppedEvidence != 3 {
			t.Errorf("status %+v", st)
		}
		g := opened(&fakeStore{ballot: inTurn(away)})
		g.Keep(record.Ballot{SiteID: 1})
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := g.Status(); st.DroppedEvidence != 1 {
			t.Errorf("status %+v", st)
		}
		g.end(t)
	})
}

func TestQueuedChangesAreWrittenAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &fakeStore{group: script(away, away, away, away, nil)}
		f := prepare(b, Options{})
		for i := range 1000 {
			f.Record(change(i, shard.ID(i%4)))
		}
		f.Keep(record.Ballot{SiteID: 1})
		f.open()
		time.Sleep(time.Millisecond)
		f.end(t)
		f.wantWritten(t, 1000)
		if b.kept != 1 {
			t.Errorf("%d kept", b.kept)
		}
	})
}

func TestTheEndDoesNotWaitForADeadStore(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		group func(context.Context, []record.Change) error
	}{
		{"that refuses", script(away)},
		{"that hangs", func(ctx context.Context, _ []record.Change) error { return hang(ctx) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := opened(&fakeStore{group: tt.group})
				for i := range 10 {
					f.Record(change(i, 0))
				}
				time.Sleep(time.Second)
				began := time.Now()
				f.end(t)
				if took := time.Since(began); took > 4*time.Second {
					t.Errorf("took %v", took)
				}
				if n := f.Status().Uncommitted; n != 10 {
					t.Errorf("%d are said to wait, want 10", n)
				}
			})
		})
	}
}

func TestAShardIsAwaitedUntilItsChangesAreAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &fakeStore{group: script(away, away, nil)}
		f := opened(b)
		f.Record(change(1, 0))
		begun := time.Now()
		f.Await(t.Context(), shard.Of(check.Buckets-1)) // has nothing to wait for
		if d := time.Since(begun); d != 0 {
			t.Errorf("another shard was awaited for %s", d)
		}
		short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		f.Await(short, 0)
		if st := f.Status(); st.Uncommitted != 1 {
			t.Errorf("status %+v", st)
		}
		f.Await(t.Context(), 0)
		if st := f.Status(); st.Uncommitted != 0 {
			t.Errorf("status %+v", st)
		}
		f.end(t)
	})
}
