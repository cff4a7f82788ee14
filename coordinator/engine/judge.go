package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/quorum"
	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
)

// observe takes in what a node saw of a site at a time.
func (e *Engine) observe(m moment, s *site, c store.LocalCheck) {
	e.counts.Checks++
	if c.At.Before(s.LastCheck) {
		return
	}
	s.Last, s.LastCheck, s.LastNode = &c.Observation, c.At, c.Node
	s.Host = e.sites.HostAt(c.Observation.ResolvedAddress, s.Host)
	s.learn(c.Observation)
	if c.Observation.Outcome == check.OutcomeDown {
		e.counts.Failures++
	}
	if s.pending != nil || s.State.Stage == lifecycle.Paused {
		return
	}
	if (s.State.Status != check.StatusRunning || s.State.Unsettled) && m.full {
		return // a change of its status could not be written now; it is checked again
	}
	s.note(c)
	e.step(m, s, lifecycle.Observed{At: c.At, Node: c.Node, Outcome: c.Observation.Outcome})
}

// Decide takes in the answer to a ballot.
func (e *Engine) Decide(now time.Time, a Answer) {
	m := e.hand.moment(now)
	e.mu.Lock()
	defer e.release()
	s := e.site(a.Question.Site)
	if s == nil || s.pending != nil || !s.opened || s.State.Ballot != a.Question.Ballot {
		return
	}
	s.opened, s.answer = false, &a
	e.out.info(fmt.Sprintf("site %d %s %s", s.Row.ID, s.Row.URL, decision(a)))
	if a.Verdict != quorum.Confirmed {
		e.out.keep(e.ballot(s))
	}
	if a.Verdict == quorum.Inconclusive {
		e.counts.Inconclusive++
	}
	if down, up, clean := quorum.Split(a.Opinions()); clean && a.Verdict != quorum.Confirmed {
		s.regional = Regional{Down: down, Up: up, At: now}
		e.out.warn("regional", "site", s.Row.ID, "url", s.Row.URL, "down", down, "up", up)
	}
	e.step(m, s, lifecycle.Decided{At: now, Ballot: a.Question.Ballot, Verdict: a.Verdict})
	e.settle(now, s)
}

// Looked takes in a second look by a veriflier.
func (e *Engine) Looked(now time.Time, l Look) {
	m := e.hand.moment(now)
	e.mu.Lock()
	defer e.release()
	s := e.site(l.Question.Site)
	if s == nil || l.Observation == nil || s.target().URL != l.Question.Target.URL {
		return
	}
	defer e.settle(now, s)
	e.observe(m, s, store.LocalCheck{Node: l.Veriflier, Veriflier: true, At: l.At, Observation: *l.Observation})
}

// step asks lifecycle what an event means and carries its effects out.
func (e *Engine) step(m moment, s *site, ev lifecycle.Event) {
	before := s.State
	next, effects := lifecycle.Step(s.State, ev, e.o.Policy)
	s.State = next
	for _, f := range effects {
		e.carryOut(m, s, f)
	}
	e.watchHold(m.Time, s, before)
	if next.Held && !before.Held {
		e.turn(s)
	}
	if next.Stage == lifecycle.Up && before.Stage != lifecycle.Up {
		if s.pending == nil {
			s.forget()
		}
		e.turn(s)
	}
}

func (e *Engine) carryOut(m moment, s *site, f lifecycle.Effect) {
	switch f := f.(type) {
	case lifecycle.Recheck:
		e.agenda.At(&s.timer, m.Add(f.After))
	case lifecycle.SecondLook:
		e.secondLook(m.Time, s, f.Avoid)
	case lifecycle.Verify:
		if f.After > 0 {
			s.askDue = true
			e.agenda.At(&s.timer, m.Add(f.After))
			return
		}
		e.agenda.Rest(&s.timer)
		e.ask(m, s)
	case lifecycle.Abandon:
		s.askDue = false
		e.abandon(s)
	case lifecycle.Change:
		s.regional = Regional{}
		e.change(s, f)
	case lifecycle.Blip:
		e.counts.Blips++
	case lifecycle.FalseAlarm:
		e.counts.FalseAlarms++
	}
}

// secondLook asks another checker, or a veriflier when there is none. The routine
// check goes on beside it in case that nobody answers.
func (e *Engine) secondLook(now time.Time, s *site, avoid string) {
	e.turn(s)
	if e.fleet.Another(avoid) {
		e.submitTo(now, s, s.State.Node)
		return
	}
	e.out.look(Question{Site: s.Row.ID, Target: s.target()})
}

