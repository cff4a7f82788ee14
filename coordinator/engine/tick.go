package engine

import (
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/dispatch"
	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/roster"
	"github.com/Automattic/jetmon/coordinator/schedule"
	"github.com/Automattic/jetmon/coordinator/shard"
)

const (
	// maxBacklog is how long the oldest routine check may wait for a checker with room
	// before the schedule's clock stops.
	maxBacklog = time.Second
	// fullWait is how long a site waits when the ledger is full.
	fullWait = 5 * time.Second
)

// Tick does what is due at now: checks are handed out, dead sessions are ended.
// Call it about every tick; what a pause has kept from being done is done once.
func (e *Engine) Tick(now time.Time) {
	m := e.hand.moment(now)
	var terms [shard.Count]uint64
	if e.o.Shards != nil {
		terms = e.o.Shards.Held().Terms()
	}
	e.mu.Lock()
	defer e.release()
	e.terms = terms
	e.routine(m)
	for _, slot := range e.agenda.Waited(now) {
		if s := e.cases[slot]; s != nil {
			e.agenda.Rest(&s.timer)
			e.siteDue(m, now, s)
			e.settle(now, s)
		}
	}
	lost, expired := e.core.Expire(now)
	for _, id := range lost {
		e.endSession(now, id, "no heartbeat")
	}
	e.revoke(expired)
	e.revoke(e.core.Obsolete(now))
	e.assign(now)
}

// routine lets the schedule's clock run on and takes the sites whose turn it is. The
// clock stands while checks wait for room: then there is no use in more of them.
func (e *Engine) routine(m moment) {
	now := m.Time
	slots, ran := e.agenda.Advance(now, e.core.Backlog(now) > maxBacklog)
	e.meter.Ran(now, now.Sub(e.ticked), ran)
	e.ticked = now
	e.meter.Due(now, len(slots))
	due := now.Add(-ran) // none of them was due earlier
	for run := range slices.Chunk(slots, runLength) {
		e.expectDue(run)
		for _, slot := range run {
			if s := e.cases[slot]; s != nil {
				e.siteDue(m, due, s)
				e.settle(now, s)
			} else if r := e.sites.Record(slot); r.ID() != 0 {
				e.calmDue(now, due, slot, r)
			}
		}
	}
}

// siteDue does the one thing that a site waits for, which was due at a time.
func (e *Engine) siteDue(m moment, due time.Time, s *site) {
	switch s.State.Stage {
	case lifecycle.Paused:
	case lifecycle.Verifying:
		if s.askDue {
			e.ask(m, s)
		}
	default:
		if s.State.Stage == lifecycle.Suspect && !s.State.Held {
			e.submitTo(m.Time, s, s.State.Node)
		} else {
			e.queueSite(m.Time, s, dispatch.Check{Due: due})
		}
		e.turn(s)
	}
}

// submitTo queues one urgent check, for any node but avoid if there is another.
func (e *Engine) submitTo(now time.Time, s *site, avoid string) {
	e.queueSite(now, s, dispatch.Check{Avoid: avoid, Urgent: true})
}

// queueSite queues one check of a site, unless one is open.
func (e *Engine) queueSite(now time.Time, s *site, c dispatch.Check) {
	c.Site, c.Sequence, c.Host, c.Tag = s.Row.ID, s.Sequence+1, s.Host, uint32(s.timer.Slot)
	if e.core.Submit(now, c) == nil {
		s.Sequence++
		s.Urgent = c.Urgent
	}
}

// calmDue is siteDue for a site without a case: its routine check.
func (e *Engine) calmDue(now, due time.Time, slot schedule.Slot, r *roster.Record) {
	if e.core.Submit(now, dispatch.Check{Site: r.ID(), Sequence: r.Sequence() + 1, Host: r.Host(), Tag: uint32(slot), Due: due}) == nil {
		r.Routine()
	}
	e.agenda.Turn(&schedule.Timer{Slot: slot}, r.ID(), e.intervalOf(r.Interval()))
}

// tagged is the record of the site that a check is of: its tag is the slot. Nil when the
// site was taken off meanwhile.
func (e *Engine) tagged(c *dispatch.Check) *roster.Record {
	if r := e.sites.Record(schedule.Slot(c.Tag)); r.ID() == c.Site {
		return r
	}
	return nil
}

// turn gives a site its next routine turn.
func (e *Engine) turn(s *site) { e.agenda.Turn(&s.timer, s.Row.ID, e.interval(s)) }

func (e *Engine) interval(s *site) time.Duration { return e.intervalOf(s.Row.Interval) }

func (e *Engine) intervalOf(own time.Duration) time.Duration {
	if e.o.Interval > 0 {
		return e.o.Interval
	}
	return own
}

// assign hands out what credits allow.
func (e *Engine) assign(now time.Time) {
	for _, b := range e.core.Assign(now) {
		h := handout{to: e.sessions[b.Session], batch: b, at: now, first: len(e.out.targets)}
		e.expectRecords(b.Checks)
		e.expectURLs(b.Checks)
		for i := range b.Checks {
			c := &b.Checks[i]
			if !c.Due.IsZero() {
				e.meter.HandedOut(now, c.Due)
			}
			var t target
			if r := e.tagged(c); r != nil {
				t = e.target(schedule.Slot(c.Tag))
				h.term = max(h.term, e.terms[shard.Of(r.Bucket())])
			}
			e.out.targets = append(e.out.targets, t)
		}
		e.out.assign(h)
	}
}

// revoke tells the checkers that batches are not theirs any more.
func (e *Engine) revoke(ended []dispatch.Expired) {
	for _, x := range ended {
		if from := e.sessions[x.Session]; from != nil {
			e.out.revoke(from, x.Ref)
		}
	}
}

// target is what to ask a node about the site in a slot. A case is saved in its record
// after each change, so that the record is enough.
func (e *Engine) target(slot schedule.Slot) target {
	r := e.sites.Record(slot)
	return target{
		URL: e.sites.URL(slot), settings: e.sites.Settings(slot), timeout: budget(r.Stage(), r.Urgent()),
		headHostile: r.HeadHostile() && r.Sequence()%headAgain != 0,
	}
}

// ask opens the site's ballot with the panel, or waits until what it may lead to can
// be written.
func (e *Engine) ask(m moment, s *site) {
	if m.full {
		s.askDue = true
		e.agenda.At(&s.timer, m.Add(fullWait))
		return
	}
	s.askDue = false
	s.opened = true
	e.out.ask(Question{Site: s.Row.ID, Ballot: s.State.Ballot, Round: s.State.Round, Target: s.target()})
}
