package tracing

import (
	"context"
	"fmt"
	"time"

	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracespb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

const (
	// pingAfter is how long a connection may be silent during an export. Servers of gRPC refuse
	// clients that ping more often than every five minutes.
	pingAfter = 6 * time.Minute
	// lostAfter is how long what is sent may stay without an answer of the other machine. The kernel
	// alone would repeat it for a quarter of an hour.
	lostAfter = 20 * time.Second
)

// dialOptions are those of the connections to a collector.
func dialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: lostAfter}),
		grpc.WithChainUnaryInterceptor(understand),
	}
}

// refusal is that a collector has taken a message but for some of what is in it.
type refusal struct {
	refused int64
	why     string
}

// Error implements error.
func (r *refusal) Error() string { return fmt.Sprintf("%d refused: %s", r.refused, r.why) }

// understand makes what a collector refused of a message an error. It takes remarks about what was
// taken from the answer: the SDK would count it as refused.
func understand(ctx context.Context, method string, request, answer any, conn *grpc.ClientConn, call grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if err := call(ctx, method, request, answer, conn, options...); err != nil {
		return err
	}
	var r refusal
	switch a := answer.(type) {
	case *tracespb.ExportTraceServiceResponse:
		r = refusal{a.GetPartialSuccess().GetRejectedSpans(), a.GetPartialSuccess().GetErrorMessage()}
		a.PartialSuccess = nil
	case *metricspb.ExportMetricsServiceResponse:
		r = refusal{a.GetPartialSuccess().GetRejectedDataPoints(), a.GetPartialSuccess().GetErrorMessage()}
		a.PartialSuccess = nil
	}
	if r.refused <= 0 {
		return nil
	}
	return &r
}

// brief is an error whose text is not longer than others: a collector chooses it.
type brief struct{ error }

// Error implements error.
func (b brief) Error() string { return cleanText(b.error.Error()) }

// Unwrap returns the whole error.
func (b brief) Unwrap() error { return b.error }

// inBrief returns a brief error, or nil.
func inBrief(err error) error {
	if err == nil {
		return nil
	}
	return brief{err}
}
