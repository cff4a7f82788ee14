package dispatch

import (
	"errors"
	"fmt"
	"slices"

	"github.com/Automattic/jetmon/internal/check"
)

// Holder is the live batch that the open check of a site is in, 0 for none.
func (c *Core) Holder(site check.SiteID) BatchID {
	if e := c.open.of(site); e != nil && e.batch != nil {
		return e.batch.ref.Batch
	}
	return 0
}

// Audit walks everything that a Core holds and says what does not fit together. Each part
// audits itself; the rest is about what two of them hold.
func (c *Core) Audit() error {
	return errors.Join(
		c.open.audit(), c.waiting.audit(), c.batches.audit(), c.sessions.audit(), c.placement.audit(),
		c.auditChecks(), c.auditPlaces(), c.auditSessions(),
	)
}

// auditChecks finds every open check in exactly one place.
func (c *Core) auditChecks() error {
	out := 0
	for site, e := range c.open.bySite.All() {
		if e.batch == nil && !e.isQueued() && !e.onHost.On() {
			return fmt.Errorf("the open check of site %d is neither queued nor parked nor out", site)
		}
		if e.host != c.waiting.hosts.find(e.check.Host) {
			return fmt.Errorf("site %d does not know its host", site)
		}
		if b := e.batch; b != nil {
			out++
			if t := &b.slots[e.position]; e.isQueued() || !b.live || !t.out || t.entry != e || !t.isOpen() || t.answer != unanswered {
				return fmt.Errorf("site %d is out in a batch that does not have it, or also queued", site)
			}
		}
	}
	for e := range c.waiting.all() {
		if c.open.of(e.check.Site) != e {
			return fmt.Errorf("the check of site %d waits and is not open", e.check.Site)
		}
	}
	if queued, parked := c.Queued(), c.Parked(); queued+parked+out != c.Open() {
		return fmt.Errorf("%d queued, %d parked and %d out of %d open", queued, parked, out, c.Open())
	}
	return nil
}

// auditPlaces counts the places of each host anew.
func (c *Core) auditPlaces() error {
	hosts := &c.waiting.hosts
	taken := map[uint32]int32{}
	for e := range c.waiting.all() {
		if e.isQueued() && hosts.limits(e.check.Host) {
			taken[e.check.Host]++
		}
	}
	for _, b := range c.batches.byID {
		for i := range b.slots {
			if t := &b.slots[i]; t.out && hosts.limits(t.host) {
				taken[t.host]++
			}
		}
	}
	if len(taken) != hosts.byID.Len() {
		return fmt.Errorf("%d hosts, want %d", hosts.byID.Len(), len(taken))
	}
	for id, h := range hosts.byID.All() {
		if h.taken != taken[h.id] {
			return fmt.Errorf("host %d has %d places taken, counted %d", id, taken[h.id], h.taken)
		}
	}
	return nil
}

// auditSessions finds every live batch at the session that it is checked out to.
func (c *Core) auditSessions() error {
	live := 0
	for _, s := range c.sessions.list {
		live += len(s.batches)
		for id, b := range s.batches {
			if c.batches.find(id) != b || !b.live || b.session != s.id {
				return fmt.Errorf("session %d has batch %d of session %d", s.id, id, b.session)
			}
		}
	}
	for _, b := range c.batches.byID {
		if b.live {
			live--
		}
	}
	if live != 0 {
		return fmt.Errorf("sessions have %d batches more than are live", live)
	}
	return nil
}

func (o *openChecks) audit() error {
	serials := map[uint64]bool{}
	for site, e := range o.bySite.All() {
		if uint64(e.check.Site) != site || e.serial == 0 || e.serial > o.last || serials[e.serial] {
			return fmt.Errorf("the open check of site %d is of site %d, serial %d", site, e.check.Site, e.serial)
		}
		serials[e.serial] = true
	}
	for _, e := range o.free {
		if e.serial != 0 || e.batch != nil || e.isQueued() || e.host != nil || e.onHost.On() || e.onLane.On() || e.returned || e.lost != "" {
			return fmt.Errorf("the free entry %+v is not", e)
		}
	}
	return nil
}

