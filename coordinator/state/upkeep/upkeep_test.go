package upkeep_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/coordinator/state/upkeep"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// orphanage is a store with orphans.
type orphanage struct {
	mu      sync.Mutex
	orphans []record.Outage
	// unnoticed has outages whose sites were paused.
	unnoticed []record.Outage
	lists     int
	strays    record.Strays
	counts    int
	fences    []shard.Fence
	// err is the error of every listing; stubborn has the shards whose orphans it does not
	// end, with the error it returns.
	err      error
	stubborn map[shard.ID]error
	out      bytes.Buffer
}

func (o *orphanage) ListOrphans(_ context.Context, shards []shard.ID, limit int) ([]record.Outage, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lists++
	if o.err != nil {
		return nil, o.err
	}
	var found []record.Outage
	for _, x := range o.orphans {
		if slices.Contains(shards, shard.Of(x.Bucket)) && len(found) < limit {
			found = append(found, x)
		}
	}
	return found, nil
}

func (o *orphanage) EndOrphans(_ context.Context, f shard.Fence, ids []int64, at time.Time) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fences = append(o.fences, f)
	if err, ok := o.stubborn[f.Shard]; ok {
		return 0, err
	}
	if !at.Equal(time.Now()) {
		return 0, errors.New("ended at another time than now")
	}
	before := len(o.orphans)
	o.orphans = slices.DeleteFunc(o.orphans, func(x record.Outage) bool {
		return slices.Contains(ids, x.ID) && shard.Of(x.Bucket) == f.Shard
	})
	return before - len(o.orphans), nil
}

func (o *orphanage) ListUnnoticed(_ context.Context, _ []shard.ID, _ int) ([]record.Outage, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.unnoticed, nil
}

func (o *orphanage) CountStrays(context.Context) (record.Strays, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.counts++
	return o.strays, nil
}

func (o *orphanage) NotePauses(_ context.Context, f shard.Fence, ids []int64, _ time.Time) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := len(o.unnoticed)
	o.unnoticed = slices.DeleteFunc(o.unnoticed, func(x record.Outage) bool {
		return slices.Contains(ids, x.ID) && shard.Of(x.Bucket) == f.Shard
	})
	return before - len(o.unnoticed), nil
}

// add adds orphans of a shard.
func (o *orphanage) add(s shard.ID, n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for range n {
		id := int64(len(o.orphans) + 1 + 10_000*int(s))
		o.orphans = append(o.orphans, record.Outage{ID: id, SiteID: check.SiteID(id), Bucket: check.BucketID(s) * shard.BucketsPer})
	}
}

// left lists the shards that have orphans, one for each.
func (o *orphanage) left() (shards []shard.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, x := range o.orphans {
		shards = append(shards, shard.Of(x.Bucket))
	}
	return shards
}

func (o *orphanage) set(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

func (o *orphanage) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.out.Write(p)
}

func (o *orphanage) logged(what string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Count(o.out.String(), what)
}

// run runs a Deletion with shards 3 and 5, and 9, which is uncertain; time is virtual.
func run(t *testing.T, o *orphanage) {
	t.Helper()
	shards := shardtest.New(3, 5)
	shards.Set(9, shard.Tenure{Term: 1})
	d := upkeep.New(upkeep.Options{Store: o, Log: slog.New(slog.NewTextHandler(o, nil)), Shards: shards})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := d.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
}

// The owner of the first shard counts the rows that nobody can watch; the others do not.
func TestRowsThatNobodyCanWatchAreCountedByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &orphanage{strays: record.Strays{Rows: 3, First: 600, Last: 700}}
		shards := shardtest.New(3)
		u := upkeep.New(upkeep.Options{Store: o, Log: slog.New(slog.NewTextHandler(o, nil)), Shards: shards})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = u.Run(ctx) })
		defer running.Wait()
		defer cancel()
		see := func(want int, since time.Time) {
			t.Helper()
			time.Sleep(31 * time.Second)
			synctest.Wait()
			if s, from := u.Strays(); s.Rows != want || !from.Equal(since) {
				t.Errorf("%+v since %v, want %d since %v", s, from, want, since)
			}
		}
		see(0, time.Time{})
		if o.counts != 0 {
			t.Error("counted although the first shard is not ours")
		}
		shards.Set(0, shard.Tenure{Term: 1, Sure: true})
		time.Sleep(31 * time.Second)
		_, since := u.Strays()
		see(3, since)
		if since.IsZero() {
			t.Error("there are strays since never")
		}
		o.set(func() { o.strays = record.Strays{} })
		see(0, time.Time{})
	})
}

