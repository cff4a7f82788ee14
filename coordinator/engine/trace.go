package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/traceid"
)

// A trace is the story of one site from the check that begins it, a failing one or the first good
// one of an outage, to the notices. Each step is a span below what led to it. A good check of a
// site that is up, nearly every check, has no part in any of this: its checker alone records it,
// if it is one of the sample.

// Tracer records steps. It is called as the ports are.
type Tracer interface{ Record(Step) }

// Step is something that was decided or done, as a span.
type Step struct {
	// Self is the step, Parent what led to it, which may be a trace without a span, and Link the
	// step that opened the outage, if that is in another trace.
	Self, Parent, Link traceid.Context

	Site       check.SiteID
	Blog       check.BlogID
	Bucket     check.BucketID
	URL        string
	Start, End time.Time

	// Judged is set when an event was judged.
	Judged *Judged
	// Written is set when a change was committed.
	Written *Written
}

// Judged is what an event meant for a site.
type Judged struct {
	Before, After lifecycle.Stage
	// Failures counts those of the run, Ballot is the newest.
	Failures uint8
	Ballot   uint32
	// Node saw the observation that was judged; empty when it was a ballot.
	Node string
}

// Written is a change that is in the store.
type Written struct {
	From, To check.Status
	OutageID int64
}

// Names of the spans below a step. They never change while versions work side by side: who takes
// over derives the same ids.
const (
	judgeName  = "judge"
	writeName  = "write"
	ballotName = "ballot"
	lookName   = "second look"
)

// BallotSpan returns the span of the ballot that answers a question.
func (q Question) BallotSpan() traceid.Context { return below(q.Trace, ballotName) }

// LookSpan returns the span of the second look that answers a question.
func (q Question) LookSpan() traceid.Context { return below(q.Trace, lookName) }

// WriteSpan returns the span of the commit of a change: its notices are below it.
func WriteSpan(c *record.Change) traceid.Context { return below(c.Trace, writeName) }

func below(c traceid.Context, name string) traceid.Context {
	if c.IsZero() {
		return c
	}
	return c.Child(name)
}

// saga is the trace of a site in trouble.
type saga struct {
	// step is the newest step; zero while nothing is told.
	step traceid.Context
	// opening is the step that opened the outage.
	opening traceid.Context
	// asked is what the check that is out was told.
	asked traceid.Context
}

// parent returns what a check of the site is told of its trace. A site that is down has one that
// begins with the check, in case it is up again.
func (s *saga) parent(own traceid.Context) traceid.Context {
	if s.asked = s.step; s.asked.IsZero() {
		s.asked = traceid.Context{Trace: own.Trace}
	}
	return s.asked
}

// checked returns the span of a check whose result has come, which its checker has recorded if it
// failed, or if it was told of a trace; none otherwise.
func (s *saga) checked(own traceid.Context, failed bool) traceid.Context {
	asked := s.asked
	s.asked = traceid.Context{}
	switch {
	case asked.IsSpan():
		return own.Within(asked)
	case failed, !asked.IsZero():
		return own
	}
	return traceid.Context{}
}

// ownTrace is the trace of a check that is in no other.
func ownTrace(c *dispatch.Check, by dispatch.Ref) traceid.Context {
	return traceid.OfCheck(int64(c.Site), c.Sequence, by.Checkout)
}

// trace makes an event that meant something a step of the site's trace.
func (j *judge) trace(m moment, s *site, before lifecycle.State, e lifecycle.Event) {
	cause := j.cause
	if cause.IsZero() {
		cause = s.saga.step
	}
	if cause.IsZero() {
		return
	}
	after := s.State
	step := Step{
		Self: cause.Child(judgeName), Parent: cause, Start: m.Time, End: m.Time,
		Judged: &Judged{Before: before.Stage, After: after.Stage, Failures: after.Failures, Ballot: after.Ballot},
	}
	if e, ok := e.(lifecycle.Observed); ok {
		step.Judged.Node = e.Node
	}
	s.saga.step = step.Self
	j.tell(s, step)
}

// over ends the story of a site when nothing more is to come of its newest step.
func (s *site) over() {
	switch s.State.Stage {
	case lifecycle.Suspect, lifecycle.Verifying, lifecycle.Recovering:
	default:
		s.saga.step = traceid.Context{}
	}
}

// written makes the commit of a change a step of its trace.
func (j *judge) written(now time.Time, s *site, c *record.Change, done record.Committed) {
	if !j.traced || c.Trace.IsZero() {
		return
	}
	j.tell(s, Step{
		Self: WriteSpan(c), Parent: c.Trace, Start: c.At, End: now,
		Written: &Written{From: c.From, To: c.To, OutageID: done.OutageID},
	})
	s.saga.opening = c.Trace
	if c.To == check.StatusRunning {
		s.saga.opening = traceid.Context{}
	}
}

func (j *judge) tell(s *site, step Step) {
	step.Site, step.Blog, step.Bucket, step.URL = s.Row.ID, s.Row.BlogID, s.Row.Bucket, s.Row.URL
	if s.saga.opening.Trace != step.Self.Trace {
		step.Link = s.saga.opening
	}
	j.out.step(step)
}

// named returns the attributes of a log line about a site, with its trace if it has one.
func (s *site) named(args ...any) []any {
	if id := s.saga.step.TraceID(); id != "" {
		args = append(args, "trace_id", id, "span_id", s.saga.step.SpanID())
	}
	return args
}
