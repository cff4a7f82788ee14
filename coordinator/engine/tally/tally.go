// Package tally counts the results of checks by what they found, for whoever reads the counts
// now and then. A good result costs a few additions.
//
// The package is pure: it has no lock, and its caller lends it one.
package tally

import (
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Class is what a result meant for its site.
type Class uint8

// The classes.
const (
	Up Class = iota
	// Down is a failure of a site that is not confirmed down, StillDown one of a site that is.
	Down
	StillDown
	// Unknown results say nothing about their site.
	Unknown
	Classes // how many there are
)

// Kind is how a result came about.
type Kind struct {
	HTTPStatus int
	Failure    check.FailureKind
	Reason     string
	Phase      check.Phase
	// Redirected means that the check had followed a redirect.
	Redirected bool
}

// RTT sums up the times that checks took.
type RTT struct {
	N                   uint64
	Sum, Least, Longest time.Duration
}

// Mean returns the mean of the times, 0 without any.
func (r RTT) Mean() time.Duration {
	if r.N == 0 {
		return 0
	}
	return r.Sum / time.Duration(r.N)
}

// Counts are the results of a while.
type Counts struct {
	// Up counts good results by their HTTP status, Other all the others.
	Up    [statuses]uint64
	Other [Classes]map[Kind]uint64
	RTT   [Classes]RTT
}

// statuses is how many HTTP statuses are counted apart; others count as 0.
const statuses = 600

// maxKinds bounds the kinds of a class; what comes beyond is counted without its reason.
const maxKinds = 500

// Total returns the number of results of a class.
func (c *Counts) Total(of Class) uint64 { return c.RTT[of].N }

// Tally counts. The zero value counts nothing until Start.
type Tally struct{ counts *Counts }

// Start makes the tally count from now on.
func (t *Tally) Start() { t.counts = &Counts{} }

// Take returns what was counted since the last call, nil if the tally was not started.
func (t *Tally) Take() *Counts {
	taken := t.counts
	if taken != nil {
		t.counts = &Counts{}
	}
	return taken
}

// Note counts a result of a site with a status.
func (t *Tally) Note(status check.Status, o *check.Observation) {
	c := t.counts
	if c == nil {
		return
	}
	class := classOf(status, o)
	c.RTT[class].add(o.Timing.Total)
	if class == Up {
		at := o.HTTPStatus
		if at < 0 || at >= statuses {
			at = 0
		}
		c.Up[at]++
		return
	}
	k := Kind{o.HTTPStatus, o.Failure, o.Reason, o.Phase, len(o.Hops) > 0}
	if c.Other[class] == nil {
		c.Other[class] = map[Kind]uint64{}
	}
	if _, known := c.Other[class][k]; !known && len(c.Other[class]) >= maxKinds {
		k = Kind{Failure: o.Failure}
	}
	c.Other[class][k]++
}

func classOf(status check.Status, o *check.Observation) Class {
	switch {
	case o.Outcome == check.OutcomeUp:
		return Up
	case o.Outcome != check.OutcomeDown:
		return Unknown
	case status == check.StatusConfirmedDown:
		return StillDown
	default:
		return Down
	}
}

func (r *RTT) add(took time.Duration) {
	if r.N == 0 || took < r.Least {
		r.Least = took
	}
	r.N, r.Sum, r.Longest = r.N+1, r.Sum+took, max(r.Longest, took)
}