func TestOrphansOfOurShardsAreEndedWithinHalfAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &orphanage{}
		o.add(3, 2)
		o.add(5, 1)
		o.add(9, 1)
		o.add(20, 1)
		run(t, o)
		time.Sleep(6 * time.Second) // the first pass also finds rows deleted before the start
		if left := o.left(); !slices.Equal(left, []shard.ID{9, 20}) {
			t.Errorf("orphans of shards %v are left, want those of shards that are uncertain or not ours", left)
		}
		for _, f := range o.fences {
			if f.Node != shardtest.Node || f.Term != 1 {
				t.Errorf("written under %+v", f)
			}
		}
		if n := o.logged("outages of deleted or changed sites ended"); n != 2 {
			t.Errorf("%d lines were logged, want one a shard", n)
		}
		o.add(5, 1)
		time.Sleep(31 * time.Second)
		if left := o.left(); !slices.Equal(left, []shard.ID{9, 20}) {
			t.Errorf("orphans of shards %v are left half a minute later", left)
		}
	})
}

func TestAllOrphansAreEndedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &orphanage{}
		o.add(3, 1234)
		run(t, o)
		time.Sleep(6 * time.Second)
		if n := len(o.left()); n != 0 {
			t.Errorf("%d are left", n)
		}
	})
}

func TestAnOrphanThatCannotBeEndedWaitsAndDelaysNoOther(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"fenced": fault.New(fault.Fenced, "not yours"), "away": errors.New("away"), "no orphan any more": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := &orphanage{stubborn: map[shard.ID]error{3: err}}
				o.add(3, 600)
				run(t, o)
				time.Sleep(6 * time.Second)
				o.add(5, 1)
				o.set(func() { slices.Reverse(o.orphans) }) // that of 5 is among the first
				time.Sleep(30 * time.Second)
				if left := o.left(); slices.Contains(left, 5) || len(left) != 600 {
					t.Errorf("%d are left, of shard 5: %t", len(left), slices.Contains(left, 5))
				}
				o.set(func() {
					if o.lists > 4 {
						t.Errorf("looked %d times in 36 s", o.lists)
					}
					o.stubborn = nil
				})
				time.Sleep(30 * time.Second)
				if n := len(o.left()); n != 0 {
					t.Errorf("%d are left in the end", n)
				}
			})
		})
	}
}

func TestAnUnreachableDatabaseIsLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &orphanage{err: errors.New("away")}
		o.add(3, 1)
		run(t, o)
		time.Sleep(5 * time.Minute)
		if n := o.logged("keeping open outages in line with their rows failed"); n != 1 || len(o.left()) != 1 {
			t.Errorf("logged %d times in five minutes", n)
		}
		o.set(func() { o.err = nil })
		time.Sleep(31 * time.Second)
		if n := o.logged("keeping open outages in line with their rows recovered"); n != 1 || len(o.left()) != 0 {
			t.Errorf("its recovery was logged %d times, %d orphans are left", n, len(o.left()))
		}
	})
}

func TestPausesInOurShardsAreNotedWithinHalfAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &orphanage{}
		run(t, o)
		time.Sleep(6 * time.Second)
		o.set(func() {
			for _, s := range []shard.ID{3, 5} {
				o.unnoticed = append(o.unnoticed, record.Outage{ID: int64(s), Bucket: check.BucketID(s) * shard.BucketsPer})
			}
		})
		time.Sleep(31 * time.Second)
		o.set(func() {
			if len(o.unnoticed) != 0 {
				t.Errorf("half a minute later %v are left", o.unnoticed)
			}
		})
		if n := o.logged("pauses of sites with open outages noted"); n != 2 {
			t.Errorf("%d lines were logged, want one a shard", n)
		}
	})
}
