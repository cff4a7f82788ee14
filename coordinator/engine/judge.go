package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/checkers"
	"github.com/Automattic/jetmon/coordinator/engine/roster"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/traceid"
)

// fullWait is how long a site waits when the committer is full.
const fullWait = 5 * time.Second

// judge applies events to one site: it asks lifecycle what an event means, and carries the
// consequences out on the agenda, with dispatch and among the effects. The caller settles
// the site afterwards.
type judge struct {
	policy lifecycle.Policy
	pace   pace
	pages  pageChecks
	random func() uint64
	hosts  roster.Hosts

	agenda *schedule.Agenda
	core   *dispatch.Core
	fleet  *checkers.Fleet
	out    *effects
	counts Counters
	// tenures are the engine's.
	tenures *shard.Held
	// tlsErrors is what a bad certificate means where the site does not say.
	tlsErrors check.TLSErrors
	// traced means that steps are recorded. cause is the span of the event that is applied, if it
	// has one.
	traced bool
	cause  traceid.Context
}

// voice returns who hears of the changes of a bucket's sites.
func (j *judge) voice(b check.BucketID) shard.Voice { return j.tenures[shard.Of(b)].Voice }

// pace, when not 0, is the interval of every site instead of its own.
type pace time.Duration

// of returns the interval in force for a site, given its own.
func (p pace) of(own time.Duration) time.Duration {
	if p > 0 {
		return time.Duration(p)
	}
	return own
}

// due takes the step that a site was waiting for.
func (j *judge) due(m moment, due time.Time, s *site) {
	switch s.State.Stage {
	case lifecycle.Paused:
	case lifecycle.Verifying:
		if s.askDue {
			j.ask(m, s)
		}
	default:
		if s.State.Stage == lifecycle.Suspect && !s.State.Held {
			j.recheck(m, s, s.State.Node)
		} else {
			j.submit(m, s, dispatch.Check{Due: due})
		}
		j.turn(s)
	}
}

// recheck queues one urgent check, for any node but avoid if there is another.
func (j *judge) recheck(m moment, s *site, avoid string) {
	j.submit(m, s, dispatch.Check{Avoid: avoid, Urgent: true})
}

// submit queues one check of a site, unless one is open.
func (j *judge) submit(m moment, s *site, c dispatch.Check) {
	c.Site, c.Sequence, c.Host, c.Tag = s.Row.ID, s.Sequence+1, s.Host, uint32(s.timer.Slot)
	if j.core.Submit(m.Time, c) == nil {
		s.Sequence++
		s.Urgent = c.Urgent
	}
}

// turn gives a site its next routine turn.
func (j *judge) turn(s *site) { j.agenda.Turn(&s.timer, s.Row.ID, j.pace.of(s.Row.Interval)) }

// soon gives a site a turn at once, unless it waits for another step.
func (j *judge) soon(s *site) {
	switch s.State.Stage {
	case lifecycle.NeverChecked, lifecycle.Up, lifecycle.Down, lifecycle.ConfirmedDown:
		j.agenda.TurnNow(&s.timer)
	}
}

// observe applies a node's observation of a site.
func (j *judge) observe(m moment, s *site, c record.LocalCheck) {
	j.counts.Checks++
	if c.At.Before(s.LastCheck) {
		return
	}
	learnPage(&s.Site, s.Last, &c.Observation)
	s.Last, s.LastCheck, s.LastNode = &c.Observation, c.At, c.Node
	s.Host = j.hosts.At(c.Observation.ResolvedAddress, s.Host)
	s.learn(c.Observation)
	if c.Observation.Outcome == check.OutcomeDown {
		j.counts.Failures++
	}
	if s.pending != nil || s.State.Stage == lifecycle.Paused {
		return
	}
	if (s.State.Status != check.StatusRunning || s.State.Unsettled) && m.full {
		return // the committer has no room for a change of its status; the next check decides
	}
	s.note(c)
	j.step(m, s, lifecycle.Observed{At: c.At, Node: c.Node, Outcome: c.Observation.Outcome})
}

// decided applies the panel's answer to the site's ballot.
func (j *judge) decided(m moment, s *site, a *Answer) {
	s.opened, s.answer = false, a
	j.out.info("ballot decided", s.named("site_id", s.Row.ID, "url", s.Row.URL, "verdict", a.Verdict.String(),
		"votes", countVotes(*a), "round", a.Question.Round, "took", a.Decided.Sub(a.Opened))...)
	if a.Verdict != quorum.Confirmed {
		j.out.keep(s.evidence())
	}
	if d, ok := s.disagreement(); ok {
		j.out.warn("readers disagree", "site_id", d.Site, "url", d.URL, "veriflier", d.Veriflier, "saw", d.Opinion.String())
	}
	if a.Verdict == quorum.Inconclusive {
		j.counts.Inconclusive++
	}
	if down, up, clean := quorum.Split(a.Opinions()); clean && a.Verdict != quorum.Confirmed {
		s.regional = Regional{Down: down, Up: up, At: m.Time}
		j.out.warn("site down in some regions only", "site_id", s.Row.ID, "url", s.Row.URL, "down", down, "up", up)
	}
	j.step(m, s, lifecycle.Decided{At: m.Time, Ballot: a.Question.Ballot, Verdict: a.Verdict})
}

