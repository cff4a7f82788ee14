//go:build linux

package main

import (
	"sync/atomic"
	"time"
)

// sightGrain is the precision of the times in sights.
const sightGrain = 10 * time.Millisecond

// sights holds when the checkers last saw each site. It is safe for concurrent use.
type sights struct {
	start time.Time
	last  []atomic.Uint32 // by site id: grains since start, 0 means never
}

func newSights(sites int, start time.Time) *sights {
	// start is a grain early, so that no sight is at 0.
	return &sights{start: start.Add(-sightGrain), last: make([]atomic.Uint32, sites+1)}
}

// see records that a checker got a check of a site, and counts the time since the previous
// one. It returns false when there is no such site.
func (s *sights) see(now time.Time, id int64, t *tally) bool {
	if id < 1 || id >= int64(len(s.last)) {
		return false
	}
	at := uint32(now.Sub(s.start) / sightGrain)
	t.checks++
	if before := s.last[id].Swap(at); before != 0 {
		t.gaps.add(time.Duration(at-before) * sightGrain)
	}
	return true
}

// unseen counts the sites that no checker saw for d.
func (s *sights) unseen(now time.Time, d time.Duration) int {
	since := max(0, now.Add(-d).Sub(s.start)/sightGrain)
	n := 0
	for i := 1; i < len(s.last); i++ {
		if at := s.last[i].Load(); at == 0 || time.Duration(at) < since {
			n++
		}
	}
	return n
}

// tally counts the checks and acknowledgements of a checker in one phase.
type tally struct {
	// checks is the number of assigned checks; the others count their results by
	// acknowledgement.
	checks, accepted, duplicate, late uint64
	// refused counts check-ins that were refused as a whole.
	refused uint64
	// gaps are the times between two checks of a site.
	gaps histogram
}

func newTally() *tally { return &tally{gaps: newHistogram(sightGrain, time.Hour)} }

func (t *tally) add(o *tally) {
	t.checks += o.checks
	t.accepted += o.accepted
	t.duplicate += o.duplicate
	t.late += o.late
	t.refused += o.refused
	t.gaps.merge(o.gaps)
}

// histogram counts durations in steps of a grain; longer ones count as the longest.
type histogram struct {
	grain  time.Duration
	counts []uint32
	total  uint64
}

func newHistogram(grain, longest time.Duration) histogram {
	return histogram{grain: grain, counts: make([]uint32, longest/grain+1)}
}

func (h *histogram) add(d time.Duration) {
	h.counts[min(max(0, int(d/h.grain)), len(h.counts)-1)]++
	h.total++
}

func (h *histogram) merge(o histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
}

// at returns the duration, to the grain, that a share of all do not exceed; 0 without any.
func (h *histogram) at(share float64) time.Duration {
	rank := uint64(share * float64(h.total))
	var n uint64
	for i, c := range h.counts {
		if n += uint64(c); n > 0 && n >= rank {
			return time.Duration(i) * h.grain
		}
	}
	return 0
}
