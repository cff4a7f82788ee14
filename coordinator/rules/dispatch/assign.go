package dispatch

import (
	"slices"
	"time"
)

// Assign checks out what is queued, as credits allow: urgent checks first, then the
// oldest. Where a check goes is said at place.
func (c *Core) Assign(now time.Time) []Batch {
	c.clock.set(now)
	if c.Queued() == 0 {
		return nil
	}
	ready := &c.placement.ready
	ready.gather(now, &c.sessions, c.Queued())
	if len(ready.list) == 0 {
		return nil
	}
	c.deal(&c.waiting.urgent)
	c.deal(&c.waiting.routine)
	ready.forget()
	var batches []Batch
	for _, s := range c.sessions.list {
		if len(s.picked) == 0 {
			continue
		}
		s.credit -= len(s.picked)
		for picked := range slices.Chunk(s.picked, c.config.MaxBatch) {
			batches = append(batches, c.hand(now, s, picked))
		}
		clear(s.picked)
		s.picked = s.picked[:0]
	}
	return batches
}

// deal picks sessions for the checks of a queue, in order, until it is empty or nobody
// may have what is left.
func (c *Core) deal(q *queue) {
	c.placement.look(q, &c.sessions)
	for e, s := c.placement.next(c.clock.elapsed); e != nil; e, s = c.placement.next(c.clock.elapsed) {
		c.waiting.dequeue(e)
		s.picked = append(s.picked, e)
	}
}

// hand checks out to a session what was picked for it, as one batch.
func (c *Core) hand(now time.Time, s *Session, picked []*entry) Batch {
	b, checks := c.batches.hand(now, s, picked)
	s.hold(b, len(picked))
	return Batch{Session: s.id, Ref: b.ref, Checks: checks, Expires: b.expires}
}
