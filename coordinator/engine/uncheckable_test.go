package engine

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

func TestASiteWhoseURLCannotBeCheckedIsUncheckable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.join("a")
	w.engine.Put(w.now, row())
	uncheckable := func() (reason string, count uint64) {
		v, _ := w.engine.View(w.now, 42)
		return v.Uncheckable, w.engine.Summary(w.now).Uncheckable
	}
	if reason, n := uncheckable(); reason != "" || n != 0 {
		t.Errorf("before the first check: %q, %d", reason, n)
	}
	refused := check.Observation{Outcome: check.OutcomeUnknown, Failure: check.FailurePolicy, Reason: "userinfo"}
	for range 3 {
		w.next(a).answer(refused)
		if reason, n := uncheckable(); reason != "userinfo" || n != 1 {
			t.Errorf("after a check: %q, %d", reason, n)
		}
		w.pass(5*time.Minute, a)
	}
	if len(w.asked)+len(w.writes) != 0 {
		t.Errorf("asked %v, told %v", w.asked, w.writes)
	}
	w.engine.Put(w.now, another())
	if reason, n := uncheckable(); reason != "" || n != 0 {
		t.Errorf("with another URL: %q, %d", reason, n)
	}
	onTheWay := refused
	onTheWay.Hops = []check.Hop{{Status: 301, URL: "http://example.org/"}}
	w.next(a).answer(onTheWay)
	if reason, n := uncheckable(); reason != "" || n != 0 {
		t.Errorf("refused on the way: %q, %d", reason, n)
	}
	w.next(a).answer(up)
	if reason, n := uncheckable(); reason != "" || n != 0 {
		t.Errorf("up: %q, %d", reason, n)
	}
}
