package checker

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/traceid"
	"github.com/Automattic/jetmon/internal/tracing"
)

// trace records the span of a check that is over, if its coordinator wants that: of each that
// failed, of each of a site in trouble, and of one in so many others. It returns a context of it.
//
// The decision comes after the check, so that a good one costs nothing; nothing of it is sent to
// the coordinator, which derives the same ids.
func (c *Checker) trace(j job, seen check.Observation, now time.Time) context.Context {
	ctx := context.Background()
	if !c.traces.On() {
		return ctx
	}
	oneIn := j.batch.quota.traceOneIn.Load()
	if oneIn == 0 {
		return ctx
	}
	a := j.assignment
	own := traceid.OfCheck(a.GetSiteId(), a.GetSequence(), j.batch.checkout)
	parent := traceid.Read(a.GetTraceParent())
	if seen.Outcome != check.OutcomeDown && parent.IsZero() && !own.OneIn(oneIn) {
		return ctx
	}
	return c.traces.RecordProbe(ctx, tracing.Probe{
		Self: own.Within(parent), Parent: parent, URL: a.GetTarget().GetUrl(), End: now, Seen: seen,
		Node: c.node, Region: c.region, Site: check.SiteID(a.GetSiteId()),
	})
}
