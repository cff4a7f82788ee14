package rpc_test

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is the service of the servers under test: each test sets its functions.
type service struct {
	veriflierv1.UnimplementedVeriflierServiceServer
	monitorv1.UnimplementedSiteServiceServer
	coordinatorv1.UnimplementedAssignmentServiceServer
	verify func(context.Context, *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error)
	stream func(coordinatorv1.AssignmentService_StreamAssignmentsServer) error
}

func (s *service) Verify(ctx context.Context, r *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
	if s.verify == nil {
		return &veriflierv1.VerifyResponse{RequestId: r.GetRequestId()}, nil
	}
	return s.verify(ctx, r)
}

func (s *service) StreamAssignments(stream coordinatorv1.AssignmentService_StreamAssignmentsServer) error {
	return s.stream(stream)
}

func (s *service) CreateSite(_ context.Context, r *monitorv1.CreateSiteRequest) (*monitorv1.CreateSiteResponse, error) {
	return &monitorv1.CreateSiteResponse{Site: r.GetSite()}, nil
}

func (s *service) register(r grpc.ServiceRegistrar) {
	veriflierv1.RegisterVeriflierServiceServer(r, s)
	monitorv1.RegisterSiteServiceServer(r, s)
	coordinatorv1.RegisterAssignmentServiceServer(r, s)
}

// running is a server in memory with a client.
type running struct {
	*grpc.ClientConn
	server  *rpc.Server
	network *rpc.Memory
	stop    context.CancelFunc
	ended   func() error
}

const address = "server"

func run(t *testing.T, s *service, so rpc.ServerOptions, co rpc.ClientOptions) *running {
	t.Helper()
	n := rpc.NewMemory()
	co.Network = n
	return runOn(t, s, so, co, n)
}

func runOn(t *testing.T, s *service, so rpc.ServerOptions, co rpc.ClientOptions, n *rpc.Memory) *running {
	t.Helper()
	l, err := n.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := rpc.Dial(address, co)
	if err != nil {
		t.Fatal(err)
	}
	r := serve(t, s, so, l)
	r.ClientConn, r.network = conn, n
	t.Cleanup(func() { _ = conn.Close() })
	return r
}

func serve(t *testing.T, s *service, so rpc.ServerOptions, l net.Listener) *running {
	t.Helper()
	so.Name = "test"
	if so.Access == nil {
		so.Access = rpc.Open()
	}
	server, err := rpc.NewServer(so, s.register)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l) }()
	r := &running{server: server, stop: cancel, ended: sync.OnceValue(func() error { return <-served })}
	t.Cleanup(func() {
		cancel()
		if err := r.ended(); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return r
}

func (r *running) verify(ctx context.Context, opts ...grpc.CallOption) (*veriflierv1.VerifyResponse, error) {
	return (&caller{r.ClientConn}).verify(ctx, opts...)
}

// caller calls the service at the other end of a connection.
type caller struct{ grpc.ClientConnInterface }

func (c *caller) verify(ctx context.Context, opts ...grpc.CallOption) (*veriflierv1.VerifyResponse, error) {
	return veriflierv1.NewVeriflierServiceClient(c).Verify(ctx, question(), opts...)
}

func question() *veriflierv1.VerifyRequest {
	return &veriflierv1.VerifyRequest{RequestId: "q1", Target: &checkv1.Target{Url: "http://127.0.0.1/"}}
}

// lines collects a log.
type lines struct {
	mu   sync.Mutex
	text []byte
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, b...)
	return len(b), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
