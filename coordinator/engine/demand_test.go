package engine

import (
	"errors"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/internal/check"
)

// demand has site 42 checked now.
func (w *world) demand() *Demand {
	w.t.Helper()
	d, err := w.engine.Demand(w.now, 42)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// hasEnded reports whether a check on demand has ended, and with what outcome.
func hasEnded(d *Demand) (check.Outcome, bool) {
	select {
	case <-d.Done():
		return d.Seen().Outcome, true
	default:
		return 0, false
	}
}

func TestACheckOnDemandIsMadeAtOnceAndSharedByAllWhoDemandIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.join("a")
	w.engine.Put(w.now, row())
	w.pass(time.Minute, a)
	a.answer(up)
	w.pass(time.Second, a)
	v, _ := w.engine.View(w.now, 42)
	routine := v.Next
	d := []*Demand{w.demand(), w.demand(), w.demand()}
	if len(a.batches) != 1 || len(a.batches[0].Checks) != 1 {
		t.Fatalf("%d batches are out, want one check", len(a.batches))
	}
	if target := a.targets[42]; target.Timeout != check.RoutineTimeout {
		t.Errorf("it may take %v, as one of a site in trouble", target.Timeout)
	}
	for i := range d {
		if err := w.engine.Renew(w.now, d[i]); err != nil || len(a.batches) != 1 {
			t.Fatalf("renewed: %v, %d batches", err, len(a.batches))
		}
	}
	w.engine.Waive(d[2])
	a.answer(down)
	for _, d := range d {
		if outcome, ok := hasEnded(d); !ok || outcome != check.OutcomeDown {
			t.Errorf("ended %v with %v", ok, outcome)
		}
	}
	w.stage(lifecycle.Suspect) // it counts as any other check
	if v, _ := w.engine.View(w.now, 42); !v.Next.Equal(w.now.Add(20*time.Second)) && !v.Next.Before(routine) {
		t.Errorf("the next check is at %v, the routine was at %v", v.Next, routine)
	}
	w.engine.Waive(d[0])
	w.engine.Waive(d[1])
	if n := w.engine.demands; len(n.open) != 0 || n.waiting != 0 {
		t.Errorf("left behind: %+v", n)
	}
}

// The routine goes on as if nobody had demanded a check.
func TestACheckOnDemandDoesNotMoveTheSchedule(t *testing.T) {
	t.Parallel()
	turns := func(demanded bool) (at []time.Duration) {
		w := newWorld(t)
		a := w.join("a")
		w.engine.Put(w.now, row())
		begin := w.now
		for range 3 * 600 {
			w.pass(grain, a)
			if len(a.batches) > 0 {
				at = append(at, w.now.Sub(begin))
				a.answer(up)
			}
			if demanded && w.now.Sub(begin)%(7*time.Second) == 0 {
				d := w.demand()
				if a.answer(up) != 1 {
					t.Fatal("it was not made at once")
				}
				w.engine.Waive(d)
			}
		}
		return at
	}
	with, without := turns(true), turns(false)
	if len(with) != len(without) || len(with) != 3 {
		t.Fatalf("%v and %v", with, without)
	}
	for i := range with {
		if with[i] != without[i] {
			t.Errorf("turn %d is at %v, was at %v", i, with[i], without[i])
		}
	}
}

// In the middle of a verdict a demand adds no check: it gets the next that the verdict wants.
func TestACheckOnDemandBendsNoVerdict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.engine.Put(w.now, row())
	w.pass(time.Minute, a, b)
	a.answer(down)
	b.answer(down)
	w.stage(lifecycle.Suspect)
	d := w.demand()
	w.pass(19*time.Second, a, b)
	if len(a.batches)+len(b.batches) != 0 {
		t.Fatal("a suspect is checked out of turn")
	}
	w.pass(2*time.Second, a, b)
	a.answer(down)
	b.answer(down)
	if outcome, ok := hasEnded(d); !ok || outcome != check.OutcomeDown {
		t.Errorf("ended %v with %v", ok, outcome)
	}
	w.pass(21*time.Second, a, b)
	a.answer(down)
	b.answer(down)
	w.stage(lifecycle.Verifying)
	d = w.demand()
	w.pass(time.Second, a, b)
	if _, ok := hasEnded(d); ok || len(a.batches)+len(b.batches) != 0 {
		t.Error("a site is checked whose ballot is open")
	}
	w.engine.Waive(d)
}

func TestWhyASiteIsNotCheckedOnDemand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := func(what string, got, want error) {
		t.Helper()
		if !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	_, err := w.engine.Demand(w.now, 42)
	want("a site of nobody", err, ErrUnwatched)
	w.engine.Put(w.now, row())
	_, err = w.engine.Demand(w.now, 42)
	want("without checkers", err, ErrNoCheckers)
	a := w.join("a")
	d := w.demand()
	paused := row()
	paused.Paused = true
	w.now = w.now.Add(time.Second)
	w.engine.Put(w.now, paused)
	_, err = w.engine.Demand(w.now, 42)
	want("a paused site", err, ErrPaused)
	want("a site that is paused meanwhile", w.engine.Renew(w.now, d), ErrPaused)
	w.engine.Waive(d)
	w.now = w.now.Add(time.Second)
	w.engine.Put(w.now, row())
	a.batches = nil

	// A check that is withdrawn, as by another URL, is made again.
	d = w.demand()
	moved := row()
	moved.URL = "http://moved.example/"
	w.now = w.now.Add(time.Second)
	w.engine.Put(w.now, moved)
	a.batches = nil
	want("withdrawn", w.engine.Renew(w.now, d), nil)
	if len(a.batches) != 1 || a.targets[42].URL != moved.URL {
		t.Errorf("%v is out", a.batches)
	}
	a.answer(up)
	if _, ok := hasEnded(d); !ok {
		t.Error("it has not ended")
	}
	want("an ended one", w.engine.Renew(w.now, d), nil)
	w.engine.Waive(d)
	w.engine.Remove(w.now, 42)

	w.now = w.now.Add(time.Second)
	w.engine.Put(w.now, row())
	for range maxWaiting {
		d = w.demand()
	}
	_, err = w.engine.Demand(w.now, 42)
	want("too many", err, ErrDemands)
	w.engine.Waive(d)
	w.demand()
}
