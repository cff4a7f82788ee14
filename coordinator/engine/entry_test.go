package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

func TestSitesWithoutARowAreRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rows := make([][]record.Site, check.Buckets)
	for b := range rows {
		for i := range 2 {
			r := row()
			r.ID, r.Bucket = check.SiteID(1+2*b+i), check.BucketID(b)
			rows[b] = append(rows[b], r)
		}
	}
	read := func() {
		for b := range rows {
			w.now = w.now.Add(time.Second)
			putBucket(w.engine, w.now, check.BucketID(b), rows[b])
		}
	}
	read()
	read()
	if n := w.engine.Summary(w.now).Sites; n != 2*check.Buckets {
		t.Fatalf("%d sites are watched", n)
	}
	for b := range rows {
		rows[b] = rows[b][1:]
	}
	read()
	if n := w.engine.Summary(w.now).Sites; n != check.Buckets {
		t.Errorf("%d sites are watched, want %d", n, check.Buckets)
	}
	// One moves to another bucket: it is read there before or after it is missed here.
	moved := rows[0][0]
	moved.Bucket = 300
	rows[0], rows[300] = nil, append(rows[300], moved)
	read()
	if _, ok := w.engine.View(w.now, moved.ID); !ok || w.engine.Summary(w.now).Sites != check.Buckets {
		t.Errorf("the moved site is watched: %v, %d in all", ok, w.engine.Summary(w.now).Sites)
	}
}

func TestACompactSiteRemembersWhatItMust(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.join("a")
	r := row()
	r.StatusSince = time.UnixMilli(1_700_000_000_123)
	r.Settings = check.Settings{Method: check.MethodGet, RequiredTexts: []string{"hello"}}
	w.engine.Put(w.now, r)
	w.pass(time.Minute, a)
	good := check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 204, Method: check.MethodGet, Timing: check.Timing{Total: 1234 * time.Millisecond}}
	for range 2 { // the first makes it compact, the second takes the fast path
		if a.answer(good) != 1 {
			t.Fatal("no check was out")
		}
		if len(w.engine.cases.open) != 0 {
			t.Fatal("a compact site has a case")
		}
		v, _ := w.engine.View(w.now, 42)
		if v.Last == nil || v.Last.HTTPStatus != 204 || v.Last.Timing.Total != 1234*time.Millisecond || v.Last.Method != check.MethodGet {
			t.Errorf("last %+v", v.Last)
		}
		if !v.StatusSince.Equal(r.StatusSince) || v.LastNode != "a" || v.State.Stage != lifecycle.Up || w.now.Sub(v.LastCheck) > 100*time.Millisecond {
			t.Errorf("view %+v", v)
		}
		if tgt := a.targets[42]; tgt.Method != check.MethodGet || len(tgt.RequiredTexts) != 1 {
			t.Errorf("target %+v", tgt)
		}
		if d := v.Next.Sub(w.now); d <= 0 || d > time.Minute {
			t.Errorf("next in %v", d)
		}
		w.pass(time.Minute, a)
	}
}

func TestAdvisoriesNeedNoCaseUnlessTheyHaveADate(t *testing.T) {
	t.Parallel()
	all := []check.Advisory{
		check.AdvisoryTLSExpiring, check.AdvisoryTLSDeprecated, check.AdvisorySlow, check.AdvisoryIPv6Broken, check.AdvisoryHeadUnsupported,
	}
	for set := range 1 << len(all) {
		var said []check.Advisory
		for i, a := range all {
			if set>>i&1 != 0 {
				said = append(said, a)
			}
		}
		w := newWorld(t)
		a := w.join("a")
		w.engine.Put(w.now, row())
		for round := range 3 {
			w.pass(time.Minute, a)
			a.answer(check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 203, Advisories: said})
			v, _ := w.engine.View(w.now, 42)
			if v.Last == nil || !slices.Equal(v.Last.Advisories, said) || v.Last.HTTPStatus != 203 {
				t.Fatalf("round %d: %v were remarked, last is %+v", round, said, v.Last)
			}
			if want := set & 1; len(w.engine.cases.open) != want {
				t.Errorf("%v make %d cases, want %d", said, len(w.engine.cases.open), want)
			}
			if hostile := set>>4 != 0; w.engine.cases.at(w.slot()).HeadHostile != hostile {
				t.Errorf("%v: hostile to HEAD: %t", said, !hostile)
			}
		}
	}
}

func TestURLsThatChangeDoNotFillTheMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 200_000 {
		r := row()
		r.URL = fmt.Sprintf("http://example.com/%d", i)
		w.now = w.now.Add(time.Second)
		putBucket(w.engine, w.now, r.Bucket, []record.Site{r})
	}
	if n := w.engine.sites.URLBytes(); n > 3<<20 {
		t.Errorf("%d bytes for one URL", n)
	}
	if v, ok := w.engine.View(w.now, 42); !ok || w.engine.deal.target(w.slot()).URL != "http://example.com/199999" {
		t.Errorf("%v %+v", ok, v)
	}
}

// The fast path of a good check must do what lifecycle does.
func TestTheFastPathDoesWhatLifecycleDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.join("a")
	w.engine.Put(w.now, row())
	w.pass(time.Minute, a)
	a.answer(up)
	before := w.engine.cases.at(w.slot()).State
	w.pass(time.Minute, a)
	want, effects := lifecycle.Step(before, lifecycle.Observed{At: w.now, Node: "a", Outcome: check.OutcomeUp}, lifecycle.DefaultPolicy())
	a.answer(up)
	got := w.engine.cases.at(w.slot()).State
	got.Observed = want.Observed // which an entry knows to 0.1 s
	if got != want || len(effects) != 0 {
		t.Errorf("%+v, want %+v with effects %v", got, want, effects)
	}
}
