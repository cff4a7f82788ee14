package schedule

import "time"

// MaxStep is the most that a Clock moves at once.
const MaxStep = time.Second

// Clock is the schedule's own time. It keeps pace with real time while checks can be
// handed out, stands still while they cannot, and does not make up for what it missed.
// So when checkers do not keep up, the intervals of all sites stretch by one factor,
// nothing piles up, sites keep their order and their distance, and it is over as soon
// as checkers keep up again. A pause of the process is such a time as well: what came
// due meanwhile is not bursted.
type Clock struct{ real, own time.Time }

// NewClock makes a clock that shows now.
func NewClock(now time.Time) *Clock { return &Clock{real: now, own: now} }

// Advance moves on to a real time and returns what the clock shows then: later by the
// real time that has passed, by MaxStep at most, and by nothing on hold. A time before
// the last one changes nothing.
func (c *Clock) Advance(now time.Time, hold bool) time.Time {
	passed := now.Sub(c.real)
	if passed <= 0 {
		return c.own
	}
	c.real = now
	if !hold {
		c.own = c.own.Add(min(passed, MaxStep))
	}
	return c.own
}

// Now is what the clock shows.
func (c *Clock) Now() time.Time { return c.own }

// Own is what the clock shows, or showed, at a real time if it keeps pace from now on.
func (c *Clock) Own(at time.Time) time.Time { return c.own.Add(at.Sub(c.real)) }

// Real is when the clock shows a time of its own, if it keeps pace from now on.
func (c *Clock) Real(own time.Time) time.Time { return c.real.Add(own.Sub(c.own)) }
