package dispatch

import "time"

// clock is the time as the caller tells it.
type clock struct {
	first, now time.Time
	// elapsed is the time from the first moment told to the latest. It is what entries note:
	// a third of a time.Time, and without a pointer.
	elapsed time.Duration
}

// set takes notice of the time.
func (c *clock) set(now time.Time) {
	if now == c.now {
		return
	}
	if c.first.IsZero() {
		c.first = now
	}
	c.now, c.elapsed = now, now.Sub(c.first)
}