// committed records that the site's change is in the store. ballots is the highest ballot
// number so far.
func (j *judge) committed(s *site, done record.Committed, ballots uint32) {
	j.counts.Changes++
	c := s.pending
	s.heard(done)
	s.pending = nil
	if s.Row.Status != c.To {
		s.Row.Status, s.Row.StatusSince = c.To, c.At
	}
	s.Row.OutageID, s.Row.Inherited = done.OutageID, false
	if c.To == check.StatusRunning {
		s.Row.OutageID = 0
	}
	s.forget()
	moved := c.URL != s.Row.URL
	if moved || s.State.Status != c.To {
		// The site started afresh while the change was being written.
		s.State = lifecycle.Initial(c.To, s.Row.StatusSince, s.Row.Paused)
		s.State.Ballot = ballots
	}
	if moved {
		s.inherit()
	}
}

// step asks lifecycle what an event means, and carries its effects out.
func (j *judge) step(m moment, s *site, ev lifecycle.Event) {
	before := s.State
	next, effects := lifecycle.Step(s.State, ev, j.policy)
	s.State = next
	if j.traced && (len(effects) > 0 || next.Stage != before.Stage || next.Held != before.Held) {
		j.trace(m, s, before, ev)
		defer s.over()
	}
	for _, f := range effects {
		j.carryOut(m, s, f)
	}
	j.watchUndecided(m, s, before)
	if next.Held && !before.Held {
		j.turn(s)
	}
	rejected := next.Stage == lifecycle.NeverChecked && before.Stage == lifecycle.Verifying
	if rejected || next.Stage == lifecycle.Up && before.Stage != lifecycle.Up {
		if s.pending == nil {
			s.forget()
		}
		j.turn(s)
	}
}

func (j *judge) carryOut(m moment, s *site, f lifecycle.Effect) {
	switch f := f.(type) {
	case lifecycle.Recheck:
		j.agenda.At(&s.timer, m.Add(f.After))
	case lifecycle.SecondLook:
		j.secondLook(m, s, f.Avoid)
	case lifecycle.Verify:
		if f.After > 0 {
			s.askDue = true
			j.agenda.At(&s.timer, m.Add(f.After))
			return
		}
		j.agenda.Rest(&s.timer)
		j.ask(m, s)
	case lifecycle.Abandon:
		s.askDue = false
		j.abandon(s)
	case lifecycle.Change:
		s.regional = Regional{}
		j.change(s, f)
	case lifecycle.Blip:
		j.counts.Blips++
	case lifecycle.FalseAlarm:
		j.counts.FalseAlarms++
	}
}

// ask opens the site's ballot with the panel. When the committer has no room for a change,
// it tries again later.
func (j *judge) ask(m moment, s *site) {
	if m.full {
		s.askDue = true
		j.agenda.At(&s.timer, m.Add(fullWait))
		return
	}
	s.askDue = false
	s.opened = true
	j.out.ask(Question{Site: s.Row.ID, Ballot: s.State.Ballot, Round: s.State.Round, Target: j.target(s), Trace: s.saga.step})
}

// abandon stops the site's ballot if the panel has one.
func (j *judge) abandon(s *site) {
	if s.opened {
		s.opened = false
		j.out.abandon(s.Row.ID, s.State.Ballot)
	}
}

// secondLook asks another checker, or a veriflier when there is none. Routine checks
// continue in case nobody answers.
func (j *judge) secondLook(m moment, s *site, avoid string) {
	j.turn(s)
	if j.fleet.Another(avoid) {
		j.recheck(m, s, s.State.Node)
		return
	}
	j.out.look(Question{Site: s.Row.ID, Target: j.target(s), Trace: s.saga.step})
}

// elsewhere repeats a check on another node because the first node is not trusted. It does
// so once, so that a fleet that is faulty as a whole does not multiply its load.
func (j *judge) elsewhere(m moment, s *site, node string) {
	if !s.Urgent && s.State.Stage != lifecycle.Paused && j.fleet.AnotherSound(node) {
		j.recheck(m, s, node)
	}
}

// change sends a change of status to the committer. Until the committer answers, nothing
// else is decided about the site.
func (j *judge) change(s *site, f lifecycle.Change) {
	voice := j.voice(s.Row.Bucket)
	c := record.Change{
		Key:    fmt.Sprintf("%d-%d%d-%016x", s.Row.ID, f.From, f.To, j.random()),
		SiteID: s.Row.ID, BlogID: s.Row.BlogID, Bucket: s.Row.Bucket, URL: s.Row.URL,
		From: f.From, To: f.To, Relapses: f.Relapses, Since: s.Row.StatusSince, Start: f.Start, At: f.At,
		LastCheck: s.LastCheck, Cause: s.cause(), Checks: slices.Clone(s.checks),
		Muted: voice != shard.Telling, Trial: voice == shard.OnTrial, Trace: s.saga.step,
	}
	s.untold.mute(&c)
	if (f.From == check.StatusRunning || f.From == f.To) && s.answer != nil {
		b := s.evidence()
		c.Ballot = &b
	}
	s.pending = &c
	j.turn(s)
	j.out.record(c)
}

// watchUndecided notes when a suspect becomes undecided, and when that ends.
func (j *judge) watchUndecided(m moment, s *site, before lifecycle.State) {
	switch {
	case s.State.Held && !before.Held:
		since := m.Time
		if s.undecided != nil {
			since = s.undecided.since
		}
		s.undecided = &undecided{since: since, reason: undecidedReason(s.answer, before.Round)}
		j.out.warn("suspect undecided", s.named("site_id", s.Row.ID, "url", s.Row.URL, "reason", s.undecided.reason)...)
	case s.State.Stage != lifecycle.Suspect && s.State.Stage != lifecycle.Verifying:
		s.undecided = nil
	}
}
