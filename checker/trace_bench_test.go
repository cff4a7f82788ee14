package checker

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/tracing"
	"github.com/Automattic/jetmon/test/otlp"
)

// BenchmarkTrace is what a good check costs more: without a collector, with one for a coordinator
// that has no traces, and as one of those of which one in 100,000 is recorded.
func BenchmarkTrace(b *testing.B) {
	c := otlp.New(b)
	x, err := tracing.Open(b.Context(), tracing.Options{Endpoint: c.Endpoint(), Traces: true, Registry: prometheus.NewRegistry()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = x.Close(b.Context()) }()
	for name, how := range map[string]struct {
		traces *tracing.Recorder
		oneIn  uint32
	}{"off": {nil, 100_000}, "not asked for": {x.Spans(), 0}, "one in 100000": {x.Spans(), 100_000}} {
		b.Run(name, func(b *testing.B) {
			q := &quota{}
			q.traceOneIn.Store(how.oneIn)
			ch := &Checker{traces: how.traces}
			j := job{batch: &batch{quota: q, ref: ref{1, 2}}, assignment: &coordinatorv1.Assignment{SiteId: 1, Target: nil}}
			seen, now := check.Observation{Outcome: check.OutcomeUp}, time.Now()
			b.ReportAllocs()
			for b.Loop() {
				j.assignment.Sequence++
				ch.trace(j, seen, now)
			}
		})
	}
}
