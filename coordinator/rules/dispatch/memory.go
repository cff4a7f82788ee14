package dispatch

import (
	"math/bits"
	"time"
)

// What is remembered of ended batches, in time and in checks, and how many batches of
// each size are kept for use again.
const (
	rememberFor  = 5 * time.Minute
	rememberLost = 1 << 18
	rememberDone = 1 << 16
	spareBatches = 256
)

// batchList is a list of batches, oldest first.
type batchList struct {
	head, tail *batch
	checks     int
}

// insert puts a batch where it belongs by its expiry, which is near the end.
func (l *batchList) insert(b *batch) {
	after := l.tail
	for after != nil && after.expires.After(b.expires) {
		after = after.prev
	}
	if after == l.tail {
		l.push(b)
		return
	}
	next := l.head
	if after != nil {
		next = after.next
		after.next = b
	} else {
		l.head = b
	}
	b.list, b.prev, b.next = l, after, next
	next.prev = b
	l.checks += len(b.slots)
}

func (l *batchList) push(b *batch) {
	b.list, b.prev, b.next = l, l.tail, nil
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
	b.list, b.prev, b.next = nil, nil, nil
	l.checks -= len(b.slots)
}

// move puts a batch at the end of a list.
func (c *Core) move(b *batch, to *batchList) {
	if b.list != nil {
		b.list.remove(b)
	}
	to.push(b)
}

// forget drops what is old or too much of the ended batches and the fenced checks.
func (c *Core) forget(now time.Time) {
	for _, m := range []struct {
		list *batchList
		most int
	}{{&c.lost, rememberLost}, {&c.done, rememberDone}} {
		for b := m.list.head; b != nil && (m.list.checks > m.most || now.Sub(b.ended) >= rememberFor); b = m.list.head {
			m.list.remove(b)
			delete(c.batches, b.ref.Batch)
			c.putBatch(b)
		}
	}
	c.fenced.forget(now.Add(-rememberFor - c.config.Lease))
}

// newBatch takes a batch of n slots from the spare ones, which are kept by size: a
// remembered batch must not be much larger than what it holds.
func (c *Core) newBatch(n int) *batch {
	size := bits.Len(uint(n - 1))
	for len(c.spare) <= size {
		c.spare = append(c.spare, nil)
	}
	last := len(c.spare[size]) - 1
	if last < 0 {
		return &batch{slots: make([]slot, n, 1<<size)}
	}
	b := c.spare[size][last]
	c.spare[size] = c.spare[size][:last]
	b.slots = b.slots[:n]
	return b
}

func (c *Core) putBatch(b *batch) {
	size := bits.Len(uint(cap(b.slots) - 1))
	if len(c.spare[size]) < spareBatches {
		*b = batch{slots: b.slots[:0]}
		c.spare[size] = append(c.spare[size], b)
	}
}

// fences remembers checks that were fenced when somebody could have a result of them.
type fences struct {
	serials map[uint64]struct{}
	order   []fencedCheck
}

type fencedCheck struct {
	serial uint64
	at     time.Time
}

func (f *fences) add(now time.Time, serial uint64) {
	f.serials[serial] = struct{}{}
	f.order = append(f.order, fencedCheck{serial, now})
}

func (f *fences) has(serial uint64) bool {
	_, has := f.serials[serial]
	return has
}

// forget drops the fences that are older than a time, or too many.
func (f *fences) forget(before time.Time) {
	n := 0
	for n < len(f.order) && (len(f.order)-n > rememberLost || !f.order[n].at.After(before)) {
		delete(f.serials, f.order[n].serial)
		n++
	}
	if n > 0 {
		f.order = f.order[n:]
	}
	if len(f.order) == 0 {
		f.order = nil
	}
}
