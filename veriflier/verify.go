package veriflier

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/obs"
	"github.com/Automattic/jetmon/internal/tracing"
)

const (
	maxRequestIDBytes = 128

	// A check ends before its call does, by 1/marginShare of the remaining time but at most
	// maxMargin, so that the caller gets the observation and not a time-out.
	marginShare = 20
	maxMargin   = 100 * time.Millisecond

	// overrun is how long a prober may exceed its budget before its context ends, too.
	overrun = 500 * time.Millisecond
)

// service implements the gRPC service. It is not Veriflier itself, so that Veriflier has
// only the role's own methods.
type service struct {
	veriflierv1.UnimplementedVeriflierServiceServer
	veriflier *Veriflier
}

// Verify checks one target now, or joins the check that the same request started.
func (s service) Verify(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
	return s.veriflier.verify(ctx, req)
}

func (v *Veriflier) verify(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
	if err := validRequestID(req.GetRequestId()); err != nil {
		return nil, err
	}
	target, err := checkpb.TargetFromProto(req.GetTarget())
	if err != nil {
		if wrong, ok := errors.AsType[*checkpb.FieldError](err); ok {
			return nil, fault.InvalidField(wrong.Field, "%s", wrong.Description)
		}
		return nil, fmt.Errorf("read the target: %w", err)
	}
	digest, err := digestOf(req)
	if err != nil {
		return nil, err
	}
	f, started, err := v.answers.join(tracing.Carry(v.base, ctx), req.GetRequestId(), digest, time.Now())
	if err != nil {
		if fault.Is(err, fault.Exhausted) {
			v.metrics.refused.Inc()
		}
		return nil, err
	}
	defer v.answers.leave(f)
	if started {
		budget, whole := budgetOf(ctx, target)
		target.Timeout = budget
		go v.fly(f, target, flightPlan{whole: whole, answerBy: answerBy(ctx)})
	} else {
		v.metrics.joined.Inc()
	}
	select {
	case <-f.done:
		return f.answer, f.err
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

func validRequestID(id string) error {
	if n := len(id); n == 0 || n > maxRequestIDBytes {
		return fault.InvalidField("request_id", "must have from 1 to %d characters, has %d", maxRequestIDBytes, n)
	}
	for i := range len(id) {
		if id[i] < '!' || id[i] > '~' {
			return fault.InvalidField("request_id", "must be printable ASCII without blanks")
		}
	}
	return nil
}

// digestOf returns a digest that is equal for requests for the same check.
func digestOf(req *veriflierv1.VerifyRequest) ([sha256.Size]byte, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(req.GetTarget())
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("encode the target: %w", err)
	}
	return sha256.Sum256(b), nil
}

// budgetOf returns how long the check may take. whole reports whether that is the target's
// timeout, and not only the time that the caller's deadline leaves.
func budgetOf(ctx context.Context, t check.Target) (budget time.Duration, whole bool) {
	asked := t.Timeout
	if asked == 0 {
		asked = check.VerifyTimeout
	}
	budget = asked
	if end := answerBy(ctx); !end.IsZero() {
		budget = max(min(asked, time.Until(end)), time.Millisecond)
	}
	// A caller whose deadline is the target's timeout, without the time for the round trip,
	// is close enough.
	return budget, budget >= asked*9/10
}

// answerBy returns when the answer must be sent to reach the caller in time; zero without a
// deadline.
func answerBy(ctx context.Context) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Time{}
	}
	left := time.Until(deadline)
	return deadline.Add(-min(left/marginShare, maxMargin))
}

// flightPlan holds the limits that the caller's deadline sets for a check.
type flightPlan struct {
	// whole is true when the check has the target's full timeout.
	whole bool
	// answerBy is when its answer must be sent; zero means any time.
	answerBy time.Time
}

// fly runs the check of f.
func (v *Veriflier) fly(f *flight, t check.Target, plan flightPlan) {
	v.metrics.inFlight.Inc()
	defer v.metrics.inFlight.Dec()
	ctx, cancel := context.WithTimeout(f.ctx, t.Timeout+overrun)
	defer cancel()
	start := time.Now()
	seen := v.prober.Probe(ctx, t)
	took := time.Since(start)
	v.traces.RecordProbe(f.ctx, tracing.Probe{URL: t.URL, End: start.Add(took), Seen: seen, Node: v.name, Region: v.region})
	if !plan.whole && seen.Outcome == check.OutcomeDown && took >= t.Timeout*9/10 {
		seen = cutShort(seen, t.Timeout)
	}
	var self check.SelfCheck
	var both *check.SecondOpinion
	if context.Cause(f.ctx) == nil {
		again := t
		again.Timeout = secondBudget(t.Timeout, took, plan.answerBy)
		self, both = v.examine(f.ctx, again, seen, plan.answerBy)
	}
	if cause := context.Cause(f.ctx); cause != nil {
		// The observation of a check that was cut is no opinion.
		v.metrics.canceled.Inc()
		v.answers.end(f, nil, cause, time.Now())
		return
	}
	if both != nil {
		seen = v.settle(t, *both)
	}
	v.metrics.checks.Count(seen.Outcome)
	obs.Observe(f.ctx, v.metrics.seconds, took.Seconds())
	v.answers.end(f, &veriflierv1.VerifyResponse{
		RequestId:     f.id,
		Veriflier:     v.name,
		Region:        v.region,
		InstanceId:    v.instance,
		Observation:   checkpb.ObservationToProto(seen),
		SelfCheck:     checkpb.SelfCheckToProto(self),
		SecondOpinion: checkpb.SecondOpinionToProto(both),
	}, nil, time.Now())
}

// testify returns the self-check for an answer. After a failure it measures again in the
// same moment, because the failure may be our own.
func (v *Veriflier) testify(ctx context.Context, seen check.Observation, by time.Time) check.SelfCheck {
	switch {
	case v.selfCheck == nil:
		return check.SelfCheck{Healthy: true}
	case seen.Outcome != check.OutcomeDown:
		return v.selfCheck.Report()
	}
	if !by.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, by)
		defer cancel()
	}
	return v.selfCheck.Control(ctx, seen)
}

// cutShort turns a failure into UNKNOWN when the caller's deadline, and not the target's
// timeout, ended the check: a slow site must not get a DOWN vote because a coordinator was
// late.
func cutShort(seen check.Observation, budget time.Duration) check.Observation {
	seen.Outcome = check.OutcomeUnknown
	seen.Reason = "caller_deadline"
	seen.Detail = fmt.Sprintf("the caller's deadline left %s for the check, less than the target's timeout",
		budget.Round(time.Millisecond))
	return seen
}