// all iterates over what is queued, and then over what is parked.
func (w *waiting) all() func(func(*entry) bool) {
	return func(yield func(*entry) bool) {
		for _, q := range []*queue{&w.urgent, &w.routine} {
			for _, l := range q.lanes {
				for e := range l.entries.All() {
					if !yield(e) {
						return
					}
				}
			}
		}
		for _, h := range w.hosts.byID.All() {
			for _, l := range []func(func(*entry) bool){h.urgent.All(), h.routine.All()} {
				for e := range l {
					if !yield(e) {
						return
					}
				}
			}
		}
	}
}

func (w *waiting) audit() error {
	for e := range w.all() {
		if e.batch != nil || e.isQueued() != e.onLane.On() {
			return fmt.Errorf("site %d waits and is out, or has a lane that does not have it", e.check.Site)
		}
		if e.host != w.hosts.find(e.check.Host) || (e.host != nil) != w.hosts.limits(e.check.Host) {
			return fmt.Errorf("site %d does not know its host", e.check.Site)
		}
		if q := w.queueOf(e); e.isQueued() && !slices.Contains(q.lanes, e.lane) {
			return fmt.Errorf("site %d is in the wrong queue", e.check.Site)
		}
		if e.host != nil && e.onHost.On() == (e.isQueued() && e.check.Urgent) {
			return fmt.Errorf("site %d is listed at its host: %t", e.check.Site, e.onHost.On())
		}
	}
	return errors.Join(w.urgent.audit(), w.routine.audit(), w.hosts.audit())
}

func (q *queue) audit() error {
	n := 0
	seen := map[terms]bool{}
	for i, l := range q.lanes {
		var last *entry
		for e := range l.entries.All() {
			if e.lane != l || e.onLane.Prev() != last || e.terms() != l.terms {
				return fmt.Errorf("site %d is queued wrongly", e.check.Site)
			}
			if last != nil && (last.order >= e.order || last.since > e.since) || e.order > q.last {
				return fmt.Errorf("site %d is out of order", e.check.Site)
			}
			last = e
			n++
		}
		if l.entries.Back() != last || last == nil && i > 0 || seen[l.terms] {
			return fmt.Errorf("lane %q/%q has a wrong end, is empty or is there twice", l.avoid, l.lost)
		}
		seen[l.terms] = true
	}
	if n != q.count || q.lanes[0].terms != (terms{}) {
		return fmt.Errorf("%d queued, counted %d; the first lane is %+v", n, q.count, q.lanes[0].terms)
	}
	return nil
}

func (s *hosts) audit() error {
	parked := 0
	for id, h := range s.byID.All() {
		if uint64(h.id) != id || h.taken < 1 || int(h.taken) > s.perHost {
			return fmt.Errorf("host %d is called %d and has %d places taken", id, h.id, h.taken)
		}
		waits := !h.urgent.Empty() || !h.routine.Empty()
		if waits && !s.isFull(h) || !h.urgent.Empty() && !h.queued.Empty() {
			return fmt.Errorf("checks of host %d are parked, and should not", id)
		}
		for e := range h.queued.All() {
			if e.host != h || e.check.Urgent || !e.isQueued() {
				return fmt.Errorf("site %d is not one of host %d that may make way", e.check.Site, id)
			}
		}
		for e := range h.urgent.All() {
			if parked++; e.host != h || !e.check.Urgent || e.isQueued() {
				return fmt.Errorf("site %d is not urgent and parked at host %d", e.check.Site, id)
			}
		}
		for e := range h.routine.All() {
			if parked++; e.host != h || e.check.Urgent || e.isQueued() {
				return fmt.Errorf("site %d is not routine and parked at host %d", e.check.Site, id)
			}
		}
	}
	for _, h := range s.free {
		if h.taken != 0 || !h.queued.Empty() || !h.urgent.Empty() || !h.routine.Empty() {
			return fmt.Errorf("the free host %d has checks", h.id)
		}
	}
	if parked != s.parked {
		return fmt.Errorf("%d parked, counted %d", parked, s.parked)
	}
	return nil
}

