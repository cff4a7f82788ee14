package engine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// commitIn commits the newest change as the store does in a maintenance.
func (w *world) commitIn(maintenance int64) record.Change {
	c := w.writes[len(w.writes)-1]
	w.engine.Committed(w.now, c, record.Committed{OutageID: 77, TransitionID: 1, Maintenance: maintenance})
	return c
}

// hush says in what maintenance the site is.
func (w *world) hush(maintenance int64) {
	w.engine.Hush(w.now, map[check.SiteID]int64{42: maintenance})
}

// wantUntold compares the list of untold sites.
func (w *world) wantUntold(want ...Untold) {
	w.t.Helper()
	if diff := cmp.Diff(append([]Untold{}, want...), w.engine.Untold()); diff != "" {
		w.t.Error(diff)
	}
}

// hushed takes the site down in maintenance 5.
func hushed(t *testing.T) (w *world, a, b *checker) {
	w = newWorld(t)
	a, b = w.join("a"), w.join("b")
	w.suspect(a, b)
	w.decide(quorum.Confirmed)
	if c := w.commitIn(5); c.Maintenance != 0 || c.From != check.StatusRunning {
		t.Fatalf("%+v", c)
	}
	w.stage(lifecycle.Down)
	w.wantUntold(Untold{Site: 42, URL: row().URL, Hushed: 5})
	return w, a, b
}

// recover has two checkers see the site up.
func (w *world) recover(a, b *checker) {
	w.pass(5*time.Minute, a, b)
	a.answer(up)
	b.answer(up)
	w.pass(time.Second, a, b)
	a.answer(up)
	b.answer(up)
}

func TestNobodyIsToldOfWhatHappensInMaintenance(t *testing.T) {
	t.Parallel()
	w, a, b := hushed(t)
	for range 13 {
		w.pass(5*time.Minute, a, b)
		a.answer(down)
		b.answer(down)
	}
	if c := w.commitIn(5); c.From != check.StatusDown || c.To != check.StatusConfirmedDown || c.Maintenance != 5 {
		t.Errorf("%+v", c)
	}
	w.recover(a, b)
	if c := w.commitIn(5); c.From != check.StatusConfirmedDown || c.To != check.StatusRunning || c.Maintenance != 5 {
		t.Errorf("%+v", c)
	}
	w.stage(lifecycle.Up)
	w.wantUntold()
}

func TestWhatOutlastsTheMaintenanceIsVerifiedAgainAndToldOfTheOpenOutage(t *testing.T) {
	t.Parallel()
	w, a, b := hushed(t)
	w.hush(5) // nothing new
	w.stage(lifecycle.Down)
	w.hush(0)
	w.wantUntold(Untold{Site: 42, URL: row().URL})
	if v, _ := w.engine.View(w.now, 42); v.Status != check.StatusRunning || v.OutageID != 77 || !v.State.Unsettled || v.Next.After(w.now.Add(time.Second)) {
		t.Errorf("after the maintenance: %+v", v)
	}
	over := w.now
	w.pass(time.Second, a, b)
	for range 3 {
		if n := a.answer(down) + b.answer(down); n != 1 {
			t.Fatalf("%d checks were out, want 1", n)
		}
		w.pass(21*time.Second, a, b)
	}
	w.decide(quorum.Confirmed)
	if c := w.commit(); c.From != check.StatusRunning || c.To != check.StatusDown || c.Maintenance != 0 || c.Start.Before(over) || len(c.Checks) != 3 {
		t.Errorf("%+v", c)
	}
	w.wantUntold()
	w.hush(5) // it was told, and stays so
	w.recover(a, b)
	if c := w.commit(); c.From != check.StatusDown || c.To != check.StatusRunning || c.Maintenance != 0 {
		t.Errorf("%+v", c)
	}
}

