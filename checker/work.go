package checker

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
)

// startWorkers sees that checks which wait are run, as far as there is room.
func (c *Checker) startWorkers() {
	for range c.ledger.hire() {
		c.workers.Go(c.work)
	}
}

// work runs one check after the other until none waits.
func (c *Checker) work() {
	now := time.Now()
	for {
		j, ok := c.ledger.next(now)
		if !ok {
			return
		}
		seen := c.check(j.assignment)
		now = time.Now()
		if c.base.Err() != nil {
			// What a probe saw that we cut ourselves says nothing about the site.
			c.ledger.giveUp(j, now)
			continue
		}
		switch seen.Outcome {
		case check.OutcomeDown:
			c.doubt()
		case check.OutcomeUp:
			seen.Headers = nil // they explain failures; on the way they would cost more than the rest
		}
		c.metrics.checks.Count(seen.Outcome)
		urgent := seen.Outcome != check.OutcomeUp
		c.ledger.finish(j, &coordinatorv1.Result{
			SiteId:      j.assignment.GetSiteId(),
			Sequence:    j.assignment.GetSequence(),
			Observation: checkpb.ObservationToProto(seen),
		}, urgent, now)
	}
}

// check runs one assignment. Whatever is wrong with it is an observation too, as only
// an answer closes the check at the coordinator.
func (c *Checker) check(a *coordinatorv1.Assignment) check.Observation {
	target, err := checkpb.TargetFromProto(a.GetTarget())
	if err != nil {
		return check.Observation{
			Outcome: check.OutcomeUnknown, Failure: check.FailurePolicy,
			Reason: "invalid_target", Detail: err.Error(),
		}
	}
	if target.Timeout == 0 {
		target.Timeout = check.RoutineTimeout
	}
	return c.probe(c.base, target)
}

// probe survives a prober that panics: one strange site must not end the process.
func (c *Checker) probe(ctx context.Context, t check.Target) (seen check.Observation) {
	c.metrics.inFlight.Inc()
	defer func() {
		c.metrics.inFlight.Dec()
		if p := recover(); p != nil {
			c.log.Error("a probe panicked", "url", t.URL, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			seen = check.Observation{Outcome: check.OutcomeUnknown, Reason: "internal_error", Detail: "the checker failed, not the site"}
		}
	}()
	return c.prober.Probe(ctx, t)
}
