package mistake

import (
	"strings"
	"time"
)

// The times that a site accepts, by its own clock: 10 minutes old to 5 minutes early.
const (
	maxPast   = 10 * time.Minute
	maxFuture = 5 * time.Minute
	// margin is what a measured clock may be wrong by.
	margin = 5 * time.Second
)

// Accepts reports whether a site whose clock is so far ahead accepts a call that is signed
// at the right time.
func Accepts(ahead time.Duration) bool {
	return ahead <= maxPast-margin && ahead >= -(maxFuture-margin)
}

// Clock is what is known of how far a site's clock is ahead: at least From, at most To.
type Clock struct{ From, To time.Duration }

// Accepted returns what an accepted call proves that was signed for a clock so far ahead.
func Accepted(ahead time.Duration) Clock { return Clock{ahead - maxFuture, ahead + maxPast} }

// Middle is the best estimate.
func (c Clock) Middle() time.Duration { return (c.From + (c.To-c.From)/2).Round(time.Second) }

// Halve returns the time for which to sign next, and what its answer leaves: Clock when the
// call is accepted, or the other when it is refused.
func (c Clock) Halve() (ahead time.Duration, accepted, refused Clock) {
	middle := c.From + (c.To-c.From)/2
	// The site accepts what is signed for at most 5 minutes more than its clock says.
	return middle + maxFuture, Clock{middle, c.To}, Clock{c.From, middle}
}

// clock is the mistake of a clock that is wrong.
func clock(ahead time.Duration) Mistake {
	return Mistake{Ahead: ahead, Says: "a clock " + Difference(ahead), Causes: one(WrongClock(ahead))}
}

// Difference says how wrong a clock is.
func Difference(ahead time.Duration) string {
	ahead = ahead.Round(time.Second)
	if ahead.Abs() >= time.Minute {
		ahead = ahead.Round(5 * time.Second) // it is not measured more exactly
	}
	switch {
	case ahead > time.Second:
		return short(ahead) + " ahead"
	case ahead < -time.Second:
		return short(-ahead) + " behind"
	}
	return "right"
}

// short writes a duration without units that are zero.
func short(d time.Duration) string {
	s := d.String()
	if d >= time.Minute && d%time.Minute == 0 {
		s = strings.TrimSuffix(s, "0s")
	}
	if d >= time.Hour && d%time.Hour == 0 {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
