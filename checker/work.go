package checker

import (
	"errors"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
)

// startWorkers starts workers for the waiting checks, up to the limit.
func (c *Checker) startWorkers() {
	for range c.inFlight.hire() {
		c.workers.Go(c.work)
	}
}

// work runs one check after another until none waits.
func (c *Checker) work() {
	now := time.Now()
	for {
		j, ok := c.inFlight.next(now)
		if !ok {
			return
		}
		seen := c.check(j.assignment)
		now = time.Now()
		if c.base.Err() != nil {
			// We cut this probe ourselves, so its observation tells nothing about the site.
			c.inFlight.giveUp(j, now)
			continue
		}
		switch seen.Outcome {
		case check.OutcomeDown:
			c.doubt()
		case check.OutcomeUp:
			seen.Headers = nil // they only explain failures, and would be most of the message
		}
		c.metrics.count(c.trace(j, seen, now), seen)
		urgent := seen.Outcome != check.OutcomeUp
		c.inFlight.finish(j, &coordinatorv1.Result{
			SiteId:      j.assignment.GetSiteId(),
			Sequence:    j.assignment.GetSequence(),
			Observation: checkpb.ObservationToProto(seen),
		}, urgent, now)
	}
}

// check runs one assignment. It reports a faulty assignment as an observation, too, as only
// a result closes the check at the coordinator.
func (c *Checker) check(a *coordinatorv1.Assignment) check.Observation {
	target, err := checkpb.TargetFromProto(a.GetTarget())
	if err != nil {
		return check.Observation{
			Outcome: check.OutcomeUnknown, Failure: check.FailurePolicy,
			Reason: invalidTarget(err), Detail: err.Error(),
		}
	}
	if target.Timeout == 0 {
		target.Timeout = check.RoutineTimeout
	}
	c.metrics.inFlight.Inc()
	defer c.metrics.inFlight.Dec()
	return c.prober.Probe(c.base, target)
}

// invalidTarget returns the reason for refusing a target: that of the check engine if it is
// the URL, which may be any text of the table.
func invalidTarget(err error) string {
	if e, ok := errors.AsType[*checkpb.FieldError](err); ok && e.Cause != nil {
		return check.URLReason(e.Cause)
	}
	return "invalid_target"
}
