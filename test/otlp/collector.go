// Package otlp is a collector for tests: it takes traces and metrics by OTLP over gRPC, as
// OpenTelemetry's own does, and keeps them.
package otlp

import (
	"context"
	"encoding/hex"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"

	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracespb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricpb "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// Span is a span as it came.
type Span struct {
	*tracepb.Span
	// Service is service.name of the process that sent it.
	Service string
}

// Trace and ID are the span's ids in hexadecimal, ParentID that of its parent; empty for none.
func (s Span) Trace() string    { return hex.EncodeToString(s.GetTraceId()) }
func (s Span) ID() string       { return hex.EncodeToString(s.GetSpanId()) }
func (s Span) ParentID() string { return hex.EncodeToString(s.GetParentSpanId()) }

// Attribute returns an attribute of the span; nil when there is none.
func (s Span) Attribute(key string) any { return attribute(s.Attributes, key) }

func attribute(all []*commonpb.KeyValue, key string) any {
	for _, kv := range all {
		if kv.GetKey() != key {
			continue
		}
		switch v := kv.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			return v.StringValue
		case *commonpb.AnyValue_IntValue:
			return v.IntValue
		case *commonpb.AnyValue_BoolValue:
			return v.BoolValue
		}
	}
	return nil
}

// Collector keeps what it gets. Its methods are safe for concurrent use.
type Collector struct {
	addr string

	mu      sync.Mutex
	refuse  error
	partly  *tracespb.ExportTracePartialSuccess
	spans   []Span
	metrics map[string]*metricpb.Metric
	// services sent something.
	services map[string]bool
}

// New starts a collector, which ends with the test.
func New(t testing.TB) *Collector {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &Collector{addr: l.Addr().String(), metrics: map[string]*metricpb.Metric{}, services: map[string]bool{}}
	s := grpc.NewServer()
	tracespb.RegisterTraceServiceServer(s, traces{c: c})
	metricspb.RegisterMetricsServiceServer(s, metrics{c: c})
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-served; err != nil {
			t.Errorf("serve the collector: %v", err)
		}
	})
	return c
}

// Endpoint is the collector's URL.
func (c *Collector) Endpoint() string { return "http://" + c.addr }

// Refuse has the collector refuse everything with an error from now on; nil ends that.
func (c *Collector) Refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse = err
}

// RefuseSome has the collector say of each message of spans that it refused so many of them, and why;
// none and "" end that.
func (c *Collector) RefuseSome(spans int64, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.partly = nil
	if spans != 0 || why != "" {
		c.partly = &tracespb.ExportTracePartialSuccess{RejectedSpans: spans, ErrorMessage: why}
	}
}

// Spans returns all spans so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Metric returns the newest state of a metric; nil when none came.
func (c *Collector) Metric(name string) *metricpb.Metric {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.metrics[name]
}

// Services returns who sent something, in order.
func (c *Collector) Services() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.services))
}

type traces struct {
	tracespb.UnimplementedTraceServiceServer
	c *Collector
}

// Export takes spans.
func (s traces) Export(_ context.Context, req *tracespb.ExportTraceServiceRequest) (*tracespb.ExportTraceServiceResponse, error) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil {
		return nil, c.refuse
	}
	for _, r := range req.GetResourceSpans() {
		service, _ := attribute(r.GetResource().GetAttributes(), "service.name").(string)
		c.services[service] = true
		for _, scope := range r.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				c.spans = append(c.spans, Span{span, service})
			}
		}
	}
	return &tracespb.ExportTraceServiceResponse{PartialSuccess: c.partly}, nil
}

type metrics struct {
	metricspb.UnimplementedMetricsServiceServer
	c *Collector
}

// Export takes metrics.
func (s metrics) Export(_ context.Context, req *metricspb.ExportMetricsServiceRequest) (*metricspb.ExportMetricsServiceResponse, error) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil {
		return nil, c.refuse
	}
	for _, r := range req.GetResourceMetrics() {
		service, _ := attribute(r.GetResource().GetAttributes(), "service.name").(string)
		c.services[service] = true
		for _, scope := range r.GetScopeMetrics() {
			for _, m := range scope.GetMetrics() {
				c.metrics[m.GetName()] = m
			}
		}
	}
	return &metricspb.ExportMetricsServiceResponse{}, nil
}
