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
	// Stale: its check was fenced meanwhile, not longer ago than a lease and five minutes.
	Stale
)

// Receipt says what became of a check-in: a class for each key, in the order given.
// Checks are the checks that were accepted, zero for others. Both hold until the next
// CheckIn.
type Receipt struct {
	Classes                          []Class
	Checks                           []Check
	Accepted, Duplicate, Late, Stale int
}

func (r *Receipt) add(class Class) {
	switch class {
	case Accepted:
		r.Accepted++
	case Duplicate:
		r.Duplicate++
	case Late:
		r.Late++
	case Stale:
		r.Stale++
	}
	r.Classes = append(r.Classes, class)
}

// CheckIn takes in the results of the checks named, all from one batch, at most as many
// as it has. It is valid as a whole (ErrInvalid, ErrNotCheckedOut, ErrMismatch) or
// changes nothing. A batch may be checked in in parts. One that has ended, because its
// lease is over or its session is gone, is still taken in from the session or the node
// that had it, for the checks that are open.
func (c *Core) CheckIn(now time.Time, id SessionID, ref Ref, keys []Key) (Receipt, error) {
	c.clock.set(now)
	s := c.sessions.find(id)
	if s != nil {
		s.lastSeen = now
	}
	if ref.Batch == 0 || len(keys) == 0 {
		return Receipt{}, ErrInvalid
	}
	b := c.batches.find(ref.Batch)
	switch {
	case b == nil || b.session != id && (s == nil || s.hello.Node != b.node):
		return Receipt{}, ErrNotCheckedOut
	case b.ref != ref:
		return Receipt{}, ErrMismatch
	case len(keys) > len(b.slots):
		return Receipt{}, ErrInvalid
	case !c.locate(b, keys):
		return Receipt{}, ErrMismatch
	}
	c.expect(b)
	r := Receipt{Classes: c.receipt.Classes[:0], Checks: c.receipt.Checks[:0]}
	for _, position := range c.positions {
		t := &b.slots[position]
		var k Check
		if t.isOpen() && t.answer == unanswered {
			k = t.entry.check
		}
		r.Checks = append(r.Checks, k)
		r.add(c.take(s, b, t))
	}
	c.receipt = r
	if b.live && b.left == 0 {
		c.endBatch(now, b)
	}
	return r, nil
}

// locate finds the keys in the batch and leaves their positions in c.positions. It
// says whether all are there. Results come in the order of the batch mostly.
func (c *Core) locate(b *batch, keys []Key) bool {
	c.positions = c.positions[:0]
	next := 0
	for _, k := range keys {
		position := next
		if next == len(b.slots) || b.slots[next].key != k {
			position = c.positionOf(b, k)
		}
		if position < 0 {
			return false
		}
		c.positions = append(c.positions, position)
		next = position + 1
	}
	return true
}

func (c *Core) positionOf(b *batch, k Key) int {
	if e := c.open.of(k.Site); e != nil && e.batch == b && e.check.Sequence == k.Sequence {
		return int(e.position)
	}
	return b.find(k)
}

// take judges one result. The first result of a slot of a live batch makes room for
// a credit, whatever its class.
func (c *Core) take(s *Session, b *batch, t *slot) Class {
	if t.answer != unanswered {
		return t.answer.again()
	}
	wasOut := c.batches.answered(b, t)
	if wasOut {
		s.out--
	}
	if t.isOpen() {
		t.answer = counted
		c.close(t.entry)
		return Accepted
	}
	if wasOut {
		c.vacate(t.host)
	}
	return c.batches.missed(t)
}
