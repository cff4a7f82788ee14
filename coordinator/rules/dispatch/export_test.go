package dispatch

import (
	"errors"
	"fmt"
	"iter"
	"maps"

	"github.com/Automattic/jetmon/internal/check"
)

// all are the keys and values of a table.
func (t *table[V]) all() iter.Seq2[uint64, *V] {
	return func(yield func(uint64, *V) bool) {
		for _, c := range t.cells {
			if c.value != nil && !yield(c.key, c.value) {
				return
			}
		}
	}
}

// Table is a table for tests.
type Table struct{ table[int] }

func (t *Table) Get(key uint64) *int        { return t.get(key) }
func (t *Table) Put(key uint64, v *int)     { t.put(key, v) }
func (t *Table) Remove(key uint64)          { t.remove(key) }
func (t *Table) All() map[uint64]*int       { return maps.Collect(t.all()) }
func (t *Table) Count() (values, cells int) { return t.count, len(t.cells) }

// Holder is the live batch that the open check of a site is in, 0 for none.
func (c *Core) Holder(site check.SiteID) BatchID {
	if e := c.openOf(site); e != nil && e.batch != nil {
		return e.batch.ref.Batch
	}
	return 0
}

// Audit walks everything that a Core holds and says what does not fit together.
func (c *Core) Audit() error {
	queued := 0
	for _, q := range []*queue{&c.urgent, &c.routine} {
		n := 0
		for _, l := range q.lanes {
			var last *entry
			for e := l.head; e != nil; e = e.next {
				if e.prev != last || e.lane != l || e.batch != nil || c.openOf(e.check.Site) != e || c.queueOf(e) != q {
					return fmt.Errorf("site %d is queued wrongly", e.check.Site)
				}
				if e.terms() != l.terms || last != nil && (last.order >= e.order || last.since > e.since) {
					return fmt.Errorf("site %d is out of order", e.check.Site)
				}
				last = e
				n++
			}
			if l.tail != last || last == nil && l != q.lanes[0] {
				return fmt.Errorf("lane %q/%q has a wrong end, or is empty", l.avoid, l.lost)
			}
		}
		if n != q.count {
			return fmt.Errorf("%d queued, counted %d", n, q.count)
		}
		queued += n
	}
	out := 0
	for site, e := range c.open.all() {
		if uint64(e.check.Site) != site || e.serial == 0 || e.lane != nil && e.batch != nil || e.lane == nil && e.batch == nil && e.siblings == nil {
			return fmt.Errorf("the open check of site %d is neither queued nor parked nor out, or more than one", site)
		}
		if b := e.batch; b != nil {
			out++
			if !b.live || !b.slots[e.position].out || b.slots[e.position].entry != e || !b.slots[e.position].isOpen() || b.slots[e.position].answer != unanswered {
				return fmt.Errorf("site %d is out in a batch that does not have it", site)
			}
		}
	}
	if queued+out+c.parked != c.open.count {
		return fmt.Errorf("%d queued, %d parked and %d out of %d open", queued, c.parked, out, c.open.count)
	}
	return errors.Join(c.auditHosts(), c.auditBatches())
}

// auditHosts counts the places of each host anew.
func (c *Core) auditHosts() error {
	taken, parked := map[uint32]int{}, 0
	for site, e := range c.open.all() {
		limited := c.config.PerHost > 0 && e.check.Host != 0
		if limited != (e.host != nil) || limited && c.hosts.get(uint64(e.check.Host)) != e.host {
			return fmt.Errorf("site %d does not know its host", site)
		}
		switch {
		case e.lane == nil && e.batch == nil:
			parked++
		case limited && e.batch == nil:
			taken[e.check.Host]++
		}
	}
	for _, l := range []*batchList{&c.live, &c.void} {
		for b := l.head; b != nil; b = b.next {
			for _, t := range b.slots {
				if t.out && t.host != 0 && c.config.PerHost > 0 {
					taken[t.host]++
				}
			}
		}
	}
	if len(taken) != c.hosts.count || parked != c.parked {
		return fmt.Errorf("%d hosts, want %d; %d parked, counted %d", c.hosts.count, len(taken), parked, c.parked)
	}
	for id, h := range c.hosts.all() {
		full := h.taken == c.config.PerHost
		if uint64(h.id) != id || h.taken != taken[h.id] || h.taken > c.config.PerHost {
			return fmt.Errorf("host %d has %d places taken, counted %d", id, taken[h.id], h.taken)
		}
		waits := h.urgent.head != nil || h.routine.head != nil
		if waits && !full || h.urgent.head != nil && h.queued.head != nil {
			return fmt.Errorf("checks of host %d are parked, and should not", id)
		}
		n := 0
		for _, l := range []*siblings{&h.queued, &h.urgent, &h.routine} {
			var last *entry
			for e := l.head; e != nil; e = e.younger {
				if e.host != h || e.siblings != l || e.elder != last || e.check.Urgent != (l == &h.urgent) || (e.lane != nil) != (l == &h.queued) || e.batch != nil {
					return fmt.Errorf("site %d is on a wrong list of host %d", e.check.Site, id)
				}
				if last = e; e.lane == nil {
					n++
				}
			}
			if l.tail != last {
				return fmt.Errorf("a list of host %d has a wrong end", id)
			}
		}
		if parked -= n; n > 0 != waits {
			return fmt.Errorf("host %d parks %d", id, n)
		}
	}
	if parked != 0 {
		return fmt.Errorf("%d checks are parked at no host", parked)
	}
	return nil
}

func (c *Core) auditBatches() error {
	listed := 0
	for i, l := range []*batchList{&c.live, &c.void, &c.lost, &c.done} {
		checks := 0
		for b := l.head; b != nil; b = b.next {
			listed++
			checks += len(b.slots)
			if c.batches[b.ref.Batch] != b || b.list != l || b.live != (i < 2) || (l == &c.void) != (b.live && b.open == 0) {
				return fmt.Errorf("batch %d is in the wrong list", b.ref.Batch)
			}
			out, open := 0, 0
			for j := range b.slots {
				if t := &b.slots[j]; t.out {
					out++
					if t.isOpen() {
						open++
					}
					if t.answer != unanswered || t.isOpen() && t.entry.batch != b {
						return fmt.Errorf("check %+v of batch %d is not out", t.key, b.ref.Batch)
					}
				}
			}
			if out != b.left || open != b.open {
				return fmt.Errorf("batch %d has %d out, %d open, counted %d and %d", b.ref.Batch, out, open, b.left, b.open)
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
