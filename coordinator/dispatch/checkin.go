package dispatch

import "time"

// Class says what one result counts as.
type Class uint8

// The classes of a result.
const (
	// Accepted: the first valid result of its check, which is closed by it.
	Accepted Class = iota + 1
	// Duplicate: it was accepted before, from the same batch.
	Duplicate
	// Late: its check was closed or withdrawn meanwhile.
	Late
)

// Receipt says what became of a check-in: a class for each key, in the order given.
type Receipt struct {
	Classes                   []Class
	Accepted, Duplicate, Late int
}

// CheckIn takes in the results of the checks named, all from one batch. It is valid as
// a whole (ErrInvalid, ErrNotCheckedOut, ErrMismatch) or changes nothing. A batch may
// be checked in in parts. One that has ended, because its lease is over or its session
// is gone, is still taken in from the session or the node that had it, for the checks
// that are open.
func (c *Core) CheckIn(now time.Time, id SessionID, ref Ref, keys []Key) (Receipt, error) {
	s := c.session(id)
	if s != nil {
		s.lastSeen = now
	}
	if ref.Batch == 0 || len(keys) == 0 || len(keys) > c.config.MaxBatch {
		return Receipt{}, ErrInvalid
	}
	b := c.batches[ref.Batch]
	if b == nil || b.session != id && (s == nil || s.hello.Node != b.node) {
		return Receipt{}, ErrNotCheckedOut
	}
	if b.ref != ref || !c.locate(b, keys) {
		return Receipt{}, ErrMismatch
	}
	r := Receipt{Classes: make([]Class, len(keys))}
	for i, position := range c.positions {
		class := c.take(s, b, &b.slots[position])
		switch class {
		case Accepted:
			r.Accepted++
		case Duplicate:
			r.Duplicate++
		case Late:
			r.Late++
		}
		r.Classes[i] = class
	}
	if b.live && b.left == 0 {
		c.endBatch(now, b)
	}
	return r, nil
}

// locate finds the keys in the batch and leaves their positions in c.positions. It
// says whether all are there.
func (c *Core) locate(b *batch, keys []Key) bool {
	c.positions = c.positions[:0]
	for _, k := range keys {
		position := -1
		if e := c.open[k.Site]; e != nil && e.batch == b && e.check.Sequence == k.Sequence {
			position = e.position
		} else {
			position = b.find(k)
		}
		if position < 0 {
			return false
		}
		c.positions = append(c.positions, position)
	}
	return true
}

// take judges one result. The first result of a slot of a live batch makes room for
// a credit, whatever its class.
func (c *Core) take(s *session, b *batch, t *slot) Class {
	switch t.answer {
	case counted:
		return Duplicate
	case tooLate:
		return Late
	}
	if b.live {
		b.left--
		s.out--
	}
	if !t.isOpen() {
		t.answer = tooLate
		return Late
	}
	t.answer = counted
	c.close(t.entry)
	return Accepted
}
