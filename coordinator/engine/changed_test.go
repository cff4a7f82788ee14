package engine

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// another is the row of the test's site with another URL.
func another() record.Site {
	r := row()
	r.URL = "http://example.org/"
	return r
}

// breaks brings the site down and commits it.
func (w *world) breaks(a, b *checker) {
	w.t.Helper()
	w.suspect(a, b)
	w.decide(quorum.Confirmed)
	w.commit()
}

// wantInherited checks that the engine believes what was told of an earlier URL.
func (w *world) wantInherited(status check.Status) {
	w.t.Helper()
	v, ok := w.engine.View(w.now, 42)
	if !ok || !v.State.Inherited || v.Status != status || v.OutageID != 0 {
		w.t.Errorf("the site is %+v, want status %d inherited", v, status)
	}
}

func TestAURLChangedDuringAnOutage(t *testing.T) {
	t.Parallel()
	loaded := another()
	loaded.Status, loaded.StatusSince, loaded.Inherited = check.StatusDown, time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC), true
	ways := map[string]func(w *world, a, b *checker){
		"by the API or the table": func(w *world, a, b *checker) {
			w.breaks(a, b)
			w.engine.Put(w.now, another())
		},
		"before the coordinator started": func(w *world, _, _ *checker) { w.engine.Put(w.now, loaded) },
		"while the outage was written": func(w *world, a, b *checker) {
			w.suspect(a, b)
			w.decide(quorum.Confirmed)
			w.engine.Put(w.now, another())
			w.commit()
		},
		"while the outage was written, which the store refused": func(w *world, a, b *checker) {
			w.suspect(a, b)
			w.decide(quorum.Confirmed)
			w.engine.Refused(w.now, w.writes[0], &loaded)
		},
	}
	for name, lead := range ways {
		for verdict, ends := range map[string]func(t *testing.T, w *world, a, b *checker){"up": newURLIsUp, "down": newURLIsDown} {
			t.Run(name+", "+verdict, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				a, b := w.join("a"), w.join("b")
				lead(w, a, b)
				w.wantInherited(check.StatusDown)
				w.writes, w.asked = nil, nil
				ends(t, w, a, b)
			})
		}
	}
}

// newURLIsUp: running is told once, about the new URL.
func newURLIsUp(t *testing.T, w *world, a, b *checker) {
	w.next(a, b).answer(up)
	if len(w.writes) != 0 {
		t.Fatalf("one node alone tells %+v", w.writes)
	}
	w.next(a, b).answer(up)
	if len(w.writes) != 1 {
		t.Fatalf("%d changes", len(w.writes))
	}
	if c := w.commit(); c.URL != another().URL || c.From != check.StatusDown || c.To != check.StatusRunning {
		t.Errorf("told %+v", c)
	}
	w.stage(lifecycle.Up)
}

// newURLIsDown: an outage of the new URL is opened, and nobody is told again.
func newURLIsDown(t *testing.T, w *world, a, b *checker) {
	before, _ := w.engine.View(w.now, 42)
	for range 3 {
		w.next(a, b).answer(down)
	}
	if len(w.asked) != 1 || w.asked[0].Target.URL != another().URL || len(w.writes) != 0 {
		t.Fatalf("asked %+v, wrote %+v", w.asked, w.writes)
	}
	w.decide(quorum.Confirmed)
	c := w.commit()
	if c.URL != another().URL || c.From != check.StatusDown || c.To != check.StatusDown || c.Ballot == nil || len(c.Checks) != 3 || !c.Since.Equal(before.StatusSince) {
		t.Errorf("committed %+v", c)
	}
	v, _ := w.engine.View(w.now, 42)
	if v.State.Stage != lifecycle.Down || v.State.Inherited || v.OutageID != 77 || !v.StatusSince.Equal(before.StatusSince) || !v.State.StatusSince.Equal(before.StatusSince) {
		t.Errorf("the site is %+v", v)
	}
	// The notice window runs since WordPress.com was told.
	w.writes = nil
	for end := before.StatusSince.Add(61 * time.Minute); w.now.Before(end); {
		w.pass(time.Minute, a, b)
		a.answer(down)
		b.answer(down)
	}
	if len(w.writes) != 1 || w.writes[0].From != check.StatusDown || w.writes[0].To != check.StatusConfirmedDown {
		t.Errorf("after the notice window it wrote %+v", w.writes)
	}
}

// A coordinator that stops while it verifies a new URL leaves a snapshot that its successor
// goes on from.
func TestAnInheritedStatusOutlivesItsCoordinator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.breaks(a, b)
	w.engine.Put(w.now, another())
	w.next(a, b).answer(down)
	v, _ := w.engine.View(w.now, 42)
	var left []record.Snapshot
	for _, u := range w.engine.Unsaved(w.now, shard.Of(row().Bucket), 10) {
		encoded, err := u.Encode()
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, encoded)
	}
	r := another()
	r.Status, r.StatusSince, r.Inherited = check.StatusDown, v.StatusSince, true
	w.engine = w.newEngine()
	w.engine.Recall(left)
	w.engine.Put(w.now, r)
	w.wantInherited(check.StatusDown)
	w.stage(lifecycle.Suspect)
}
