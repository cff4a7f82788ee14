package dispatch

import "time"

// Join opens a session without credit. A node has one session. An older one of the same
// process is superseded: it ends as by Leave. So is one of another process that has said
// that it leaves, or was not heard for YieldAfter; while that one is heard, the answer is
// *NameTaken.
//
// Then what resume names of the batches of an earlier session of the same node and instance
// is checked out to the new one, under its old lease, as far as its checks are open, not
// handed out elsewhere and fit into MaxInFlight; the next Heartbeat answers the rest as
// unknown.
func (c *Core) Join(now time.Time, h Hello, resume []Ref) (SessionID, []SessionID, error) {
	c.clock.set(now)
	old, err := c.sessions.claim(now, &h)
	if err != nil {
		return 0, nil, err
	}
	var superseded []SessionID
	if old != nil {
		superseded = append(superseded, old.id)
		c.end(now, old)
	}
	s := c.sessions.add(now, &h, old)
	c.batches.forget(now)
	for _, ref := range resume {
		c.resume(now, s, ref)
	}
	return s.id, superseded, nil
}

// resume makes a batch of an earlier session of the same process live again if some of its
// checks are still queued and fit. A check that is parked by now stays so.
func (c *Core) resume(now time.Time, s *Session, ref Ref) {
	b := c.batches.resumable(now, s, ref)
	if b == nil {
		return
	}
	n := b.queued()
	if n == 0 || s.out+n > s.hello.MaxInFlight {
		return
	}
	for i := range b.slots {
		if t := &b.slots[i]; t.isQueued() {
			c.waiting.dequeue(t.entry)
			b.lend(i)
		}
	}
	c.batches.start(now, s, b, n)
	s.hold(b, n)
	s.grown = true // its caches are warm
}

// Leave ends a session; what it had out is queued again. A session that is not there
// is no error.
func (c *Core) Leave(now time.Time, id SessionID) {
	c.clock.set(now)
	if s := c.sessions.find(id); s != nil {
		c.end(now, s)
	}
}

// Drain says that a session gets no more checks. It may finish what it has.
func (c *Core) Drain(id SessionID) {
	if s := c.sessions.find(id); s != nil {
		c.sessions.drain(s)
	}
}

// Grant adds n credits. Over what MaxInFlight allows it grants that and answers
// ErrOverCredit. What a new session may not have out yet stays unspent until it may.
func (c *Core) Grant(id SessionID, n int) error {
	s := c.sessions.find(id)
	switch {
	case s == nil:
		return ErrNoSession
	case n < 0:
		return ErrInvalid
	case s.grant(n) > 0:
		return ErrOverCredit
	}
	return nil
}

// Heartbeat says that a session lives and which batches it holds. It returns those
// that are not checked out to it. Batches that are, and that it does not name, are
// queued again, unless they are so new that they may still be on their way.
func (c *Core) Heartbeat(now time.Time, id SessionID, open []Ref) ([]Ref, error) {
	c.clock.set(now)
	s := c.sessions.find(id)
	if s == nil {
		return nil, ErrNoSession
	}
	s.lastSeen = now
	unknown, unnamed := s.compare(open)
	for _, b := range unnamed {
		if now.Sub(b.handed) > c.config.SessionTimeout/3 {
			c.endBatch(now, b)
		}
	}
	return unknown, nil
}

// Sessions describes all sessions, the oldest first.
func (c *Core) Sessions() []SessionInfo { return c.sessions.describe(c.clock.now) }

// Session finds a session; nil when there is no such one, or no more.
func (c *Core) Session(id SessionID) *Session { return c.sessions.find(id) }
