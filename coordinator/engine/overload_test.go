package engine

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// many puts n sites with an interval of a minute.
func (w *world) many(n int) {
	for i := range n {
		r := row()
		r.ID, r.Interval = check.SiteID(1001+i), time.Minute
		r.URL = fmt.Sprintf("http://site-%d.example/", i)
		w.engine.Put(w.now, r)
	}
}

// work lets a checker answer at most perTick checks a grain, the oldest first.
func (w *world) work(d time.Duration, c *checker, perTick int, seen func(check.SiteID)) {
	for range d / grain {
		w.pass(grain, c)
		n := 0
		for left := perTick; n < len(c.batches) && left > 0; n++ {
			left -= len(c.batches[n].Checks)
			for _, k := range c.batches[n].Checks {
				seen(k.Site)
			}
		}
		rest := slices.Clone(c.batches[n:])
		c.batches = c.batches[:n]
		c.answer(up)
		c.batches = append(c.batches, rest...)
	}
}

func TestOverloadStretchesAllIntervalsAlikeAndEndsByItself(t *testing.T) {
	t.Parallel()
	const sites = 600 // 10 a second, one a grain
	w := newWorld(t)
	c := w.join("a")
	w.many(sites)
	count := map[check.SiteID]int{}
	seen := func(id check.SiteID) { count[id]++ }

	w.work(8*time.Minute, c, 20, seen)
	sum := w.engine.Summary(w.now)
	if r := sum.Coverage; !r.Known || r.Coverage < 0.999 || r.Stretch > 1.001 || r.P99 > time.Second {
		t.Errorf("with room for all: %+v", r)
	}

	// Four checks in ten ticks come back: the capacity is 40 %.
	clear(count)
	for range 20 * 60 {
		w.work(9*grain, c, 0, seen)
		w.work(grain, c, 4, seen)
	}
	sum = w.engine.Summary(w.now)
	if r := sum.Coverage; math.Abs(r.Coverage-0.4) > 0.05 || math.Abs(r.Stretch-2.5) > 0.3 {
		t.Errorf("with room for 40 %%: %+v", r)
	}
	if sum.Open > 200 {
		t.Errorf("%d checks are open: they pile up", sum.Open)
	}
	fewest, most := math.MaxInt, 0
	for id := range check.SiteID(sites) {
		fewest, most = min(fewest, count[1001+id]), max(most, count[1001+id])
	}
	if fewest < 7 || most > fewest+2 {
		t.Errorf("in 20 minutes some were checked %d times, some %d times; want about 8 for all", fewest, most)
	}

	w.work(8*time.Minute, c, 20, seen)
	if r := w.engine.Summary(w.now).Coverage; r.Coverage < 0.999 || r.Stretch > 1.001 {
		t.Errorf("with room for all again: %+v", r)
	}
}

func TestAPauseOfTheProcessCausesNoBurst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.join("a")
	w.many(600)
	w.work(3*time.Minute, c, 20, func(check.SiteID) {})
	w.now = w.now.Add(40 * time.Second)
	if _, err := w.engine.Heartbeat(w.now, c.id, nil, check.SelfCheck{Healthy: true}); err != nil {
		t.Fatal(err)
	}
	w.engine.Tick(w.now)
	if open := w.engine.Summary(w.now).Open; open > 30 {
		t.Errorf("%d checks are due at once after a pause of 40 s", open)
	}
}

func TestRechecksDoNotWaitForTheSchedulesClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.join("a")
	w.engine.Put(w.now, row())
	w.engine.Soon(w.now, 42)
	w.pass(time.Second, a)
	if a.answer(down) != 1 {
		t.Fatal("no first check")
	}
	w.many(600)
	w.pass(40*time.Second, a) // what it has out is not answered: the clock stands
	if r := w.engine.Summary(w.now).Coverage; r.Stretch < 1.5 {
		t.Fatalf("the clock runs on: %+v", r)
	}
	b := w.join("b")
	w.pass(grain, a, b)
	for _, batch := range append(a.batches, b.batches...) {
		for _, k := range batch.Checks {
			if k.Site == 42 && k.Urgent {
				return
			}
		}
	}
	t.Error("the second check is not handed out")
}

func TestNothingNewIsDecidedWhileTheCommitterIsFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.full = true
	w.suspect(w.join("a"), w.join("b"))
	a := w.join("a")
	w.pass(time.Minute, a)
	if len(w.asked) != 0 {
		t.Fatalf("%d ballots are open", len(w.asked))
	}
	w.full = false
	w.pass(6*time.Second, a)
	if len(w.asked) != 1 {
		t.Fatalf("%d ballots are open when there is room again", len(w.asked))
	}
	w.decide(quorum.Confirmed)
	w.commit()
	w.stage(lifecycle.Down)

	w.full = true
	b := w.join("b")
	for range 10 {
		w.pass(time.Minute, a, b)
		a.answer(up)
		b.answer(up)
	}
	w.stage(lifecycle.Down)
	w.full = false
	for range 10 {
		w.pass(time.Minute, a, b)
		a.answer(up)
		b.answer(up)
	}
	if c := w.writes[len(w.writes)-1]; c.To != check.StatusRunning {
		t.Errorf("the recovery was lost: %+v", c)
	}
}

func TestResultsForALostShardAreStale(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.join("a")
	w.engine.Put(w.now, row())
	w.engine.Soon(w.now, 42)
	w.pass(time.Second, c)
	b := c.batches[0]
	w.engine.DropShard(shard.Of(row().Bucket))
	r, err := w.engine.CheckIn(w.now, c.id, b.Ref, []Result{{
		Key: dispatch.Key{Site: 42, Sequence: b.Checks[0].Sequence}, At: w.now, Observation: down,
	}})
	if err != nil || r.Stale != 1 || r.Accepted != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if n := w.engine.Counters().Stale; n != 1 {
		t.Errorf("%d stale results are counted", n)
	}
}

func TestAReadingOfALostShardIsVoid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.engine.Read(w.now, row().Bucket)
	w.engine.DropShard(shard.Of(row().Bucket))
	r.Put([]record.Site{row()})
	r.Done()
	if _, ok := w.engine.View(w.now, 42); ok {
		t.Error("a site of a shard that was lost is watched")
	}
}
