package tracing

import (
	"context"
	"encoding/binary"
	"math/rand/v2"

	"go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/Automattic/jetmon/internal/traceid"
)

// selfKey is the key of the traceid.Context that the next span of a context gets.
type selfKey struct{}

// given makes the ids of spans: those that the context says, or else random ones.
type given struct{}

// NewIDs implements trace.IDGenerator, for the first span of a trace.
func (g given) NewIDs(ctx context.Context) (oteltrace.TraceID, oteltrace.SpanID) {
	if self, ok := ctx.Value(selfKey{}).(traceid.Context); ok {
		return self.Trace, g.NewSpanID(ctx, self.Trace)
	}
	var trace oteltrace.TraceID
	binary.BigEndian.PutUint64(trace[:8], rand.Uint64()|1)
	binary.BigEndian.PutUint64(trace[8:], rand.Uint64())
	return trace, randomSpanID()
}

// NewSpanID implements trace.IDGenerator.
func (given) NewSpanID(ctx context.Context, trace oteltrace.TraceID) oteltrace.SpanID {
	self, _ := ctx.Value(selfKey{}).(traceid.Context)
	return spanIn(trace, self)
}

// spanIn returns the id of a span in a trace: the one that it was given, or else a random one.
func spanIn(trace oteltrace.TraceID, self traceid.Context) oteltrace.SpanID {
	if self.IsSpan() && self.Trace == trace {
		return self.Span
	}
	return randomSpanID()
}

func randomSpanID() (id oteltrace.SpanID) {
	binary.BigEndian.PutUint64(id[:], rand.Uint64()|1)
	return id
}

// identify returns the context of a span that is over, and whether it is recorded, as given and
// decided do for one that begins.
func identify(parent oteltrace.SpanContext, self traceid.Context) (oteltrace.SpanContext, bool) {
	if !isRecorded(parent, self) {
		return oteltrace.SpanContext{}, false
	}
	c := oteltrace.SpanContextConfig{TraceID: parent.TraceID(), TraceFlags: oteltrace.FlagsSampled, TraceState: parent.TraceState()}
	if !parent.IsValid() {
		c.TraceID = self.Trace
	}
	c.SpanID = spanIn(c.TraceID, self)
	return oteltrace.NewSpanContext(c), true
}

// isRecorded reports whether somebody has decided to record a span: its parent is recorded, or it
// has an id of its own and begins a trace.
func isRecorded(parent oteltrace.SpanContext, self traceid.Context) bool {
	return parent.IsSampled() || self.IsSpan() && !parent.IsValid()
}

// decided samples what somebody has decided to record: spans with given ids, and those below a
// span that is recorded. A call that comes from elsewhere begins no trace.
type decided struct{}

// ShouldSample implements trace.Sampler.
func (decided) ShouldSample(p trace.SamplingParameters) trace.SamplingResult {
	parent := oteltrace.SpanContextFromContext(p.ParentContext)
	result := trace.SamplingResult{Decision: trace.Drop, Tracestate: parent.TraceState()}
	if self, _ := p.ParentContext.Value(selfKey{}).(traceid.Context); isRecorded(parent, self) {
		result.Decision = trace.RecordAndSample
	}
	return result
}

// Description implements trace.Sampler.
func (decided) Description() string { return "Decided" }
