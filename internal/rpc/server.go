package rpc

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/stats"
)

// ServerOptions configure a server. With Access alone it speaks plaintext.
type ServerOptions struct {
	// Name is the role: the server's name in log and metrics.
	Name string
	// TLS configures the listeners; nil means plaintext.
	TLS *tls.Config
	// Access decides who may call; it is required.
	Access *Authorizer
	// Validate checks unary requests against the constraints in their protos.
	Validate bool
	// MaxConcurrentStreams limits the open calls per connection; 0 means 1000.
	MaxConcurrentStreams uint32
	// Around, optional, runs around the handlers of unary calls, inside of all that the
	// server does itself.
	Around grpc.UnaryServerInterceptor
	// Log gets calls at debug level and internal errors at error level; nil discards them.
	Log *slog.Logger
	// Metrics exports the counts of calls; nil exports none.
	Metrics prometheus.Registerer
	// Stats, optional, is told of each call of a node that may make it, as what records traces is.
	Stats stats.Handler
	// Ready returns the reason why the role cannot work now, or nil. Health follows it within
	// a quarter of a second. It must not block. A nil Ready means always ready.
	Ready func() error
	// Services are the names in the health service, besides the server as a whole; none
	// means the registered services.
	Services []string
}

// withDefaults returns o with a value for each field that has a default.
func (o ServerOptions) withDefaults() ServerOptions {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	o.MaxConcurrentStreams = cmp.Or(o.MaxConcurrentStreams, defaultStreams)
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	return o
}

// Server is the gRPC server of a role.
type Server struct {
	name     string
	log      *slog.Logger
	grpc     *grpc.Server
	health   *health.Server
	services []string
	ready    func() error
}

// NewServer makes a server with the services that register adds, and with health and
// reflection. It opens nothing.
func NewServer(o ServerOptions, register func(grpc.ServiceRegistrar)) (*Server, error) {
	o = o.withDefaults()
	if o.Access == nil {
		return nil, fmt.Errorf("server %s: nobody said who may call it", o.Name)
	}
	var err error
	outer := guard{log: o.Log, metrics: newServerMetrics(o.Metrics, o.Name)}
	unary := []grpc.UnaryServerInterceptor{outer.unary, o.Access.unary, shaveDeadline, unframe}
	stream := []grpc.StreamServerInterceptor{outer.stream, o.Access.stream}
	added := func(desc *grpc.ServiceDesc) { err = errors.Join(err, governed(desc)) }
	if o.Validate {
		v, invalid := newValidator()
		if invalid != nil {
			return nil, fmt.Errorf("server %s: %w", o.Name, invalid)
		}
		unary, stream = append(unary, v.unary), append(stream, v.stream)
		added = func(desc *grpc.ServiceDesc) { err = errors.Join(err, governed(desc), v.shapes.addService(desc)) }
	}
	if o.Around != nil {
		unary = append(unary, o.Around)
	}
	arriving := arrivals{map[string]bool{}}
	opts := append(limits(o.MaxConcurrentStreams),
		grpc.InTapHandle(arriving.begin),
		grpc.ChainUnaryInterceptor(unary...),
		grpc.ChainStreamInterceptor(stream...),
	)
	if o.Stats != nil {
		opts = append(opts, grpc.StatsHandler(nodesOnly{o.Stats, o.Access}))
	}
	if o.TLS != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(o.TLS)))
	}
	s := &Server{
		name: o.Name, log: o.Log, grpc: grpc.NewServer(opts...),
		health: health.NewServer(), services: slices.Clone(o.Services), ready: o.Ready,
	}
	register(framing{s.grpc, func(desc *grpc.ServiceDesc) { arriving.add(desc); added(desc) }})
	if err != nil {
		return nil, fmt.Errorf("server %s: %w", o.Name, err)
	}
	if len(s.services) == 0 {
		for name := range s.grpc.GetServiceInfo() {
			s.services = append(s.services, name)
		}
	}
	s.services = append(s.services, "")
	grpc_health_v1.RegisterHealthServer(framing{s.grpc, arriving.add}, s.health)
	reflection.Register(s.grpc)
	s.setHealth(grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	return s, nil
}

func limits(streams uint32) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxConcurrentStreams(streams),
		grpc.MaxRecvMsgSize(maxRequestBytes),
		grpc.MaxSendMsgSize(maxResponseBytes),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.ForceServerCodecV2(newCodec()),
		gunzipOption(),
		grpc.ConnectionTimeout(connectTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: serverPing, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
	}
}

// Serve serves on the listeners until ctx ends, and then stops gracefully: health is
// NOT_SERVING, new calls are refused, running calls may take StopTimeout, and remaining
// ones are cut. It closes the listeners. It returns nil after an orderly stop, and at once
// with an error when a listener fails. A Server serves once.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	if len(listeners) == 0 {
		return fmt.Errorf("serve %s: no listener", s.name)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := readiness{server: s}
	r.look() // before any client can ask
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { r.watch(ctx) })
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() {
			err := s.grpc.Serve(l)
			if errors.Is(err, grpc.ErrServerStopped) {
				err = nil // the server was stopped before it started
			}
			if err != nil {
				err = fmt.Errorf("serve %s on %s: %w", s.name, l.Addr(), err)
			}
			failed <- err
		}()
	}

	var err error
	ended := 0
	select {
	case <-ctx.Done():
	case err = <-failed:
		ended = 1
	}
	cancel()
	s.health.Shutdown()
	s.stop()
	for range len(listeners) - ended {
		err = errors.Join(err, <-failed)
	}
	return err
}

// stop returns when no call runs any more, or when the running calls ignore the end of
// their contexts.
func (s *Server) stop() {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.grpc.GracefulStop()
	}()
	if closedWithin(stopped, StopTimeout) {
		return
	}
	s.log.Warn("running calls cut at stop", "server", s.name, "waited", StopTimeout)
	s.grpc.Stop() // ends every connection, and so the contexts of the handlers
	if !closedWithin(stopped, abandonTimeout) {
		s.log.Error("handler ignores the end of its context", "server", s.name)
	}
}

func closedWithin(c <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c:
		return true
	case <-timer.C:
		return false
	}
}
