package veriflier

import (
	"context"
	"sync"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/secondopinion"
)

// leastSecond is how long the second reader may take although the engine has used up the
// target's timeout. It fits into the 2 s that callers allow beyond that.
const leastSecond = time.Second

// secondBudget divides one budget between two readers: the second one gets what the engine,
// which took that long, has left of the target's timeout, or leastSecond if that is more, and
// never more than leaves the answer in time.
func secondBudget(timeout, took time.Duration, answerBy time.Time) time.Duration {
	left := max(timeout-took, leastSecond)
	if !answerBy.IsZero() {
		left = min(left, time.Until(answerBy))
	}
	return max(left, time.Millisecond)
}

// examine returns the self-check for an answer and, if what was seen is in doubt, both
// readings of the target, whose Timeout is the second reader's budget. It makes them at the
// same time, so that a slow site leaves time for the control.
func (v *Veriflier) examine(ctx context.Context, t check.Target, seen check.Observation, by time.Time) (check.SelfCheck, *check.SecondOpinion) {
	if v.second == nil || !secondopinion.Doubtful(t, seen) {
		return v.testify(ctx, seen, by), nil
	}
	v.metrics.secondOpinions.Inc()
	var self check.SelfCheck
	var control sync.WaitGroup
	control.Go(func() { self = v.testify(ctx, seen, by) })
	both := &check.SecondOpinion{Engine: seen, Reader: v.second.Ask(ctx, t, seen)}
	control.Wait()
	return self, both
}

// settle returns what both readings together say, and reports readers that disagree.
func (v *Veriflier) settle(t check.Target, both check.SecondOpinion) check.Observation {
	o := secondopinion.Settle(t, both)
	if o.Reason == check.ReasonReadersDisagree {
		v.metrics.disagreed.Inc()
		v.log.Warn("readers disagree", "url", t.URL, "saw", both.String(),
			"engine_detail", both.Engine.Detail, "engine_address", both.Engine.ResolvedAddress,
			"reader_address", both.Reader.ResolvedAddress)
	}
	return o
}
