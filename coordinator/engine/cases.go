package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/roster"
	"github.com/Automattic/jetmon/coordinator/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// site finds a site; nil when it is not watched. Whoever changes it must settle it.
func (e *Engine) site(id check.SiteID) *site {
	if slot, ok := e.sites.Find(id); ok {
		return e.open(slot)
	}
	return nil
}

// caseOf is the case of a site, nil when it has none.
func (e *Engine) caseOf(id check.SiteID) *site {
	if slot, ok := e.sites.Find(id); ok {
		return e.cases[slot]
	}
	return nil
}

// open is the site in a slot: its case, or one made from its record.
func (e *Engine) open(slot schedule.Slot) *site {
	if s := e.cases[slot]; s != nil {
		return s
	}
	s := &site{Site: e.sites.Load(slot), timer: schedule.Timer{Slot: slot}}
	s.State.Ballot = e.ballots
	return s
}

// settle writes a site back after it was changed, and opens or closes its case.
func (e *Engine) settle(now time.Time, s *site) {
	if e.sites.Record(s.timer.Slot).ID() != s.Row.ID {
		return // it was removed
	}
	e.ballots = max(e.ballots, s.State.Ballot)
	e.sites.Save(s.timer.Slot, &s.Site)
	calm := e.calm(now, s)
	e.remember(s, !calm)
	if calm {
		delete(e.cases, s.timer.Slot)
		return
	}
	e.cases[s.timer.Slot] = s
}

// calm reports whether the record alone can stand for the site.
func (e *Engine) calm(now time.Time, s *site) bool {
	st := s.State
	switch {
	case st.Stage != lifecycle.Up && st.Stage != lifecycle.NeverChecked,
		st.Status != check.StatusRunning, st.Unsettled, s.Row.OutageID != 0, s.pending != nil,
		s.answer != nil, len(s.checks) > 0, s.opened, s.askDue, s.timer.Waits(),
		s.Last != nil && s.Last.Outcome != check.OutcomeUp,
		s.Last != nil && !roster.Fits(s.Last.Advisories):
		return false
	case !st.Flap.Recoveries[0].IsZero() && now.Sub(st.Flap.Recoveries[0]) <= e.o.Policy.FlapWindow:
		return false
	}
	return s.regional.At.IsZero() || now.Sub(s.regional.At) > regionalFor
}
