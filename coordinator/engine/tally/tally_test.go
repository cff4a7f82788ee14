package tally_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/tally"
	"github.com/Automattic/jetmon/internal/check"
)

func saw(o check.Outcome, status int, took time.Duration) *check.Observation {
	out := &check.Observation{Outcome: o, HTTPStatus: status}
	out.Timing.Total = took
	return out
}

func TestResultsAreCountedByWhatTheyMeant(t *testing.T) {
	t.Parallel()
	var none, all tally.Tally
	all.Start()
	for _, r := range []struct {
		status check.Status
		o      *check.Observation
	}{
		{check.StatusRunning, saw(check.OutcomeUp, 200, 10*time.Millisecond)},
		{check.StatusDown, saw(check.OutcomeUp, 200, 30*time.Millisecond)},
		{check.StatusRunning, saw(check.OutcomeUp, 204, 5*time.Millisecond)},
		{check.StatusRunning, saw(check.OutcomeUp, 999, time.Millisecond)},
		{check.StatusRunning, saw(check.OutcomeDown, 500, time.Second)},
		{check.StatusDown, saw(check.OutcomeDown, 500, time.Second)},
		{check.StatusConfirmedDown, saw(check.OutcomeDown, 500, time.Second)},
		{check.StatusRunning, saw(check.OutcomeUnknown, 0, 0)},
	} {
		none.Note(r.status, r.o)
		all.Note(r.status, r.o)
	}
	if none.Take() != nil {
		t.Error("a tally that was not started counts")
	}
	c := all.Take()
	if c.Up[200] != 2 || c.Up[204] != 1 || c.Up[0] != 1 || c.Total(tally.Up) != 4 {
		t.Errorf("good results %d %d %d of %d", c.Up[200], c.Up[204], c.Up[0], c.Total(tally.Up))
	}
	if got := c.Other[tally.Down][tally.Kind{HTTPStatus: 500}]; got != 2 || c.Total(tally.StillDown) != 1 || c.Total(tally.Unknown) != 1 {
		t.Errorf("failures %d, %v", got, c.Other)
	}
	if r := c.RTT[tally.Up]; r.Least != time.Millisecond || r.Longest != 30*time.Millisecond || r.Mean() != 46*time.Millisecond/4 {
		t.Errorf("times %+v", r)
	}
	if c := all.Take(); c.Total(tally.Up) != 0 || c.RTT[tally.Up].Mean() != 0 {
		t.Error("what was taken is still there")
	}
}

func TestReasonsOfAnyNumberTakeBoundedMemory(t *testing.T) {
	t.Parallel()
	var all tally.Tally
	all.Start()
	for i := range 5000 {
		o := saw(check.OutcomeDown, 0, 0)
		o.Failure, o.Reason = check.FailureTLS, strconv.Itoa(i)
		all.Note(check.StatusRunning, o)
	}
	c := all.Take()
	sum := uint64(0)
	for _, n := range c.Other[tally.Down] {
		sum += n
	}
	if len(c.Other[tally.Down]) > 501 || sum != 5000 {
		t.Errorf("%d kinds with %d results", len(c.Other[tally.Down]), sum)
	}
}

func BenchmarkNote(b *testing.B) {
	for name, o := range map[string]*check.Observation{
		"good":    saw(check.OutcomeUp, 200, 30*time.Millisecond),
		"failing": {Outcome: check.OutcomeDown, Failure: check.FailureTLS, Reason: "expired"},
	} {
		b.Run(name, func(b *testing.B) {
			var t tally.Tally
			t.Start()
			for b.Loop() {
				t.Note(check.StatusRunning, o)
			}
		})
	}
}
