package schedule

import "time"

// maxStep is the most that a Clock moves at once.
const maxStep = time.Second

// Clock is the schedule's own time. It keeps pace with real time while checks can be
// handed out, stands still while they cannot, and never catches up. So when checkers do
// not keep up, the intervals of all sites stretch by the same factor, nothing piles up,
// and sites keep their order and their distance. The stretch ends as soon as checkers keep
// up again. The clock also stands still while the process is paused, so the backlog is not
// released in a burst.
type Clock struct{ real, own time.Time }

// NewClock makes a clock that shows now.
func NewClock(now time.Time) *Clock { return &Clock{real: now, own: now} }

// Advance moves the clock on to a real time and returns what it shows then. The clock moves
// by the real time that has passed, by maxStep at most, and not at all on hold. A time
// before the last one changes nothing.
func (c *Clock) Advance(now time.Time, hold bool) time.Time {
	passed := now.Sub(c.real)
	if passed <= 0 {
		return c.own
	}
	c.real = now
	if !hold {
		c.own = c.own.Add(min(passed, maxStep))
	}
	return c.own
}

// Now returns what the clock shows.
func (c *Clock) Now() time.Time { return c.own }

// Real returns the real time at which the clock shows own, if it keeps pace from now on.
func (c *Clock) Real(own time.Time) time.Time { return c.real.Add(own.Sub(c.own)) }