func TestWhatReturnsAfterTheMaintenanceEndsSilently(t *testing.T) {
	t.Parallel()
	w, a, b := hushed(t)
	w.hush(0)
	w.pass(time.Second, a, b)
	a.answer(up)
	b.answer(up)
	w.stage(lifecycle.Up)
	if c := w.commit(); c.From != check.StatusDown || c.To != check.StatusRunning || c.Maintenance != 0 {
		t.Errorf("%+v", c) // the store tells nobody: WordPress.com knows that it runs
	}
	w.wantUntold()
}

func TestASiteThatWasToldDownIsToldUpInMaintenance(t *testing.T) {
	t.Parallel()
	for _, confirms := range []bool{false, true} {
		w := newWorld(t)
		a, b := w.join("a"), w.join("b")
		w.suspect(a, b)
		w.decide(quorum.Confirmed)
		since := w.commit().At
		w.wantUntold()
		if confirms {
			for range 13 {
				w.pass(5*time.Minute, a, b)
				a.answer(down)
				b.answer(down)
			}
			if c := w.commitIn(5); c.To != check.StatusConfirmedDown {
				t.Fatalf("%+v", c)
			}
			w.wantUntold(Untold{Site: 42, URL: row().URL, Hushed: 5})
		}
		w.recover(a, b)
		if c := w.commit(); c.From != check.StatusDown || c.To != check.StatusRunning || c.Maintenance != 0 || !c.Since.Equal(since) {
			t.Errorf("%+v, want it from %v", c, since)
		}
		w.wantUntold()
	}
}

// A site that another coordinator has hushed is loaded as WordPress.com knows it, and then
// hushed, whatever is being found out meanwhile.
func TestATakeoverInMaintenance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	r := untoldRow(check.StatusDown, check.StatusRunning, 77)
	w.engine.Put(w.now, r)
	w.wantUntold(Untold{Site: 42, URL: r.URL})
	w.pass(time.Minute, a, b)
	for range 3 {
		a.answer(down)
		b.answer(down)
		w.pass(21*time.Second, a, b)
	}
	w.stage(lifecycle.Verifying)
	w.hush(5)
	w.stage(lifecycle.Down)
	w.decide(quorum.Confirmed)
	if len(w.writes) != 0 {
		t.Errorf("a ballot of before led to %+v", w.writes)
	}
	if v, _ := w.engine.View(w.now, 42); v.Status != check.StatusRunning || !v.StatusSince.Equal(r.Untold.Since) || v.OutageID != 77 || v.Hushed != 5 {
		t.Errorf("%+v", v)
	}
	w.recover(a, b)
	if c := w.commitIn(5); c.From != check.StatusDown || c.To != check.StatusRunning || c.Maintenance != 5 {
		t.Errorf("%+v", c)
	}
}

func TestAChangeUnderWayIsNotDisturbed(t *testing.T) {
	t.Parallel()
	w, a, b := hushed(t)
	w.recover(a, b)
	w.hush(0)
	if c := w.commitIn(5); c.Maintenance != 5 {
		t.Errorf("%+v", c)
	}
	w.stage(lifecycle.Up)
	w.wantUntold()
}

func TestAHushedSiteThatGetsAnotherURLIsKnownAsRunning(t *testing.T) {
	t.Parallel()
	w, _, _ := hushed(t)
	r := row()
	r.URL = "http://example.org/"
	w.engine.Put(w.now, r)
	w.wantUntold()
	if v, _ := w.engine.View(w.now, 42); v.Status != check.StatusRunning || v.State.Inherited {
		t.Errorf("%+v", v)
	}
}

func TestASiteThatIsGoneIsNotUntold(t *testing.T) {
	t.Parallel()
	w, _, _ := hushed(t)
	w.engine.Remove(w.now, 42)
	w.wantUntold()
	w.hush(0)
}

func TestAMutedEngineKnowsNoUntoldSites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mute()
	a, b := w.join("a"), w.join("b")
	w.suspect(a, b)
	w.decide(quorum.Confirmed)
	w.commitIn(5)
	w.wantUntold()
}
