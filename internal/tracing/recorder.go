package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/Automattic/jetmon/internal/traceid"
)

// scope is the name of the instrumentation.
const scope = "github.com/Automattic/jetmon"

// Recorder records spans. A nil Recorder records nothing. Its methods are safe for concurrent use.
type Recorder struct {
	provider *trace.TracerProvider
	tracer   oteltrace.Tracer
	// queue takes spans that are over, which are of the process.
	queue   *queue
	process *resource.Resource
}

func newRecorder(p *trace.TracerProvider, q *queue, process *resource.Resource) *Recorder {
	return &Recorder{provider: p, tracer: p.Tracer(scope), queue: q, process: process}
}

// Kind is who takes part in a span.
type Kind uint8

// The kinds. The zero value is work within the process.
const (
	Internal Kind = iota
	// Client is a question to somebody else.
	Client
)

func (k Kind) kind() oteltrace.SpanKind {
	if k == Client {
		return oteltrace.SpanKindClient
	}
	return oteltrace.SpanKindInternal
}

// Span is a span to record.
type Span struct {
	Name string
	Kind Kind
	// Self is the span, Parent the one that led to it: none if it begins its trace, or if the
	// span in the context leads to it. Link is one of another trace, or an earlier attempt.
	Self, Parent, Link traceid.Context
	// Start and End bound it. Begin needs neither.
	Start, End time.Time
	Attributes []attribute.KeyValue
	// Failed, unless empty, is why it failed.
	Failed string
}

// On reports whether spans are recorded at all.
func (r *Recorder) On() bool { return r != nil }

// Record records a span that is over. It returns a context of it, for spans below. It goes past
// the SDK, which prepares a span for changes to come: a coordinator has one of each failing check.
func (r *Recorder) Record(ctx context.Context, s Span) context.Context {
	if r == nil {
		return ctx
	}
	parent := oteltrace.SpanContextFromContext(ctx)
	if s.Parent.IsSpan() {
		parent = spanContext(s.Parent)
	}
	self, ok := identify(parent, s.Self)
	if !ok {
		return ctx
	}
	over := tracetest.SpanStub{
		Name: s.Name, SpanContext: self, Parent: parent, SpanKind: s.Kind.kind(), StartTime: s.Start, EndTime: s.End,
		Attributes: s.Attributes, Resource: r.process, InstrumentationScope: instrumentation.Scope{Name: scope},
	}
	if s.Link.IsSpan() {
		over.Links = []trace.Link{{SpanContext: spanContext(s.Link)}}
	}
	if s.Failed != "" {
		over.Status = trace.Status{Code: codes.Error, Description: s.Failed}
	}
	r.queue.OnEnd(over.Snapshot())
	return oteltrace.ContextWithSpanContext(ctx, self)
}

// Begin begins a span, and returns a context of it and what ends it. The span is dropped if it
// belongs to no trace.
func (r *Recorder) Begin(ctx context.Context, s Span) (context.Context, func(failed string, more ...attribute.KeyValue)) {
	if r == nil || s.Self.IsZero() {
		return ctx, func(string, ...attribute.KeyValue) {}
	}
	ctx, span := r.start(ctx, s)
	return ctx, func(failed string, more ...attribute.KeyValue) {
		span.SetAttributes(more...)
		if failed != "" {
			span.SetStatus(codes.Error, failed)
		}
		span.End()
	}
}

func (r *Recorder) start(ctx context.Context, s Span) (context.Context, oteltrace.Span) {
	if s.Parent.IsSpan() {
		ctx = oteltrace.ContextWithSpanContext(ctx, spanContext(s.Parent))
	}
	outer := ctx
	if s.Self.IsSpan() {
		ctx = context.WithValue(ctx, selfKey{}, s.Self)
	}
	options := []oteltrace.SpanStartOption{oteltrace.WithSpanKind(s.Kind.kind()), oteltrace.WithAttributes(s.Attributes...)}
	if s.Link.IsSpan() {
		options = append(options, oteltrace.WithLinks(oteltrace.Link{SpanContext: spanContext(s.Link)}))
	}
	_, span := r.tracer.Start(ctx, s.Name, options...)
	// Spans below it have ids of their own.
	return oteltrace.ContextWithSpan(outer, span), span
}

// Inside returns a context whose spans and log lines belong to a span that is recorded elsewhere.
func Inside(ctx context.Context, c traceid.Context) context.Context {
	if !c.IsSpan() {
		return ctx
	}
	return oteltrace.ContextWithSpanContext(ctx, spanContext(c))
}

// Carry returns ctx with the span of another context, which may end sooner.
func Carry(ctx, from context.Context) context.Context {
	if s := oteltrace.SpanContextFromContext(from); s.IsSampled() {
		return oteltrace.ContextWithSpanContext(ctx, s)
	}
	return ctx
}

// Traced reports whether a context is of a span that is recorded.
func Traced(ctx context.Context) bool { return oteltrace.SpanContextFromContext(ctx).IsSampled() }

func spanContext(c traceid.Context) oteltrace.SpanContext {
	return oteltrace.NewSpanContext(oteltrace.SpanContextConfig{
		TraceID: c.Trace, SpanID: c.Span, TraceFlags: oteltrace.FlagsSampled, Remote: true,
	})
}
