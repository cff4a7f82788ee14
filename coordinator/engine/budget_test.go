package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// TestEveryStageHasABudget fails for a stage that is not in its table.
func TestEveryStageHasABudget(t *testing.T) {
	t.Parallel()
	want := map[lifecycle.Stage]time.Duration{
		lifecycle.NeverChecked:  check.RoutineTimeout,
		lifecycle.Up:            check.RoutineTimeout,
		lifecycle.Suspect:       check.VerifyTimeout,
		lifecycle.Verifying:     check.VerifyTimeout,
		lifecycle.Down:          check.VerifyTimeout,
		lifecycle.ConfirmedDown: check.VerifyTimeout,
		lifecycle.Recovering:    check.VerifyTimeout,
		lifecycle.Paused:        check.VerifyTimeout, // it is not checked
	}
	for stage := lifecycle.NeverChecked; stage.String() != fmt.Sprintf("Stage(%d)", stage); stage++ {
		if _, ok := want[stage]; !ok {
			t.Errorf("the table says nothing about %s", stage)
		}
		if got := budget(stage, false); got != want[stage] {
			t.Errorf("%s: %s, want %s", stage, got, want[stage])
		}
		if got := budget(stage, true); got != check.VerifyTimeout {
			t.Errorf("%s, urgent: %s, want %s", stage, got, check.VerifyTimeout)
		}
	}
}

// inTrouble lists the ways into each kind of trouble. Each leaves the site where its next
// routine check decides how it goes on.
var inTrouble = map[string]func(w *world, a, b *checker){
	"down": func(w *world, a, b *checker) {
		w.suspect(a, b)
		w.decide(quorum.Confirmed)
		w.commit()
	},
	"undecided": func(w *world, a, b *checker) {
		w.suspect(a, b)
		for range 3 {
			w.decide(quorum.Inconclusive)
			w.pass(16*time.Second, a, b)
		}
		w.stage(lifecycle.Suspect)
	},
	"confirmed down": func(w *world, a, b *checker) {
		w.suspect(a, b)
		w.decide(quorum.Confirmed)
		w.commit()
		for range 60 {
			w.pass(time.Minute, a, b)
			a.answer(down)
			b.answer(down)
		}
		w.stage(lifecycle.ConfirmedDown)
		w.commit()
	},
	"read with status 0": func(w *world, _, _ *checker) { w.engine.Put(w.now, told(check.StatusDown)) },
	"read with status 2": func(w *world, _, _ *checker) { w.engine.Put(w.now, told(check.StatusConfirmedDown)) },
	"loaded with status 0": func(w *world, _, _ *checker) {
		putBucket(w.engine, w.now, row().Bucket, []record.Site{told(check.StatusDown)})
	},
	"resumed": func(w *world, _, _ *checker) {
		r := told(check.StatusDown)
		r.Paused = true
		w.engine.Put(w.now, r)
		r.Paused = false
		w.engine.Put(w.now, r)
	},
	"down under another URL": func(w *world, _, _ *checker) {
		r := told(check.StatusDown)
		r.URL = "http://example.org/"
		w.engine.Put(w.now, r)
		w.engine.Put(w.now, told(check.StatusDown))
	},
	"asked for at once": func(w *world, _, _ *checker) {
		w.engine.Put(w.now, told(check.StatusConfirmedDown))
		w.engine.Soon(w.now, 42)
	},
	"started afresh after a refused change": func(w *world, a, b *checker) {
		w.suspect(a, b)
		w.decide(quorum.Confirmed)
		r := told(check.StatusDown)
		w.engine.Refused(w.now, w.writes[0], &r)
	},
}

func told(s check.Status) record.Site {
	r := row()
	r.Status = s
	r.StatusSince = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	return r
}

// next lets time pass until a check is out, and returns its checker.
func (w *world) next(cs ...*checker) *checker {
	w.t.Helper()
	for range 2 * int(time.Minute/grain) {
		for _, c := range cs {
			if len(c.batches) > 0 {
				return c
			}
		}
		w.pass(grain, cs...)
	}
	w.t.Fatal("no check is out")
	return nil
}

// A site in trouble is checked with the timeout of a re-check until it is up again, by
// whatever way it got there. Otherwise one that answers in 14 s would be kept down only by
// the checks that should find that it is back.
func TestASiteInTroubleHasTheBudgetOfARecheck(t *testing.T) {
	t.Parallel()
	for name, lead := range inTrouble {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, b := w.join("a"), w.join("b")
			lead(w, a, b)
			c := w.next(a, b)
			for _, doing := range []string{"in trouble", "recovering"} {
				if got := c.targets[42].Timeout; got != check.VerifyTimeout {
					t.Errorf("%s it is checked within %s, want %s", doing, got, check.VerifyTimeout)
				}
				if v, _ := w.engine.View(w.now, 42); v.State.Stage == lifecycle.Up {
					break
				}
				c.answer(up)
				if v, _ := w.engine.View(w.now, 42); v.State.Stage == lifecycle.Up {
					break // it was not reported down
				}
				c = w.next(a, b)
			}
			c.answer(up)
			w.stage(lifecycle.Up)
			if len(w.writes) > 0 {
				w.commit()
			}
			c = w.next(a, b)
			if got := c.targets[42].Timeout; got != check.RoutineTimeout {
				t.Errorf("up again it is checked within %s, want %s", got, check.RoutineTimeout)
			}
		})
	}
}

// A flapping site must pass many routine checks before it has recovered.
func TestARecoveryOfAFlappingSiteHasTheBudgetOfARecheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.engine.Put(w.now, told(check.StatusDown))
	s := w.engine.cases.find(42)
	s.State.Flap.Recoveries = [2]time.Time{w.now.Add(-time.Minute), w.now.Add(-2 * time.Minute)}
	w.engine.cases.settle(w.now, s)
	for range 8 {
		c := w.next(a, b)
		if got := c.targets[42].Timeout; got != check.VerifyTimeout {
			t.Fatalf("it is checked within %s, want %s", got, check.VerifyTimeout)
		}
		c.answer(up)
		w.stage(lifecycle.Recovering)
	}
}
