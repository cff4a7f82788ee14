// Package coverage measures whether sites are checked when their intervals ask for it.
// Coverage is the share of the checks asked for that were made on time; lateness is how
// long after its due time a check was handed out.
//
// The number of checks asked for is computed from the turns that came due and from the
// speed of the schedule's clock: while the clock stands still, no turn comes due.
//
//	coverage = (turns answered in time / turns due) * (the schedule's time / real time)
//
// The package is pure: time arrives as a value. It must not decide what to do about a
// bad measurement.
package coverage

import (
	"math/bits"
	"time"
)

const (
	// window is how far back a report looks.
	window = 5 * time.Minute
	// inTime is how long after its turn an answer still counts.
	inTime = 30 * time.Second
	// maxStretch is the highest stretch that is reported.
	maxStretch = 1000

	cell      = 10 * time.Second
	unripe    = int64(inTime/cell) + 1 // newest cells, whose turns may still be answered in time
	cells     = int64(window/cell) + unripe
	stretched = int64(time.Minute / cell)
)

// Meter counts turns, answers and lateness. New makes one. Times must not go back by much.
// It is not safe for concurrent use.
type Meter struct {
	start time.Time
	ring  [cells]tally
}

// tally holds the counts of one cell of time.
type tally struct {
	number     int64 // of the cell, from 1
	due, done  uint64
	real, own  time.Duration
	late       [latenesses]uint32
	handedOver uint64
}

// New makes a meter that begins at now.
func New(now time.Time) *Meter { return &Meter{start: now.Add(-cell)} }

func (m *Meter) number(at time.Time) int64 { return int64(at.Sub(m.start) / cell) }

// at returns the tally of a moment; nil when that is too long ago.
func (m *Meter) at(t time.Time) *tally {
	n := m.number(t)
	if n < 1 {
		return nil
	}
	c := &m.ring[n%cells]
	switch {
	case c.number > n:
		return nil
	case c.number < n:
		*c = tally{number: n}
	}
	return c
}

// Ran records that the real time real has passed until now, and own on the schedule's clock.
func (m *Meter) Ran(now time.Time, real, own time.Duration) {
	if c := m.at(now); c != nil {
		c.real += real
		c.own += own
	}
}

// Due records that n turns came due at now.
func (m *Meter) Due(now time.Time, n int) {
	if c := m.at(now); c != nil {
		c.due += uint64(n)
	}
}

// Answered records that a turn that was due at a time got its result at now.
func (m *Meter) Answered(now, due time.Time) {
	if now.Sub(due) > inTime {
		return
	}
	if c := m.at(due); c != nil {
		c.done++
	}
}

// HandedOut records that a check that was due at a time was handed out at now.
func (m *Meter) HandedOut(now, due time.Time) {
	if c := m.at(now); c != nil {
		c.late[latenessOf(now.Sub(due))]++
		c.handedOver++
	}
}

// Report holds the measurements of a meter.
type Report struct {
	// Coverage is a share, 0..1; it is Known once turns have had time to be answered.
	Coverage float64
	Known    bool
	// P50 and P99 are percentiles of the lateness, and Most is the greatest, each rounded up by
	// a quarter at most.
	P50, P99, Most time.Duration
	// Stretch is the factor by which intervals were longer in the last minute, 1..maxStretch.
	Stretch float64
}

// Report summarises the last window before now.
func (m *Meter) Report(now time.Time) Report {
	var all tally
	var minute tally
	last := m.number(now)
	for i := range m.ring {
		c := &m.ring[i]
		if c.number == 0 || c.number <= last-cells || c.number > last {
			continue
		}
		if c.number > last-stretched {
			minute.real += c.real
			minute.own += c.own
		}
		if c.number > last-cells+unripe {
			for j, n := range c.late {
				all.late[j] += n
			}
			all.handedOver += c.handedOver
		}
		if c.number <= last-unripe {
			all.due += c.due
			all.done += c.done
			all.real += c.real
			all.own += c.own
		}
	}
	r := Report{P50: all.quantile(0.50), P99: all.quantile(0.99), Most: all.quantile(1), Stretch: stretchOf(minute)}
	r.Coverage, r.Known = coverageOf(all)
	return r
}

func stretchOf(c tally) float64 {
	if c.real <= 0 {
		return 1
	}
	return min(maxStretch, max(1, float64(c.real)/float64(max(c.own, 1))))
}

func coverageOf(c tally) (float64, bool) {
	if c.real <= 0 {
		return 0, false
	}
	pace := min(1, float64(c.own)/float64(c.real))
	if c.due == 0 {
		// Nothing was due. If the clock stood still, that is the reason.
		return 0, pace < 0.5
	}
	return min(1, float64(c.done)/float64(c.due)) * pace, true
}

// latenesses is the number of lateness classes: four for each power of two of
// milliseconds.
const latenesses = 96

func latenessOf(d time.Duration) int {
	ms := uint64(max(d, 0) / time.Millisecond)
	if ms < 4 {
		return int(ms)
	}
	exp := bits.Len64(ms) - 3 // ms>>exp is 4..7
	return min(4*exp+int(ms>>exp), latenesses-1)
}

// latest returns the upper bound of a class.
func latest(class int) time.Duration {
	if class < 4 {
		return time.Duration(class+1) * time.Millisecond
	}
	exp := (class - 4) / 4
	return time.Duration((class-4*exp+1)<<exp) * time.Millisecond
}

// quantile returns a quantile of the lateness; 0 when nothing was handed out.
func (c *tally) quantile(q float64) time.Duration {
	if c.handedOver == 0 {
		return 0
	}
	rank := uint64(q*float64(c.handedOver-1)) + 1
	var sum uint64
	for class, n := range c.late {
		if sum += uint64(n); sum >= rank {
			return latest(class)
		}
	}
	return latest(latenesses - 1)
}