// change sends a change of status to the ledger; until its answer nothing else is judged.
func (e *Engine) change(s *site, f lifecycle.Change) {
	c := store.Change{
		Key:    fmt.Sprintf("%d-%d%d-%016x", s.Row.ID, f.From, f.To, e.o.Random()),
		SiteID: s.Row.ID, BlogID: s.Row.BlogID, Bucket: s.Row.Bucket, URL: s.Row.URL,
		From: f.From, To: f.To, Relapses: f.Relapses, Since: s.Row.StatusSince, Start: f.Start, At: f.At,
		LastCheck: s.LastCheck, Cause: s.cause(), Checks: slices.Clone(s.checks), Muted: e.o.Muted,
	}
	if f.From == check.StatusRunning && s.answer != nil {
		b := e.ballot(s)
		c.Ballot = &b
	}
	s.pending = &c
	e.turn(s)
	e.out.record(c)
}

// ballot is the evidence of the site's newest ballot.
func (e *Engine) ballot(s *site) store.Ballot {
	a := s.answer
	return store.Ballot{
		SiteID: s.Row.ID, Bucket: s.Row.Bucket, OutageID: s.Row.OutageID,
		Verdict: a.Verdict, Rule: a.Rule, Round: a.Question.Round,
		Opened: a.Opened, Decided: a.Decided, Votes: a.Votes, Checks: slices.Clone(s.checks),
	}
}

// Committed takes in that a change is in the store.
func (e *Engine) Committed(now time.Time, c store.Change, done store.Committed) {
	e.mu.Lock()
	defer e.release()
	s := e.site(c.SiteID)
	if s == nil || s.pending == nil || s.pending.Key != c.Key {
		return
	}
	e.counts.Changes++
	s.pending = nil
	s.Row.Status, s.Row.StatusSince = c.To, c.At
	s.Row.OutageID = done.OutageID
	if c.To == check.StatusRunning {
		s.Row.OutageID = 0
	}
	s.forget()
	if s.State.Status != c.To {
		// The site was begun anew while the change was on its way.
		s.State = lifecycle.Initial(c.To, c.At, s.Row.Paused)
		s.State.Ballot = e.ballots
	}
	e.settle(now, s)
}

// Refused takes in that a change does not fit the store any more: the site is begun
// anew from its row, which is nil when it is gone.
func (e *Engine) Refused(now time.Time, c store.Change, row *store.Site) {
	e.mu.Lock()
	defer e.release()
	s := e.site(c.SiteID)
	if s == nil || s.pending == nil || s.pending.Key != c.Key {
		return
	}
	e.edits.Edited(now, c.SiteID)
	e.remove(s)
	if row != nil {
		e.edits.Edited(now, c.SiteID)
		s := e.add(now, *row)
		e.soon(s)
		e.settle(now, s)
	}
}

// watchHold raises and ends the alarm of a site on which the verifliers cannot agree.
func (e *Engine) watchHold(now time.Time, s *site, before lifecycle.State) {
	switch {
	case s.State.Held && !before.Held:
		h, ok := e.held[s.Row.ID]
		if !ok {
			h.since = now
		}
		h.reason = holdReason(s.answer, before.Round)
		e.held[s.Row.ID] = h
		e.out.warn("held as suspect, nothing is sent", "site", s.Row.ID, "url", s.Row.URL, "why", h.reason)
	case s.State.Stage != lifecycle.Suspect && s.State.Stage != lifecycle.Verifying:
		e.unhold(s.Row.ID)
	}
}

// decision is a ballot's outcome in a line.
func decision(a Answer) string {
	return fmt.Sprintf("%s: %s, round %d, %.1f s", strings.ToUpper(a.Verdict.String()), tally(a), a.Question.Round, a.Decided.Sub(a.Opened).Seconds())
}

// holdReason explains an inconclusive verification to an operator.
func holdReason(a *Answer, rounds uint8) string {
	if a == nil {
		return "the verifliers could not decide"
	}
	text := fmt.Sprintf("the verifliers could not decide in %d rounds: %s", rounds, tally(*a))
	for _, v := range a.Votes {
		if v.Value == quorum.Unknown {
			text += fmt.Sprintf("; %s (%s) %s", v.Veriflier, v.Region, v.UnknownReason)
		}
	}
	return text
}

// tally says a ballot in words.
func tally(a Answer) string {
	var down, up, unknown int
	regions := map[string]bool{}
	for _, v := range a.Votes {
		switch v.Value {
		case quorum.Down:
			down++
			regions[v.Region] = true
		case quorum.Up:
			up++
		default:
			unknown++
		}
	}
	return fmt.Sprintf("%d of %d down in %d regions, %d up, %d unknown (needs %d in %d regions)",
		down, a.Rule.Voters, len(regions), up, unknown, a.Rule.Need, a.Rule.Regions)
}
