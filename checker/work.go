package checker

import (
	"errors"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
)

// startWorkers starts workers for the waiting checks, up to the limit. A worker is one goroutine
// after the other, until no check waits.
func (c *Checker) startWorkers() {
	for range c.inFlight.hire() {
		c.workers.Go(c.work)
	}
}

// work runs a check, and leaves the next one to a goroutine of its own: what follows an answer
// takes more stack than waiting for one, and thousands wait at once.
func (c *Checker) work() {
	j, ok := c.inFlight.next(time.Now())
	if !ok {
		return
	}
	seen := new(check.Observation)
	c.check(j.assignment, seen)
	c.conclude(j, seen)
	c.workers.Go(c.work)
}

// conclude takes what a check has seen.
func (c *Checker) conclude(j job, seen *check.Observation) {
	now := time.Now()
	if c.base.Err() != nil {
		// We cut this probe ourselves, so its observation tells nothing about the site.
		c.inFlight.giveUp(j, now)
		return
	}
	switch seen.Outcome {
	case check.OutcomeDown:
		c.doubt()
	case check.OutcomeUp:
		seen.Headers = nil // they only explain failures, and would be most of the message
	}
	c.metrics.count(c.trace(j, *seen, now), *seen)
	urgent := seen.Outcome != check.OutcomeUp
	c.inFlight.finish(j, &coordinatorv1.Result{
		SiteId:      j.assignment.GetSiteId(),
		Sequence:    j.assignment.GetSequence(),
		Observation: checkpb.ObservationToProto(*seen),
	}, urgent, now)
}

// check runs one assignment. It reports a faulty assignment as an observation, too, as only
// a result closes the check at the coordinator.
func (c *Checker) check(a *coordinatorv1.Assignment, seen *check.Observation) {
	target := targetOf(a, seen)
	if target == nil {
		return
	}
	c.metrics.inFlight.Inc()
	defer c.metrics.inFlight.Dec()
	*seen = c.prober.Probe(c.base, *target)
}

// targetOf returns the target of an assignment, or nil with what is wrong with it as an
// observation.
func targetOf(a *coordinatorv1.Assignment, seen *check.Observation) *check.Target {
	target, err := checkpb.TargetFromProto(a.GetTarget())
	if err != nil {
		seen.Outcome, seen.Failure = check.OutcomeUnknown, check.FailurePolicy
		seen.Reason, seen.Detail = invalidTarget(err), err.Error()
		return nil
	}
	if target.Timeout == 0 {
		target.Timeout = check.RoutineTimeout
	}
	return &target
}

// invalidTarget returns the reason for refusing a target: that of the check engine if it is
// the URL, which may be any text of the table.
func invalidTarget(err error) string {
	if e, ok := errors.AsType[*checkpb.FieldError](err); ok && e.Cause != nil {
		return check.URLReason(e.Cause)
	}
	return "invalid_target"
}
