package engine

import (
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
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

// v1 may have told that such a site is down, and a fleet may be given another policy.
func TestASiteIsUncheckableWhateverWasToldOfIt(t *testing.T) {
	t.Parallel()
	refused := check.Observation{Outcome: check.OutcomeUnknown, Failure: check.FailurePolicy, Reason: "private"}
	for _, status := range []check.Status{check.StatusDown, check.StatusRunning, check.StatusConfirmedDown} {
		w := newWorld(t)
		a := w.join("a")
		r := row()
		r.Status, r.StatusSince = status, w.now.Add(-time.Hour)
		w.engine.Put(w.now, r)
		if status == check.StatusRunning {
			w.next(a).answer(up)
		}
		w.next(a).answer(refused)
		v, _ := w.engine.View(w.now, 42)
		sum := w.engine.Summary(w.now)
		if v.Uncheckable != "private" || v.Status != status || sum.UncheckableBy["private"] != 1 || sum.Uncheckable != 1 {
			t.Errorf("with status %d: %+v, %+v", status, v, sum)
		}
		if n := len(w.asked) + len(w.writes); n != 0 {
			t.Errorf("with status %d something was decided", status)
		}
		if got := w.engine.Select(Selection{Stage: v.State.Stage, Limit: 9}); len(got) != 0 {
			t.Errorf("with status %d it is selected as %s", status, v.State.Stage)
		}
		w.next(a).answer(up)
		if v, _ := w.engine.View(w.now, 42); v.Uncheckable != "" {
			t.Errorf("with status %d, up: %+v", status, v)
		}
	}
}

func TestASelectionIsAPageOfTheSitesInOneState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.join("a")
	refused := check.Observation{Outcome: check.OutcomeUnknown, Failure: check.FailurePolicy, Reason: "scheme"}
	for id := check.SiteID(1); id <= 9; id++ {
		r := row()
		r.ID, r.BlogID = id, check.BlogID(id%2)
		if id > 6 {
			r.Status, r.OutageID = check.StatusConfirmedDown, int64(id)
		}
		w.engine.Put(w.now, r)
	}
	for range 3 {
		w.next(a).answerEach(func(id check.SiteID) check.Observation {
			switch {
			case id <= 4:
				return refused
			case id > 6:
				return down
			}
			return up
		})
		w.pass(time.Minute, a)
	}
	for _, c := range []struct {
		sel  Selection
		want []check.SiteID
	}{
		{Selection{Uncheckable: true, Limit: 9}, []check.SiteID{1, 2, 3, 4}},
		{Selection{Uncheckable: true, Limit: 2}, []check.SiteID{1, 2}},
		{Selection{Uncheckable: true, Limit: 9, After: 2}, []check.SiteID{3, 4}},
		{Selection{Uncheckable: true, Limit: 9, BlogID: 1}, []check.SiteID{1, 3}},
		{Selection{Uncheckable: true, Limit: 9, Blogs: []check.BlogID{1, 9}}, []check.SiteID{1, 3}},
		{Selection{Uncheckable: true, Limit: 9, Blogs: []check.BlogID{}}, nil},
		{Selection{Stage: lifecycle.ConfirmedDown, Limit: 9}, []check.SiteID{7, 8, 9}},
		{Selection{Stage: lifecycle.Suspect, Limit: 9}, nil},
	} {
		if got := w.engine.Select(c.sel); !slices.Equal(got, c.want) {
			t.Errorf("%+v selects %v, want %v", c.sel, got, c.want)
		}
	}
}
