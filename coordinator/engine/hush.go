package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// untold is what a coordinator that tells knows of a site about whose status WordPress.com knows
// something else. While the site is hushed, its State is the status on record, and nobody is told
// that it fails; otherwise its State is what WordPress.com knows, so that the next verdict is
// told.
type untold struct {
	recorded record.Verdict
	known    record.Known
	// hushed means that the site is in maintenance, the one of that id.
	hushed int64
}

// Untold is a site that is untold, for Hush.
type Untold struct {
	Site check.SiteID
	URL  string
	// Hushed is the maintenance that keeps the site hushed; 0 for none.
	Hushed int64
}

// Untold lists the sites of which WordPress.com does not know the status that is on record, and
// that a maintenance would keep that way.
func (e *Engine) Untold() []Untold {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]Untold, 0, len(e.cases.untold))
	for slot := range e.cases.untold {
		if s := e.cases.open[slot]; s != nil && s.untold != nil {
			list = append(list, Untold{Site: s.Row.ID, URL: s.Row.URL, Hushed: s.untold.hushed})
		}
	}
	return list
}

// Hush says of untold sites in what maintenance each is now, 0 for none. A site whose maintenance
// is over is looked at at once: if it still fails, that is told.
func (e *Engine) Hush(now time.Time, sites map[check.SiteID]int64) {
	m := e.hand.moment(now)
	e.mu.Lock()
	defer e.release()
	for id, in := range sites {
		if s := e.cases.of(id); s != nil {
			e.judge.hush(m, s, in, e.cases.ballots)
			e.cases.settle(now, s)
		}
	}
}

// hush follows the beginning and the end of maintenance. What is being found out about the site
// is dropped: it was about another question. ballots is the highest ballot number so far.
func (j *judge) hush(m moment, s *site, in int64, ballots uint32) {
	u := s.untold
	if u == nil || s.pending != nil {
		return
	}
	was := u.hushed
	if u.hushed = in; (was != 0) == (in != 0) {
		return
	}
	flap := s.State.Flap
	j.abandon(s)
	s.forget()
	s.undecided = nil
	if in != 0 {
		s.Row.Status, s.Row.StatusSince = u.recorded.Status, u.recorded.Since
		s.State.Unsettled = false
	} else {
		s.believe(u.known)
	}
	s.begin(ballots)
	flap.Good, flap.Agreed = time.Time{}, false
	s.State.Flap = flap
	if s.Row.Paused {
		return
	}
	j.turn(s)
	if in == 0 {
		j.agenda.TurnNow(&s.timer)
	}
	j.out.info("maintenance began or ended for a site that is not told", "site_id", s.Row.ID, "url", s.Row.URL, "maintenance_id", in)
}

// mute has nobody told of a change of a hushed site, unless WordPress.com believes that the site
// is down, and it is not.
func (u *untold) mute(c *record.Change) {
	switch {
	case u == nil || u.hushed == 0:
	case c.To != check.StatusRunning:
		c.Maintenance = u.hushed
	case u.known.Status != check.StatusRunning:
		c.From, c.Since = u.known.Status, u.known.Since
	case u.known.Unsure:
		c.From, c.Since = check.StatusDown, u.known.Since
	default:
		c.Maintenance = u.hushed
	}
}

// heard notes whether WordPress.com was told of the change that was committed.
func (s *site) heard(done record.Committed) {
	c := s.pending
	switch {
	case c.Muted || c.From == c.To:
		return
	case done.Maintenance == 0:
		s.untold = nil
		return
	case s.untold == nil:
		s.untold = &untold{known: record.Known{Status: c.From, Since: c.Since}}
	}
	s.untold.hushed = done.Maintenance
	s.untold.recorded = record.Verdict{Status: c.To, Since: c.At}
	if s.untold.known.Status == c.To && !s.untold.known.Unsure {
		s.untold = nil
	}
}

// unknown notes that WordPress.com knows another status of the site than the one in its row, and
// puts that one there. A status of an earlier URL is no matter of maintenance.
func (s *site) unknown(known *record.Known) {
	if recorded := (record.Verdict{Status: s.Row.Status, Since: s.Row.StatusSince}); recorded.Status != known.Status &&
		recorded.Status != check.StatusRunning && !s.Row.Inherited && s.Row.OutageID != 0 {
		s.untold = &untold{recorded: recorded, known: *known}
	}
	s.Row.Status, s.Row.StatusSince = known.Status, known.Since
}

// untoldOfURL drops what was untold, since the site has got another URL; what WordPress.com knows
// stays.
func (s *site) untoldOfURL() {
	if u := s.untold; u != nil && u.hushed != 0 {
		s.believe(u.known)
	}
	s.untold = nil
}

// believe puts what WordPress.com knows in place of the status on record.
func (s *site) believe(known record.Known) {
	s.Row.Status, s.Row.StatusSince = known.Status, known.Since
	s.State.Unsettled = known.Status == check.StatusRunning && (known.Unsure || s.Row.OutageID != 0)
}

// noteUntold keeps the list of untold sites.
func (c *casebook) noteUntold(slot schedule.Slot, s *site) {
	if s.untold != nil {
		c.untold[slot] = struct{}{}
		return
	}
	delete(c.untold, slot)
}
