package tracing

import (
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/grpc/stats"
)

// Client returns what records the calls of a client that belong to a trace, and tells the server
// of it; nil when nothing is recorded.
func (r *Recorder) Client() stats.Handler {
	if r == nil {
		return nil
	}
	return otelgrpc.NewClientHandler(r.grpcOptions()...)
}

// Server returns what records the calls to a server whose caller records them; nil when nothing
// is recorded.
func (r *Recorder) Server() stats.Handler {
	if r == nil {
		return nil
	}
	return otelgrpc.NewServerHandler(r.grpcOptions()...)
}

// grpcOptions have the handlers record spans alone: calls are counted by package rpc.
func (r *Recorder) grpcOptions() []otelgrpc.Option {
	return []otelgrpc.Option{
		otelgrpc.WithTracerProvider(r.provider), otelgrpc.WithMeterProvider(noop.NewMeterProvider()),
		otelgrpc.WithPropagators(propagation.TraceContext{}),
	}
}
