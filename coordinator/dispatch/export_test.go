package dispatch

import "fmt"

// Audit walks everything that a Core holds and says what does not fit together.
func (c *Core) Audit() error {
	queued := 0
	for _, q := range []*queue{&c.urgent, &c.routine} {
		n := 0
		for _, l := range q.lanes {
			var last *entry
			for e := l.head; e != nil; e = e.next {
				if e.prev != last || e.lane != l || e.batch != nil || c.open[e.check.Site] != e || c.queueOf(e) != q {
					return fmt.Errorf("site %d is queued wrongly", e.check.Site)
				}
				if e.terms() != l.terms || last != nil && (last.order >= e.order || last.since.After(e.since)) {
					return fmt.Errorf("site %d is out of order", e.check.Site)
				}
				last = e
				n++
			}
			if l.tail != last || last == nil && l.terms != (terms{}) {
				return fmt.Errorf("lane %q/%q has a wrong end, or is empty", l.avoid, l.lost)
			}
		}
		if n != q.count {
			return fmt.Errorf("%d queued, counted %d", n, q.count)
		}
		queued += n
	}
	out := 0
	for site, e := range c.open {
		if e.check.Site != site || e.serial == 0 || (e.lane == nil) == (e.batch == nil) {
			return fmt.Errorf("the open check of site %d is neither queued nor out, or both", site)
		}
		if b := e.batch; b != nil {
			out++
			if !b.live || b.slots[e.position].entry != e || !b.slots[e.position].isOpen() || b.slots[e.position].answer != unanswered {
				return fmt.Errorf("site %d is out in a batch that does not have it", site)
			}
		}
	}
	if queued+out != len(c.open) {
		return fmt.Errorf("%d queued and %d out of %d open", queued, out, len(c.open))
	}
	return c.auditBatches()
}

func (c *Core) auditBatches() error {
	listed := 0
	for i, l := range []*batchList{&c.live, &c.lost, &c.done} {
		checks := 0
		for b := l.head; b != nil; b = b.next {
			listed++
			checks += len(b.slots)
			if c.batches[b.ref.Batch] != b || b.live != (i == 0) {
				return fmt.Errorf("batch %d is in the wrong list", b.ref.Batch)
			}
		}
		if checks != l.checks {
			return fmt.Errorf("list %d has %d checks, counted %d", i, checks, l.checks)
		}
	}
	if listed != len(c.batches) || c.lost.checks > rememberLost || c.done.checks > rememberDone {
		return fmt.Errorf("%d batches listed of %d, %d and %d checks remembered", listed, len(c.batches), c.lost.checks, c.done.checks)
	}
	for _, s := range c.sessions {
		left := 0
		for _, b := range s.batches {
			left += b.left
			if !b.live || b.session != s.id {
				return fmt.Errorf("session %d has batch %d of session %d", s.id, b.ref.Batch, b.session)
			}
		}
		if left != s.out || s.credit < 0 || s.credit+s.out > s.hello.MaxInFlight || len(s.picked) > 0 {
			return fmt.Errorf("session %d has %d out, counted %d, credit %d of %d", s.id, left, s.out, s.credit, s.hello.MaxInFlight)
		}
	}
	return nil
}
