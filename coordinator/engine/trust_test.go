package engine

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/internal/check"
)

// says sends a heartbeat with a self-check.
func (c *checker) says(healthy bool) {
	c.w.t.Helper()
	var open []dispatch.Ref
	for _, b := range c.batches {
		open = append(open, b.Ref)
	}
	if _, err := c.w.engine.Heartbeat(c.w.now, c.id, open, check.SelfCheck{Anchors: 1, Healthy: healthy}); err != nil {
		c.w.t.Fatal(err)
	}
}

// The uplink is cut, and failures on all networks come in before the self-checks report it.
func TestACutUplinkIsNoQuarantineOnceTheCheckersReportIt(t *testing.T) {
	t.Parallel()
	w, a, b := fleetOf(t, 60)
	w.each(2*time.Minute, map[*checker]check.Observation{a: up, b: up})
	w.each(time.Minute, map[*checker]check.Observation{a: down, b: down})
	if sum := w.engine.Summary(w.now); sum.Checkers[0].Quarantined.IsZero() || sum.Checkers[1].Quarantined.IsZero() {
		t.Fatalf("checkers %+v, want both in quarantine", sum.Checkers)
	}
	a.says(false)
	b.says(false)
	for _, c := range w.engine.Summary(w.now).Checkers {
		if !c.Quarantined.IsZero() || c.UnwellSince.IsZero() {
			t.Errorf("checker %+v, want it unhealthy and nothing else", c)
		}
	}
	w.each(time.Minute, map[*checker]check.Observation{a: up, b: up})
	for id := range check.SiteID(60) {
		if v, _ := w.engine.View(w.now, id+1); v.State.Stage != lifecycle.Up {
			t.Errorf("site %d is %v after the heal, want it up", id+1, v.State.Stage)
		}
	}
	if len(w.asked) != 0 || len(w.writes) != 0 {
		t.Errorf("%d verifications, %d changes; want none", len(w.asked), len(w.writes))
	}
}

// A check that began while the line was cut times out after the line works again.
func TestAFailureThatBeganWhileTheCheckerWasUnhealthyDoesNotCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.join("a")
	w.engine.Put(w.now, row())
	w.pass(time.Minute, a)
	a.says(false)
	w.now = w.now.Add(3 * time.Second)
	a.says(true)
	w.now = w.now.Add(6 * time.Second)
	slow := check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureTimeout, Timing: check.Timing{Total: 10 * time.Second}}
	if a.answer(slow) != 1 {
		t.Fatal("nothing was out")
	}
	w.stage(lifecycle.NeverChecked)
	w.pass(time.Minute, a)
	slow.Timing.Total = 5 * time.Second
	if a.answer(slow) != 1 {
		t.Fatal("nothing was out")
	}
	w.stage(lifecycle.Suspect)
}

// The detector samples when there are very many sites; that must be enough.
func TestAFaultyCheckerIsFoundAmongVeryManySites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.join("a")
	w.many(100_001)
	for range 20 {
		w.pass(grain, c)
		c.answer(down)
	}
	sum := w.engine.Summary(w.now)
	if sum.Checkers[0].Quarantined.IsZero() {
		t.Fatalf("%d failures, and the checker is trusted", sum.Counters.Failures)
	}
	before := sum.Suspect
	for range 20 {
		w.pass(grain, c)
		c.answer(down)
	}
	if after := w.engine.Summary(w.now).Suspect; after != before {
		t.Errorf("%d sites more are suspect by the word of a checker in quarantine", after-before)
	}
}
