package dispatch

import "time"

// answer is what became of one check of a batch.
type answer uint8

const (
	unanswered answer = iota
	counted           // its result closed the check
	tooLate           // its result came when the check was closed
	wasFenced         // its result came when the check was fenced
)

// slot is one check of a batch. The check is open as long as its entry has the serial.
type slot struct {
	key    Key
	entry  *entry
	serial uint64
	host   uint32
	answer answer
	// out: the batch is live and the check unanswered. It takes its room in the session
	// and, open or not, its place on the host.
	out bool
}

func (s *slot) isOpen() bool { return s.entry.serial == s.serial }

// batch is what one session has, or had, checked out.
type batch struct {
	ref            Ref
	session        SessionID
	node, instance string
	// live: the batch is checked out. An ended one is remembered for a while.
	live            bool
	handed, expires time.Time
	ended           time.Time
	slots           []slot
	// left is how many slots are out, open how many of the checks are open in this batch.
	left, open int

	list       *batchList
	prev, next *batch
}

// find returns the position of a check, -1 when the batch has none such.
func (b *batch) find(k Key) int {
	for i := range b.slots {
		if b.slots[i].key == k {
			return i
		}
	}
	return -1
}

// Release takes a batch back undone: its unanswered checks are queued again.
func (c *Core) Release(now time.Time, id SessionID, ref Ref) error {
	c.tick(now)
	s := c.Session(id)
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
	c.tick(now)
	var ended []Expired
	for b := c.void.head; b != nil; b = c.void.head {
		ended = append(ended, Expired{Session: b.session, Ref: b.ref})
		c.endBatch(now, b)
	}
	return ended
}

// hand checks the entries out to a session as one batch.
func (c *Core) hand(now time.Time, s *Session, entries []*entry) Batch {
	c.lastBatch++
	b := c.newBatch(len(entries))
	// 0 is what a caller has who was never given an id.
	b.ref = Ref{Batch: c.lastBatch, Checkout: max(1, c.config.Random())}
	b.node, b.instance = s.hello.Node, s.hello.Instance
	checks := make([]Check, len(entries))
	for i, e := range entries {
		e.batch, e.position = b, int32(i)
		checks[i] = e.check
		b.slots[i] = slot{
			key: Key{Site: e.check.Site, Sequence: e.check.Sequence}, entry: e, serial: e.serial,
			host: e.check.Host, out: true,
		}
	}
	c.batches[b.ref.Batch] = b
	b.expires = now.Add(c.config.Lease)
	c.start(now, s, b, len(entries))
	return Batch{Session: s.id, Ref: b.ref, Checks: checks, Expires: b.expires}
}

// start makes a batch with so many slots out live.
func (c *Core) start(now time.Time, s *Session, b *batch, out int) {
	b.session, b.live, b.handed = s.id, true, now
	b.left, b.open = out, out
	s.batches[b.ref.Batch] = b
	if b.list != nil {
		b.list.remove(b)
	}
	c.live.insert(b)
}

// resume makes those batches of an earlier session of the same process live again that
// have checks which are still queued. A check that is parked by now stays so.
func (c *Core) resume(now time.Time, s *Session, refs []Ref) {
	for _, ref := range refs {
		b := c.batches[ref.Batch]
		if b == nil || b.live || b.ref != ref || b.node != s.hello.Node || b.instance != s.hello.Instance || !now.Before(b.expires) {
			continue
		}
		n := 0
		for i := range b.slots {
			if b.slots[i].isQueued() {
				n++
			}
		}
		if n == 0 || s.out+n > s.hello.MaxInFlight {
			continue
		}
		for i := range b.slots {
			t := &b.slots[i]
			if t.isQueued() {
				c.dequeue(t.entry)
				t.entry.batch, t.entry.position, t.out = b, int32(i), true
			}
		}
		c.start(now, s, b, n)
		s.out += n
		s.grown = true // its caches are warm
	}
}

// isQueued says that the check is waiting in the queue, this one not answered.
func (s *slot) isQueued() bool {
	return s.answer == unanswered && s.isOpen() && s.entry.lane != nil
}

// endBatch ends a live batch. Its open checks are queued again, before new ones;
// results may still come.
func (c *Core) endBatch(now time.Time, b *batch) {
	if s := c.Session(b.session); s != nil {
		s.out -= b.left
		delete(s.batches, b.ref.Batch)
	}
	list := &c.lost
	if b.left == 0 {
		list = &c.done
	}
	for i := range b.slots {
		t := &b.slots[i]
		if !t.out {
			continue
		}
		t.out = false
		if !t.isOpen() {
			c.leave(c.hosts.get(uint64(t.host)))
			continue
		}
		e := t.entry
		e.batch, e.position = nil, 0
		e.returned, e.lost = true, b.node
		c.enqueue(e)
		if e.host != nil {
			c.giveWay(e.host)
		}
	}
	b.live, b.left, b.open, b.ended = false, 0, 0, now
	c.move(b, list)
	c.forget(now)
}
