// Package backoff decides how long to wait before something that failed is tried again. It
// is pure: randomness arrives as a value.
package backoff

import "time"

// Policy bounds the waits.
type Policy struct {
	// Base is the range of the first wait; it doubles with each failure, up to Most.
	Base, Most time.Duration
	// Least is the shortest wait.
	Least time.Duration
}

// Wait returns the wait after a number of failures in a row, from 1: "full jitter", a
// random part of the range. luck is from [0, 1).
func (p Policy) Wait(failures int, luck float64) time.Duration {
	return max(p.Least, time.Duration(luck*float64(p.Range(failures))))
}

// Range returns the longest wait after a number of failures in a row, from 1. It is the
// wait of a caller that is alone, so that nobody else tries at the same moment.
func (p Policy) Range(failures int) time.Duration {
	span := p.Base
	for range failures - 1 {
		if span >= p.Most {
			break
		}
		span *= 2
	}
	return min(span, p.Most)
}
