package tracing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	promproducer "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/Automattic/jetmon/internal/obs"
)

// Options for Open.
type Options struct {
	// Endpoint is the collector's OTLP/gRPC: a URL (http is plaintext, https TLS), or HOST:PORT,
	// which is plaintext on loopback and TLS elsewhere. Empty leaves it to the SDK's variables.
	Endpoint string
	// Traces and Metrics say what is sent.
	Traces, Metrics bool
	// Service, Instance and Version describe the process: service.name, service.instance.id and
	// service.version.
	Service, Instance, Version string
	// Registry has the metrics to send, and gets those of the export itself.
	Registry *prometheus.Registry
	// Log hears when the collector goes away and comes back; nil discards it.
	Log *slog.Logger
}

// Export sends to one collector, from Open to Close.
type Export struct {
	recorder *Recorder // nil without Options.Traces
	traces   *trace.TracerProvider
	metrics  *metric.MeterProvider // nil without Options.Metrics
}

// Open makes an Export. It does not wait for the collector; an error is one of the options, or
// of the SDK's variables.
func Open(ctx context.Context, o Options) (_ *Export, err error) {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Endpoint, err = endpointURL(o.Endpoint); err != nil {
		return nil, err
	}
	about, err := describe(ctx, o)
	if err != nil {
		return nil, err
	}
	x := &Export{}
	if o.Traces {
		if err := x.openTraces(ctx, o, about); err != nil {
			return nil, err
		}
	}
	if o.Metrics {
		if err := x.openMetrics(ctx, o, about); err != nil {
			return nil, errors.Join(err, x.Close(ctx))
		}
	}
	return x, nil
}

// describe returns the resource of the process. OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME
// have the last word.
func describe(ctx context.Context, o Options) (*resource.Resource, error) {
	about, err := resource.New(ctx,
		resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(
			attribute.String("service.namespace", "jetmon"), attribute.String("service.name", o.Service),
			attribute.String("service.instance.id", o.Instance), attribute.String("service.version", o.Version),
		),
		resource.WithFromEnv(),
	)
	if err != nil {
		return nil, fmt.Errorf("describe the process to the collector: %w", err)
	}
	return about, nil
}

// endpointURL completes an endpoint without a scheme.
func endpointURL(endpoint string) (string, error) {
	scheme, rest, ok := strings.Cut(endpoint, "://")
	switch {
	case strings.Contains(endpoint, "@"): // not quoted: it has a password
		return "", errors.New("endpoint: must have no user and password; headers may have them")
	case endpoint == "", ok && (scheme == "http" || scheme == "https") && rest != "":
		return endpoint, nil
	case ok:
		return "", fmt.Errorf("endpoint %s: must begin with http:// (plaintext) or https://", endpoint)
	}
	host, _, err := net.SplitHostPort(endpoint)
	if err != nil {
		return "", fmt.Errorf("endpoint %s: must be a URL or HOST:PORT", endpoint)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return "http://" + endpoint, nil
	}
	return "https://" + endpoint, nil
}

func (x *Export) openTraces(ctx context.Context, o Options, about *resource.Resource) error {
	options := []otlptracegrpc.Option{otlptracegrpc.WithDialOption(dialOptions()...)}
	if o.Endpoint != "" {
		options = append(options, otlptracegrpc.WithEndpointURL(o.Endpoint))
	}
	to, err := otlptracegrpc.New(ctx, options...)
	if err != nil {
		return fmt.Errorf("export traces: %w", err)
	}
	limits := spanLimits()
	q := newQueue(to, limits.AttributeValueLengthLimit, o.Registry, o.Log)
	x.traces = trace.NewTracerProvider(
		trace.WithResource(about), trace.WithSampler(decided{}), trace.WithIDGenerator(given{}),
		trace.WithRawSpanLimits(limits), trace.WithSpanProcessor(q),
	)
	x.recorder = newRecorder(x.traces, q, about)
	return nil
}

// spanLimits are the SDK's, with a bound of the length of a value: sites have long URLs.
func spanLimits() trace.SpanLimits {
	limits := trace.NewSpanLimits()
	if limits.AttributeValueLengthLimit < 0 {
		limits.AttributeValueLengthLimit = 1024
	}
	return limits
}

func (x *Export) openMetrics(ctx context.Context, o Options, about *resource.Resource) error {
	options := []otlpmetricgrpc.Option{otlpmetricgrpc.WithDialOption(dialOptions()...)}
	if o.Endpoint != "" {
		options = append(options, otlpmetricgrpc.WithEndpointURL(o.Endpoint))
	}
	to, err := otlpmetricgrpc.New(ctx, options...)
	if err != nil {
		return fmt.Errorf("export metrics: %w", err)
	}
	quiet := &quietMetrics{Exporter: to, edge: obs.Edge{Log: o.Log, What: "exporting metrics", Level: slog.LevelWarn}}
	x.metrics = metric.NewMeterProvider(metric.WithResource(about), metric.WithReader(metric.NewPeriodicReader(quiet,
		metric.WithProducer(promproducer.NewMetricProducer(promproducer.WithGatherer(o.Registry))))))
	return nil
}

// Spans returns what records spans; nil where none are sent.
func (x *Export) Spans() *Recorder {
	if x == nil {
		return nil
	}
	return x.recorder
}

// closeTimeout bounds Close: the collector may be away, and the process must end in time.
const closeTimeout = 2 * time.Second

// Close sends what waits, if the collector takes it in time, and ends the export.
func (x *Export) Close(ctx context.Context) error {
	if x == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	var errs []error
	if x.traces != nil {
		errs = append(errs, x.traces.Shutdown(ctx))
	}
	if x.metrics != nil {
		errs = append(errs, x.metrics.Shutdown(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("end the export to the collector: %w", inBrief(err))
	}
	return nil
}
