package engine

import (
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/dispatch"
	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/schedule"
	"github.com/Automattic/jetmon/coordinator/shard"
	"github.com/Automattic/jetmon/internal/check"
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
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.o.Shards != nil {
		e.terms = e.o.Shards.Held().Terms()
	}
	e.routine(now)
	e.due = e.waits.Advance(now, e.due[:0])
	for _, place := range e.due {
		if s := e.cases[e.places[place]]; s != nil {
			e.leavePlace(s)
			e.siteDue(now, now, s)
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
func (e *Engine) routine(now time.Time) {
	before := e.clock.Now()
	own := e.clock.Advance(now, e.core.Backlog(now) > maxBacklog)
	e.meter.Ran(now, now.Sub(e.ticked), own.Sub(before))
	e.ticked = now
	// None of them was due earlier than this.
	due := now.Add(before.Sub(own))
	e.due = e.turns.Advance(own, e.due[:0])
	e.meter.Due(now, len(e.due))
	for run := range slices.Chunk(e.due, runLength) {
		e.expectDue(run)
		for _, slot := range run {
			if s := e.cases[slot]; s != nil {
				e.siteDue(now, due, s)
				e.settle(now, s)
			} else if r := e.record(slot); r.id != 0 {
				e.calmDue(now, due, slot, r)
			}
		}
	}
}

// siteDue does the one thing that a site waits for, which was due at a time.
func (e *Engine) siteDue(now, due time.Time, s *site) {
	switch s.state.Stage {
	case lifecycle.Paused:
	case lifecycle.Verifying:
		if s.askDue {
			e.ask(now, s)
		}
	default:
		if s.state.Stage == lifecycle.Suspect && !s.state.Held {
			e.submitTo(now, s, s.state.Node)
		} else {
			e.queueSite(now, s, dispatch.Check{Due: due})
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
	c.Site, c.Sequence, c.Host, c.Tag = s.row.ID, s.sequence+1, s.host, uint32(s.slot)
	if e.core.Submit(now, c) == nil {
		s.sequence++
		s.urgent = c.Urgent
	}
}

// tagged is the record of the site that a check is of: its tag is the slot. Nil when the
// site was taken off meanwhile.
func (e *Engine) tagged(c *dispatch.Check) *record {
	if r := e.record(schedule.Slot(c.Tag)); r.id == c.Site {
		return r
	}
	return nil
}

// turn has the wheel come by at the site's next routine turn; soon at once. wait has it
// come by at a real time, and rest not at all. Each ends what was before.
func (e *Engine) turn(s *site) {
	e.leavePlace(s)
	e.turns.Add(s.slot, schedule.Next(s.row.ID, e.interval(s), e.clock.Now()))
}

func (e *Engine) turnNow(s *site) {
	e.leavePlace(s)
	e.turns.Add(s.slot, e.clock.Now())
}

func (e *Engine) wait(s *site, at time.Time) {
	e.turns.Remove(s.slot)
	if s.place == 0 {
		s.place = e.newPlace(s.slot) + 1
	}
	e.waits.Add(s.place-1, at)
}

func (e *Engine) rest(s *site) {
	e.leavePlace(s)
	e.turns.Remove(s.slot)
}

func (e *Engine) leavePlace(s *site) {
	if s.place != 0 {
		e.waits.Remove(s.place - 1)
		e.freePlaces = append(e.freePlaces, s.place-1)
		s.place = 0
	}
}

func (e *Engine) newPlace(slot schedule.Slot) schedule.Slot {
	if n := len(e.freePlaces); n > 0 {
		place := e.freePlaces[n-1]
		e.freePlaces = e.freePlaces[:n-1]
		e.places[place] = slot
		return place
	}
	e.places = append(e.places, slot)
	return schedule.Slot(len(e.places) - 1)
}

// next is when a site is due, in real time; false when nothing is.
func (e *Engine) next(s *site) (time.Time, bool) {
	if s.place != 0 {
		return e.waits.Due(s.place - 1)
	}
	at, ok := e.turns.Due(s.slot)
	return e.clock.Real(at), ok
}

func (e *Engine) interval(s *site) time.Duration { return e.intervalOf(s.row.Interval) }

func (e *Engine) intervalOf(own time.Duration) time.Duration {
	if e.o.Interval > 0 {
		return e.o.Interval
	}
	return own
}

// assign hands out what credits allow.
func (e *Engine) assign(now time.Time) {
	for _, b := range e.core.Assign(now) {
		targets := e.targets[:0]
		var term uint64
		e.expectRecords(b.Checks)
		e.expectURLs(b.Checks)
		for i := range b.Checks {
			c := &b.Checks[i]
			if !c.Due.IsZero() {
				e.meter.HandedOut(now, c.Due)
			}
			var t check.Target
			if r := e.tagged(c); r != nil {
				t = e.target(schedule.Slot(c.Tag))
				term = max(term, e.terms[shard.Of(r.bucket)])
			}
			targets = append(targets, t)
		}
		e.targets = targets
		if ses := e.sessions[b.Session]; ses == nil || !ses.out.Assign(b, targets, term) {
			e.endSession(now, b.Session, "the checker does not read its stream")
		}
	}
}

// revoke tells the checkers that batches are not theirs any more.
func (e *Engine) revoke(ended []dispatch.Expired) {
	for _, x := range ended {
		if ses := e.sessions[x.Session]; ses != nil {
			ses.out.Revoke([]dispatch.Ref{x.Ref})
		}
	}
}

// target is what to ask a node about the site in a slot.
func (e *Engine) target(slot schedule.Slot) check.Target {
	if s := e.cases[slot]; s != nil {
		return s.target()
	}
	r := e.record(slot)
	return target(e.urls.text(r.url), e.settings.list[r.settings], uint64(r.sequence), r.flags)
}

// ask opens the site's ballot with the panel, or waits until what it may lead to can
// be written.
func (e *Engine) ask(now time.Time, s *site) {
	if e.o.Ledger.Full() {
		s.askDue = true
		e.wait(s, now.Add(fullWait))
		return
	}
	s.askDue = false
	s.opened = true
	t := s.target()
	t.Timeout = check.VerifyTimeout
	e.o.Panel.Ask(Question{Site: s.row.ID, Ballot: s.state.Ballot, Round: s.state.Round, Target: t})
}
