package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/roster"
	"github.com/Automattic/jetmon/coordinator/engine/snapshot"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// casebook has a case for each site that is not calm: what is known of it beyond its
// record. Whoever takes a site from it and changes the site must settle it.
type casebook struct {
	sites     *roster.Table
	snapshots *snapshot.Journal
	// flapWindow is how long a site that recovered is no calm one.
	flapWindow time.Duration

	// open are the cases, by slot. Invariant: each was not calm when it was settled last,
	// and its record holds what a record can.
	open map[schedule.Slot]*site
	// ballots is the highest number that a ballot had.
	ballots uint32
}

// find returns a site; nil when it is not watched.
func (c *casebook) find(id check.SiteID) *site {
	if slot, ok := c.sites.Find(id); ok {
		return c.at(slot)
	}
	return nil
}

// of returns the case of a site, nil when it has none.
func (c *casebook) of(id check.SiteID) *site {
	if slot, ok := c.sites.Find(id); ok {
		return c.open[slot]
	}
	return nil
}

// at returns the site in a slot: its case, or one made from its record.
func (c *casebook) at(slot schedule.Slot) *site {
	if s := c.open[slot]; s != nil {
		return s
	}
	s := &site{Site: c.sites.Load(slot), timer: schedule.Timer{Slot: slot}}
	s.State.Ballot = c.ballots
	return s
}

// settle writes a site back after it was changed, and opens or closes its case.
func (c *casebook) settle(now time.Time, s *site) {
	if c.sites.Record(s.timer.Slot).ID() != s.Row.ID {
		return // it was removed
	}
	c.ballots = max(c.ballots, s.State.Ballot)
	c.sites.Save(s.timer.Slot, &s.Site)
	calm := c.calm(now, s)
	c.remember(s, !calm)
	if calm {
		delete(c.open, s.timer.Slot)
		return
	}
	c.open[s.timer.Slot] = s
}

// calm reports whether the record alone can stand for the site.
func (c *casebook) calm(now time.Time, s *site) bool {
	st := s.State
	switch {
	case st.Stage != lifecycle.Up && st.Stage != lifecycle.NeverChecked,
		st.Status != check.StatusRunning, st.Unsettled, s.Row.OutageID != 0, s.pending != nil,
		s.answer != nil, len(s.checks) > 0, s.opened, s.askDue, s.timer.Waits(),
		s.Last != nil && s.Last.Outcome != check.OutcomeUp,
		s.Last != nil && !roster.Fits(s.Last.Advisories):
		return false
	case !st.Flap.Recoveries[0].IsZero() && now.Sub(st.Flap.Recoveries[0]) <= c.flapWindow:
		return false
	}
	return s.regional.At.IsZero() || now.Sub(s.regional.At) > regionalFor
}

// remember notes that the snapshot of a site has to be written, or to be deleted.
func (c *casebook) remember(s *site, open bool) {
	if open && s.memorable() {
		s.kept = true
	} else if !s.kept {
		return
	}
	c.snapshots.Outdated(s.Row.ID, s.Row.Bucket)
}

// remove takes a site off, with its case and its record.
func (c *casebook) remove(s *site) {
	c.remember(s, false)
	delete(c.open, s.timer.Slot)
	c.sites.Free(s.timer.Slot)
}
