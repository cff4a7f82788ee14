package tracing

import (
	"context"
	"encoding/hex"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/Automattic/jetmon/internal/obs"
)

// quietMetrics logs when the collector goes away and comes back. The SDK would write a line for
// each attempt to stderr, past the log.
type quietMetrics struct {
	metric.Exporter
	edge obs.Edge
}

// Export implements metric.Exporter.
func (q *quietMetrics) Export(ctx context.Context, m *metricdata.ResourceMetrics) error {
	for _, scope := range m.ScopeMetrics {
		for _, one := range scope.Metrics {
			if h, ok := one.Data.(metricdata.Histogram[float64]); ok {
				for _, point := range h.DataPoints {
					spell(point.Exemplars)
				}
			}
		}
	}
	q.edge.Note(inBrief(q.Exporter.Export(ctx, m)))
	return nil
}

// spell gives exemplars their ids in bytes. The bridge from Prometheus (v0.72.0) leaves them as it
// finds them there, in hexadecimal, which no collector takes for an id.
func spell(exemplars []metricdata.Exemplar[float64]) {
	for i := range exemplars {
		e := &exemplars[i]
		e.TraceID, e.SpanID = bytesOf(e.TraceID, 16), bytesOf(e.SpanID, 8)
	}
}

// bytesOf returns an id of so many bytes that is given as text; any other as it is.
func bytesOf(id []byte, size int) []byte {
	if len(id) != 2*size {
		return id
	}
	if b, err := hex.DecodeString(string(id)); err == nil {
		return b
	}
	return id
}