func (c *batches) audit() error {
	listed := 0
	for i, l := range []*batchList{&c.live, &c.void, &c.lost, &c.done} {
		checks := 0
		for b := range l.batches.All() {
			listed++
			checks += len(b.slots)
			if c.byID[b.ref.Batch] != b || b.list != l || b.live != (i < 2) || (l == &c.void) != (b.live && b.open == 0) || b.live != (b.left > 0) {
				return fmt.Errorf("batch %d is in the wrong list", b.ref.Batch)
			}
			if before := b.onList.Prev(); l == &c.live && before != nil && before.expires.After(b.expires) {
				return fmt.Errorf("batch %d expires before the one before it", b.ref.Batch)
			}
			if err := b.audit(); err != nil {
				return err
			}
		}
		if checks != l.checks {
			return fmt.Errorf("list %d has %d checks, counted %d", i, checks, l.checks)
		}
	}
	if listed != len(c.byID) || c.lost.checks > rememberLost || c.done.checks > rememberDone {
		return fmt.Errorf("%d batches listed of %d, %d and %d checks remembered", listed, len(c.byID), c.lost.checks, c.done.checks)
	}
	return errors.Join(c.fenced.audit(), c.spare.audit())
}

func (b *batch) audit() error {
	out, open := 0, 0
	for i := range b.slots {
		t := &b.slots[i]
		if !t.out {
			continue
		}
		out++
		if t.isOpen() {
			open++
		}
		if t.answer != unanswered || t.isOpen() && (t.entry.batch != b || int(t.entry.position) != i) {
			return fmt.Errorf("check %+v of batch %d is not out", t.key, b.ref.Batch)
		}
	}
	if out != b.left || open != b.open {
		return fmt.Errorf("batch %d has %d out, %d open, counted %d and %d", b.ref.Batch, out, open, b.left, b.open)
	}
	return nil
}

func (f *fences) audit() error {
	for i, x := range f.order {
		if !f.has(x.serial) || i > 0 && x.at.Before(f.order[i-1].at) {
			return fmt.Errorf("check %d is fenced out of order or not at all", x.serial)
		}
	}
	if len(f.order) != len(f.serials) {
		return fmt.Errorf("%d fences in order, %d in all", len(f.order), len(f.serials))
	}
	return nil
}

func (s *spares) audit() error {
	for size, spare := range s.bySize {
		if len(spare) > spareBatches {
			return fmt.Errorf("%d spare batches of size %d", len(spare), size)
		}
		for _, b := range spare {
			if len(b.slots) != 0 || cap(b.slots) != 1<<size || b.live || b.list != nil || b.onList.On() {
				return fmt.Errorf("the spare batch %d of size %d is in use", b.ref.Batch, size)
			}
		}
	}
	return nil
}

func (s *sessions) audit() error {
	for i, o := range s.list {
		if o.id > s.last || i > 0 && s.list[i-1].id >= o.id || s.byNode[o.hello.Node] != o || s.find(o.id) != o {
			return fmt.Errorf("session %d is not found, or out of order", o.id)
		}
		left := 0
		for _, b := range o.batches {
			left += b.left
		}
		if left != o.out || o.credit < 0 || o.credit+o.out > o.hello.MaxInFlight || len(o.picked) > 0 {
			return fmt.Errorf("session %d has %d out, counted %d, credit %d of %d", o.id, left, o.out, o.credit, o.hello.MaxInFlight)
		}
	}
	if len(s.byNode) != len(s.list) {
		return fmt.Errorf("%d sessions of %d nodes", len(s.list), len(s.byNode))
	}
	return nil
}

// audit finds that nothing is kept from one Assign to the next.
func (p *placement) audit() error {
	for _, k := range p.ready.list[:cap(p.ready.list)] {
		if k != (candidate{}) {
			return fmt.Errorf("session %d is still a candidate", k.session.id)
		}
	}
	return nil
}
