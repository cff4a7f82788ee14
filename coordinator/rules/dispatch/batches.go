package dispatch

import "time"

// batches knows the live batches, and remembers the ended ones for a while, since results
// of them may still come.
type batches struct {
	// lease and random are those of Config.
	lease  time.Duration
	random func() uint64

	// byID holds the batches of all lists.
	byID map[BatchID]*batch
	// live is sorted by expiry; void lists the live batches of which no check is open.
	// Invariant: a live batch is in one of them, and has checks out.
	live, void batchList
	// lost lists the ended batches with checks unanswered, done those that were answered
	// whole.
	lost, done batchList
	spare      spares
	fenced     fences

	// last is the id of the newest batch.
	last BatchID
	// loose is scratch of end.
	loose []loose
}

func newBatches(config *Config) batches {
	return batches{lease: config.Lease, random: config.Random, byID: map[BatchID]*batch{}, fenced: newFences()}
}

func (c *batches) find(id BatchID) *batch { return c.byID[id] }

// hand checks the entries out to a session as one batch.
func (c *batches) hand(now time.Time, s *Session, entries []*entry) (*batch, []Check) {
	c.last++
	b := c.spare.take(len(entries))
	// 0 is the id of a caller who was never given one.
	b.ref = Ref{Batch: c.last, Checkout: max(1, c.random())}
	b.node, b.instance = s.hello.Node, s.hello.Instance
	checks := make([]Check, len(entries))
	for i, e := range entries {
		checks[i] = e.check
		b.slots[i] = slot{
			key: Key{Site: e.check.Site, Sequence: e.check.Sequence}, entry: e, serial: e.serial, host: e.check.Host,
		}
		b.lend(i)
	}
	c.byID[b.ref.Batch] = b
	b.expires = now.Add(c.lease)
	c.start(now, s, b, len(entries))
	return b, checks
}

// start makes a batch of a session live, with so many slots out. Its lease is as before.
func (c *batches) start(now time.Time, s *Session, b *batch, out int) {
	b.session, b.live, b.handed = s.id, true, now
	b.left, b.open = out, out
	b.leave()
	c.live.insert(b)
}

// resumable returns the ended batch that a session names, if its process had it under an
// earlier session and the lease is not over; otherwise nil.
func (c *batches) resumable(now time.Time, s *Session, ref Ref) *batch {
	b := c.byID[ref.Batch]
	if b == nil || b.live || b.ref != ref || b.node != s.hello.Node || b.instance != s.hello.Instance || !now.Before(b.expires) {
		return nil
	}
	return b
}

// answered notes the first result of a slot. It reports whether the slot was out until now.
func (c *batches) answered(b *batch, t *slot) bool {
	if !t.out {
		return false
	}
	t.out = false
	b.left--
	return true
}

// closed notes that an open check is closed that is out. It reports whether the place of the
// check is free: it is not while the check is unanswered.
func (c *batches) closed(e *entry) bool {
	b := e.batch
	b.open--
	if b.open == 0 && b.left > 0 {
		c.move(b, &c.void)
	}
	return !b.slots[e.position].out
}

// move puts a batch at the end of another list.
func (c *batches) move(b *batch, to *batchList) {
	b.leave()
	to.push(b)
}

// missed returns the class of the first result of a slot whose check is closed already.
func (c *batches) missed(t *slot) Class {
	t.answer = tooLate
	if c.fenced.has(t.serial) {
		t.answer = wasFenced
	}
	return t.answer.again()
}

// loose is what a batch that ended had out: an open check, which is to be queued again, or,
// when that is nil, no more than a place on a host.
type loose struct {
	check *entry
	host  uint32
}

// end ends a live batch. It returns what it had out, in order, until the next call.
func (c *batches) end(now time.Time, b *batch) []loose {
	c.loose = c.loose[:0]
	ended := &c.done
	if b.left > 0 {
		ended = &c.lost
		c.loosen(b)
	}
	b.live, b.left, b.open, b.ended = false, 0, 0, now
	c.move(b, ended)
	c.forget(now)
	return c.loose
}

func (c *batches) loosen(b *batch) {
	for i := range b.slots {
		t := &b.slots[i]
		if !t.out {
			continue
		}
		t.out = false
		l := loose{host: t.host}
		if t.isOpen() {
			l.check = t.entry
			l.check.giveBack(b.node)
		}
		c.loose = append(c.loose, l)
	}
}

// expired lists the live batches whose lease is over.
func (c *batches) expired(now time.Time) []*batch {
	var expired []*batch
	for b := range c.live.batches.All() {
		if now.Before(b.expires) {
			break
		}
		expired = append(expired, b)
	}
	// These are not in the order of their leases, but few.
	for b := range c.void.batches.All() {
		if !now.Before(b.expires) {
			expired = append(expired, b)
		}
	}
	return expired
}
