package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/checkers"
	"github.com/Automattic/jetmon/coordinator/engine/roster"
	"github.com/Automattic/jetmon/coordinator/engine/snapshot"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// casebook holds a case for each site that is not compact: its state beyond the entry.
// A caller that changes a site of the casebook must settle it.
type casebook struct {
	sites     *roster.Table
	snapshots *snapshot.Journal
	// flapWindow is how long a site keeps its case after a recovery.
	flapWindow time.Duration

	// open holds the cases, by slot. Invariant: no case was compact when it was last
	// settled, and its entry is up to date as far as an entry can hold the site.
	open map[schedule.Slot]*site
	// untold are the slots of the cases that are untold.
	untold map[schedule.Slot]struct{}
	// ballots is the highest ballot number so far.
	ballots uint32
}

// find returns a site; nil when it is not watched.
func (c *casebook) find(id check.SiteID) *site {
	if slot, ok := c.sites.Find(id); ok {
		return c.at(slot)
	}
	return nil
}

// of returns the case of a site; nil when it has none.
func (c *casebook) of(id check.SiteID) *site {
	if slot, ok := c.sites.Find(id); ok {
		return c.open[slot]
	}
	return nil
}

// at returns the site in a slot: its case, or one made from its entry.
func (c *casebook) at(slot schedule.Slot) *site {
	if s := c.open[slot]; s != nil {
		return s
	}
	s := &site{Site: c.sites.Load(slot), timer: schedule.Timer{Slot: slot}}
	s.State.Ballot = c.ballots
	return s
}

// accept takes a checker's result of a check. When the site's entry can absorb it alone,
// nothing is left to do and accept returns nil; otherwise it returns the case, which still
// has to be judged and settled. It completes the sighting with what is known of the site.
// watched is false when the site has been removed since.
func (c *casebook) accept(k *dispatch.Check, node string, saw *checkers.Sighting) (s *site, watched bool) {
	slot := schedule.Slot(k.Tag)
	if c.sites.Tagged(slot, k.Site) == nil {
		return nil, false
	}
	saw.Sites = c.sites.Len()
	if s = c.open[slot]; s == nil {
		var absorbed bool
		if saw.URL, absorbed = c.sites.Good(slot, node, saw.At, saw.Observation); absorbed {
			return nil, true
		}
		s = c.at(slot)
	}
	saw.URL, saw.WasGood = s.Row.URL, s.State.Stage == lifecycle.Up || s.State.Stage == lifecycle.NeverChecked
	return s, true
}

// settle writes a changed site back to its entry, and opens or closes its case.
func (c *casebook) settle(now time.Time, s *site) {
	if c.sites.Entry(s.timer.Slot).ID() != s.Row.ID {
		return // it was removed
	}
	c.ballots = max(c.ballots, s.State.Ballot)
	c.sites.Save(s.timer.Slot, &s.Site)
	compact := c.compact(now, s)
	c.noteSnapshot(s, !compact)
	c.noteUntold(s.timer.Slot, s)
	if compact {
		delete(c.open, s.timer.Slot)
		return
	}
	c.open[s.timer.Slot] = s
}

// compact reports whether the entry alone can hold the site.
func (c *casebook) compact(now time.Time, s *site) bool {
	st := s.State
	switch {
	case st.Stage != lifecycle.Up && st.Stage != lifecycle.NeverChecked,
		st.Status != check.StatusRunning, st.Unsettled, s.Row.OutageID != 0, s.pending != nil, s.untold != nil,
		s.answer != nil, len(s.checks) > 0, s.opened, s.askDue, s.timer.Waits(),
		s.Last != nil && s.Last.Outcome != check.OutcomeUp,
		s.Last != nil && !roster.Fits(s.Last.Advisories):
		return false
	case !st.Flap.Recoveries[0].IsZero() && now.Sub(st.Flap.Recoveries[0]) <= c.flapWindow:
		return false
	}
	return s.regional.At.IsZero() || now.Sub(s.regional.At) > regionalFor
}

// noteSnapshot marks the snapshot of a site for writing, or for deletion.
func (c *casebook) noteSnapshot(s *site, open bool) {
	if open && s.wantsSnapshot() {
		s.stored = true
	} else if !s.stored {
		return
	}
	c.snapshots.Outdated(s.Row.ID, s.Row.Bucket)
}

// remove deletes a site, with its case and its entry.
func (c *casebook) remove(s *site) {
	c.noteSnapshot(s, false)
	delete(c.open, s.timer.Slot)
	delete(c.untold, s.timer.Slot)
	c.sites.Free(s.timer.Slot)
}
