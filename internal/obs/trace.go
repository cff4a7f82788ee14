package obs

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// Observe notes a value of a histogram. If ctx is of a span that is recorded, its ids go beside
// the value, as an exemplar: from a bar of a chart to a trace.
func Observe(ctx context.Context, to prometheus.Observer, value float64) {
	if s := trace.SpanContextFromContext(ctx); s.IsSampled() {
		if to, ok := to.(prometheus.ExemplarObserver); ok {
			to.ObserveWithExemplar(value, prometheus.Labels{"trace_id": s.TraceID().String(), "span_id": s.SpanID().String()})
			return
		}
	}
	to.Observe(value)
}

// spanOf returns the ids of the recorded span that a context is of, for the log; none if it is
// of none.
func spanOf(ctx context.Context) []slog.Attr {
	s := trace.SpanContextFromContext(ctx)
	if !s.IsSampled() {
		return nil
	}
	return []slog.Attr{slog.String("trace_id", s.TraceID().String()), slog.String("span_id", s.SpanID().String())}
}
