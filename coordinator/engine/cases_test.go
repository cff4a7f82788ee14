package engine

import (
	"reflect"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/checkers"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// A site has a case as long as there is something that its entry cannot hold.
func TestASiteHasACaseUntilItIsCompact(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	for name, tt := range map[string]struct {
		trouble func(*Engine, *site)
		kept    bool // and a snapshot is to be written
	}{
		"it is suspect":                 {func(_ *Engine, s *site) { s.State.Stage = lifecycle.Suspect }, true},
		"it is down":                    {func(_ *Engine, s *site) { s.State.Stage = lifecycle.Down }, false},
		"its status is not running":     {func(_ *Engine, s *site) { s.State.Status = check.StatusDown }, false},
		"it has an outage":              {func(_ *Engine, s *site) { s.Row.OutageID = 7 }, false},
		"it is unsettled":               {func(_ *Engine, s *site) { s.State.Unsettled = true }, false},
		"a change is being written":     {func(_ *Engine, s *site) { s.pending = &record.Change{} }, true},
		"there is an answer to show":    {func(_ *Engine, s *site) { s.answer = &Answer{} }, false},
		"there is evidence":             {func(_ *Engine, s *site) { s.checks = make([]record.LocalCheck, 1) }, false},
		"the panel is asked":            {func(_ *Engine, s *site) { s.opened = true }, false},
		"the panel is to be asked":      {func(_ *Engine, s *site) { s.askDue = true }, false},
		"it waits for a real time":      {func(e *Engine, s *site) { e.agenda.At(&s.timer, now.Add(time.Minute)) }, false},
		"its last check could not tell": {func(_ *Engine, s *site) { s.Last = &check.Observation{Outcome: check.OutcomeUnknown} }, false},
		"its certificate ends": {func(_ *Engine, s *site) {
			s.Last = &check.Observation{Outcome: check.OutcomeUp, Advisories: []check.Advisory{check.AdvisoryTLSExpiring}}
		}, false},
		"its page lists a directory": {func(_ *Engine, s *site) {
			s.Last = &check.Observation{Outcome: check.OutcomeUp, Advisories: []check.Advisory{check.AdvisoryDirectoryListing}}
		}, false},
		"its page is empty and was not": {func(_ *Engine, s *site) {
			s.State.Stage, s.Last = lifecycle.Down, &check.Observation{Outcome: check.OutcomeDown, PageState: check.PageEmpty}
		}, true},
		"it recovered lately":              {func(_ *Engine, s *site) { s.State.Flap.Recoveries[0] = now.Add(-time.Minute) }, true},
		"it was down in one region lately": {func(_ *Engine, s *site) { s.regional.At = now.Add(-time.Minute) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := bare(now)
			e.Put(now, row())
			s := e.cases.find(42)
			if s == nil || e.cases.of(42) != nil {
				t.Fatal("a compact site has a case")
			}
			compact := *s
			tt.trouble(e, s)
			e.cases.settle(now, s)
			if e.cases.of(42) != s || e.cases.find(42) != s {
				t.Fatal("it has no case")
			}
			if kept := len(e.Unsaved(now, shard.Of(row().Bucket), 10)) == 1; kept != tt.kept {
				t.Errorf("a snapshot is to be written: %t", kept)
			}
			e.agenda.Rest(&s.timer)
			compact.stored, compact.timer = s.stored, s.timer
			*s = compact
			e.cases.settle(now, s)
			if e.cases.of(42) != nil {
				t.Fatal("it has a case though it is compact again")
			}
			again := e.cases.find(42)
			if again.stored = compact.stored; !reflect.DeepEqual(*again, compact) {
				t.Errorf("its entry holds %+v, want %+v", *again, compact)
			}
			updates := e.Unsaved(now, shard.Of(row().Bucket), 10)
			if tt.kept != (len(updates) == 1 && updates[0].Forget) {
				t.Errorf("to be deleted: %+v", updates)
			}
		})
	}
}

func TestARemovedSiteIsNotWrittenBack(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	e := bare(now)
	e.Put(now, row())
	s := e.cases.find(42)
	e.cases.remove(s)
	other := row()
	other.ID = 43
	e.Put(now, other) // has its slot
	s.State.Stage = lifecycle.Down
	e.cases.settle(now, s)
	if e.cases.of(43) != nil || e.cases.find(43).State.Stage != lifecycle.NeverChecked || e.cases.find(42) != nil {
		t.Error("it is written over another site")
	}
}

// A result of a check says how many sites there are, so that outlier detection can sample,
// and nothing about a site that has the slot of the one that was checked.
func TestAResultIsOfTheSiteThatWasChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.many(3)
	book := w.engine.cases
	slot, _ := book.sites.Find(1002)
	saw := checkers.Sighting{Site: 1002, At: w.now, Observation: &up}
	s, watched := book.accept(&dispatch.Check{Site: 1002, Tag: uint32(slot)}, "a", &saw)
	if !watched || s == nil || s.Row.ID != 1002 || !saw.WasGood || saw.Sites != 3 || saw.URL != "http://site-1.example/" {
		t.Errorf("site %+v (%t), sighting %+v", s, watched, saw)
	}
	if s, watched := book.accept(&dispatch.Check{Site: 999, Tag: uint32(slot)}, "a", &saw); watched || s != nil {
		t.Errorf("a result of site 999 is taken for %+v", s)
	}
}
