package rpc

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/internal/obs"
)

// The only labels are server, method and code: never a site, never a peer. gRPC refuses
// unknown methods before they get here, so the contract limits their number.

// serverMetrics counts the calls of one server. Several servers in a process share the
// collectors and differ in the label.
type serverMetrics struct {
	server   string
	calls    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
}

func newServerMetrics(r prometheus.Registerer, server string) *serverMetrics {
	return &serverMetrics{
		server: server,
		calls: obs.Register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jetmon_rpc_server_calls_total", Help: "Calls and streams that ended, by gRPC code.",
		}, []string{"server", "method", "code"})),
		seconds: obs.Register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jetmon_rpc_server_seconds", Help: "Time from the start of a call or stream to its end.",
			Buckets: []float64{.001, .005, .025, .1, .5, 1, 2.5, 5, 10, 30},
		}, []string{"server", "method"})),
		inFlight: obs.Register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "jetmon_rpc_server_in_flight", Help: "Calls and streams that are open.",
		}, []string{"server", "method"})),
	}
}

// begin counts the start of a call; the function it returns counts the end.
func (m *serverMetrics) begin(method string) func(codes.Code) {
	start := time.Now()
	open := m.inFlight.WithLabelValues(m.server, method)
	open.Inc()
	return func(code codes.Code) {
		open.Dec()
		m.seconds.WithLabelValues(m.server, method).Observe(time.Since(start).Seconds())
		m.calls.WithLabelValues(m.server, method, code.String()).Inc()
	}
}

type clientMetrics struct{ calls *prometheus.CounterVec }

func newClientMetrics(r prometheus.Registerer) *clientMetrics {
	return &clientMetrics{calls: obs.Register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "jetmon_rpc_client_calls_total", Help: "Calls and streams that this process made and that ended, by gRPC code.",
	}, []string{"method", "code"}))}
}

func (m *clientMetrics) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoke(ctx, method, req, reply, cc, opts...)
	m.calls.WithLabelValues(method, status.Code(err).String()).Inc()
	return err
}

func (m *clientMetrics) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	// OnFinish runs exactly once, however a stream ends.
	opts = append(opts, grpc.OnFinish(func(err error) {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		m.calls.WithLabelValues(method, status.Code(err).String()).Inc()
	}))
	return open(ctx, desc, cc, method, opts...)
}
