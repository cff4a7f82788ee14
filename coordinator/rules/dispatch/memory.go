package dispatch

import (
	"math/bits"
	"time"
)

// What is remembered of ended batches, in time and in checks, and how many batches of each
// size are kept to be used again.
const (
	rememberFor  = 5 * time.Minute
	rememberLost = 1 << 18
	rememberDone = 1 << 16
	spareBatches = 256
)

// forget drops what is old or too much of the ended batches and the fenced checks.
func (c *batches) forget(now time.Time) {
	c.forgetOf(&c.lost, now, rememberLost)
	c.forgetOf(&c.done, now, rememberDone)
	c.fenced.forget(now.Add(-rememberFor - c.lease))
}

// forgetOf drops the batches of a list that ended too long ago, and the oldest until it has
// no more checks than most.
func (c *batches) forgetOf(l *batchList, now time.Time, most int) {
	for b := l.oldest(); b != nil && (l.checks > most || now.Sub(b.ended) >= rememberFor); b = l.oldest() {
		b.leave()
		delete(c.byID, b.ref.Batch)
		c.spare.put(b)
	}
}

// spares holds batches to be used again, by size: a remembered batch must not be much larger
// than what it holds.
type spares struct {
	// bySize[n] lists batches with room for 2^n slots. Invariant: they are at most
	// spareBatches, empty and on no list.
	bySize [][]*batch
}

// take returns an empty batch of n slots.
func (s *spares) take(n int) *batch {
	size := bits.Len(uint(n - 1))
	for len(s.bySize) <= size {
		s.bySize = append(s.bySize, nil)
	}
	last := len(s.bySize[size]) - 1
	if last < 0 {
		return &batch{slots: make([]slot, n, 1<<size)}
	}
	b := s.bySize[size][last]
	s.bySize[size] = s.bySize[size][:last]
	b.slots = b.slots[:n]
	return b
}

// put keeps a batch that came from take, unless there are enough of its size.
func (s *spares) put(b *batch) {
	size := bits.Len(uint(cap(b.slots) - 1))
	if len(s.bySize[size]) < spareBatches {
		*b = batch{slots: b.slots[:0]}
		s.bySize[size] = append(s.bySize[size], b)
	}
}

// fences remembers checks that were fenced when somebody could have a result of them.
type fences struct {
	// order lists the checks in the order in which they were fenced. Invariant: serials
	// holds the same.
	order   []fencedCheck
	serials map[uint64]struct{}
}

type fencedCheck struct {
	serial uint64
	at     time.Time
}

func newFences() fences { return fences{serials: map[uint64]struct{}{}} }

func (f *fences) add(now time.Time, serial uint64) {
	f.serials[serial] = struct{}{}
	f.order = append(f.order, fencedCheck{serial, now})
}

func (f *fences) has(serial uint64) bool {
	_, has := f.serials[serial]
	return has
}

// forget drops the fences up to a moment, and the oldest if there are too many.
func (f *fences) forget(until time.Time) {
	n := 0
	for n < len(f.order) && (len(f.order)-n > rememberLost || !f.order[n].at.After(until)) {
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
