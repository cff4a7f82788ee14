package engine

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
)

// A turn that is arranged comes when it was to come; the one after it follows the new
// interval.
func TestAChangedIntervalHoldsFromTheNextCheckOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.join("c")
	w.engine.Put(w.now, row())
	checks := func(d time.Duration) (n int) {
		for end := w.now.Add(d); w.now.Before(end); {
			w.pass(time.Second, c)
			n += c.answer(up)
		}
		return n
	}
	if n := checks(10 * time.Minute); n != 10 {
		t.Fatalf("%d checks in ten minutes, one a minute was asked for", n)
	}
	w.engine.Change(Terms{Policy: lifecycle.DefaultPolicy(), Interval: 10 * time.Second})
	if n := checks(time.Minute); n < 1 {
		t.Errorf("%d checks in the minute of the change", n)
	}
	if n := checks(10 * time.Minute); n != 60 {
		t.Errorf("%d checks in ten minutes, one each 10 s was asked for", n)
	}
	w.engine.Change(Terms{Policy: lifecycle.DefaultPolicy()})
	checks(time.Minute)
	if n := checks(10 * time.Minute); n != 10 {
		t.Errorf("%d checks in ten minutes, the site's own minute was asked for", n)
	}
}

func TestAChangedPolicyHoldsForASuspect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.engine.Put(w.now, row())
	w.pass(time.Minute, a, b)
	a.answer(down)
	b.answer(down)
	w.stage(lifecycle.Suspect)
	p := lifecycle.DefaultPolicy()
	p.Failures = 2
	w.engine.Change(Terms{Policy: p})
	if got := w.engine.Policy(); got.Failures != 2 {
		t.Errorf("policy %+v", got)
	}
	w.pass(21*time.Second, a, b)
	if n := a.answer(down) + b.answer(down); n != 1 {
		t.Fatalf("%d checks were out, want the re-check", n)
	}
	w.stage(lifecycle.Verifying)
}
