package dispatch

import "time"

// answer is what became of one check of a batch.
type answer uint8

const (
	unanswered answer = iota
	counted           // its result closed the check
	tooLate           // its result came when the check was closed
)

// slot is one check of a batch. The check is open as long as its entry has the serial.
type slot struct {
	key    Key
	entry  *entry
	serial uint64
	answer answer
}

func (s *slot) isOpen() bool { return s.entry.serial == s.serial }

// batch is what one session has, or had, checked out.
type batch struct {
	ref     Ref
	session SessionID
	node    string
	// live: the batch is checked out. An ended one is remembered for a while.
	live            bool
	handed, expires time.Time
	ended           time.Time
	slots           []slot
	// left is how many slots of a live batch are unanswered.
	left int

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

// What is remembered of ended batches, in time and in checks.
const (
	rememberFor  = 5 * time.Minute
	rememberLost = 1 << 18
	rememberDone = 1 << 16
)

// batchList is a list of batches, oldest first.
type batchList struct {
	head, tail *batch
	checks     int
}

func (l *batchList) push(b *batch) {
	b.prev, b.next = l.tail, nil
	if l.tail != nil {
		l.tail.next = b
	} else {
		l.head = b
	}
	l.tail = b
	l.checks += len(b.slots)
}

func (l *batchList) remove(b *batch) {
	if b.prev != nil {
		b.prev.next = b.next
	} else {
		l.head = b.next
	}
	if b.next != nil {
		b.next.prev = b.prev
	} else {
		l.tail = b.prev
	}
	b.prev, b.next = nil, nil
	l.checks -= len(b.slots)
}

// Release takes a batch back undone: its unanswered checks are queued again.
func (c *Core) Release(now time.Time, id SessionID, ref Ref) error {
	s := c.session(id)
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

// hand checks the entries out to a session as one batch.
func (c *Core) hand(now time.Time, s *session, entries []*entry) Batch {
	c.lastBatch++
	// 0 is what a caller has who was never given an id.
	ref := Ref{Batch: c.lastBatch, Checkout: max(1, c.config.Random())}
	b := &batch{
		ref: ref, session: s.id, node: s.hello.Node, live: true, handed: now, expires: now.Add(c.config.Lease),
		slots: make([]slot, len(entries)), left: len(entries),
	}
	checks := make([]Check, len(entries))
	for i, e := range entries {
		e.batch, e.position = b, i
		checks[i] = e.check
		b.slots[i] = slot{key: Key{Site: e.check.Site, Sequence: e.check.Sequence}, entry: e, serial: e.serial}
	}
	s.batches[ref.Batch], c.batches[ref.Batch] = b, b
	c.live.push(b)
	return Batch{Session: s.id, Ref: ref, Checks: checks, Expires: b.expires}
}

// endBatch ends a live batch. Its open checks are queued again, before new ones;
// results may still come.
func (c *Core) endBatch(now time.Time, b *batch) {
	if s := c.session(b.session); s != nil {
		s.out -= b.left
		delete(s.batches, b.ref.Batch)
	}
	for i := range b.slots {
		slot := &b.slots[i]
		if slot.answer != unanswered || !slot.isOpen() {
			continue
		}
		e := slot.entry
		e.batch, e.position = nil, 0
		e.returned, e.lost = true, b.node
		c.queueOf(e).push(e, now)
	}
	list := &c.lost
	if b.left == 0 {
		list = &c.done
	}
	c.live.remove(b)
	b.live, b.left, b.ended = false, 0, now
	list.push(b)
	c.forget(now)
}

// forget drops ended batches that are old or too many.
func (c *Core) forget(now time.Time) {
	for _, m := range []struct {
		list *batchList
		most int
	}{{&c.lost, rememberLost}, {&c.done, rememberDone}} {
		for b := m.list.head; b != nil && (m.list.checks > m.most || now.Sub(b.ended) >= rememberFor); b = m.list.head {
			m.list.remove(b)
			delete(c.batches, b.ref.Batch)
		}
	}
}
