package traces_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/coordinator/edge/traces"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/internal/traceid"
	"github.com/Automattic/jetmon/internal/tracing"
	"github.com/Automattic/jetmon/test/otlp"
)

// BenchmarkStep is what a step of a site in trouble costs, up to the queue; most of what it costs
// more is encoding, which happens beside.
func BenchmarkStep(b *testing.B) {
	c := otlp.New(b)
	x, err := tracing.Open(b.Context(), tracing.Options{Endpoint: c.Endpoint(), Traces: true, Registry: prometheus.NewRegistry()})
	if err != nil {
		b.Fatal(err)
	}
	t := traces.New(x.Spans())
	now := time.Now()
	cause := traceid.OfCheck(1, 1, 1)
	s := engine.Step{
		Self: cause.Child("judge"), Parent: cause, Site: 1, Blog: 2, URL: "https://example.com/", Start: now, End: now,
		Judged: &engine.Judged{Before: lifecycle.Up, After: lifecycle.Suspect, Failures: 1, Node: "checker-1"},
	}
	b.ReportAllocs()
	for b.Loop() {
		t.Record(s)
	}
	b.StopTimer()
	if err := x.Close(b.Context()); err != nil {
		b.Log(err)
	}
}
