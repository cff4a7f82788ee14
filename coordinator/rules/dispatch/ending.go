package dispatch

import "time"

// Release takes a batch back undone: its unanswered checks are queued again.
func (c *Core) Release(now time.Time, id SessionID, ref Ref) error {
	c.clock.set(now)
	s := c.sessions.find(id)
	if s == nil {
		return ErrNoSession
	}
	s.lastSeen = now
	b := s.batches[ref.Batch]
	switch {
	case b == nil:
		return ErrNotCheckedOut
	case b.ref != ref:
		return ErrMismatch
	}
	c.endBatch(now, b)
	return nil
}

// Obsolete ends the live batches that are not worth working on, since their checks are
// answered, by this batch or another, withdrawn or fenced. It names them.
func (c *Core) Obsolete(now time.Time) []Expired {
	c.clock.set(now)
	var ended []Expired
	for b := c.batches.void.oldest(); b != nil; b = c.batches.void.oldest() {
		ended = append(ended, Expired{Session: b.session, Ref: b.ref})
		c.endBatch(now, b)
	}
	return ended
}

// Expire ends the sessions that were silent for SessionTimeout and the batches whose
// lease is over; their checks are queued again. It says which. The batches of lost
// sessions are not listed.
func (c *Core) Expire(now time.Time) (lost []SessionID, expired []Expired) {
	c.clock.set(now)
	for _, s := range c.sessions.silent(now) {
		lost = append(lost, s.id)
		c.end(now, s)
	}
	for _, b := range c.batches.expired(now) {
		expired = append(expired, Expired{Session: b.session, Ref: b.ref})
		c.endBatch(now, b)
	}
	c.batches.forget(now)
	return lost, expired
}

// end ends a session and its batches.
func (c *Core) end(now time.Time, s *Session) {
	for _, b := range s.held() {
		c.endBatch(now, b)
	}
	c.sessions.remove(s)
}

// endBatch ends a live batch. Its open checks are queued again, before new ones; the places
// of the others are free. Results may still come.
func (c *Core) endBatch(now time.Time, b *batch) {
	if s := c.sessions.find(b.session); s != nil {
		s.drop(b)
	}
	for _, l := range c.batches.end(now, b) {
		if l.check != nil {
			c.waiting.requeue(l.check, c.clock.elapsed)
		} else {
			c.vacate(l.host)
		}
	}
}

// vacate frees the place that a closed check had on a host.
func (c *Core) vacate(host uint32) {
	c.waiting.vacate(c.waiting.hosts.find(host), c.clock.elapsed)
}
