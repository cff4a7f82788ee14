package veriflier_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/veriflier"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// prober is a fake whose function determines what sites do. It counts its calls.
type prober struct {
	answer func(context.Context, check.Target) check.Observation

	mu      sync.Mutex
	targets []check.Target
	running int
	ended   int
}

func (p *prober) Probe(ctx context.Context, t check.Target) check.Observation {
	p.mu.Lock()
	p.targets = append(p.targets, t)
	p.running++
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.running--
		p.ended++
		p.mu.Unlock()
	}()
	return p.answer(ctx, t)
}

func (p *prober) asked() []check.Target {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]check.Target(nil), p.targets...)
}

func (p *prober) now() (running, ended int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running, p.ended
}

func up(context.Context, check.Target) check.Observation {
	return check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 200, Phase: check.PhaseDone}
}

// takes is a site that answers after d, if the check lasts that long.
func takes(d time.Duration) func(context.Context, check.Target) check.Observation {
	return func(ctx context.Context, t check.Target) check.Observation {
		timeout := time.NewTimer(min(d, t.Timeout))
		defer timeout.Stop()
		select {
		case <-timeout.C:
		case <-ctx.Done():
		}
		if ctx.Err() != nil || t.Timeout <= d {
			return check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureTimeout, Reason: "no_answer"}
		}
		return up(ctx, t)
	}
}

// role is a running veriflier and a client of it.
type role struct {
	veriflierv1.VeriflierServiceClient
	*veriflier.Veriflier
	conn   *grpc.ClientConn
	prober *prober
	stop   context.CancelFunc
	ended  chan struct{} // closed when Run has returned
}

// start runs a veriflier on network, in memory unless the test says otherwise.
func start(t *testing.T, p *prober, adapt func(*veriflier.Options), network rpc.Network, addr string) *role {
	t.Helper()
	l, err := network.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	o := veriflier.Options{Name: "fra-1", Region: "eu", Listeners: []net.Listener{l}, Prober: p, Server: rpc.ServerOptions{Access: rpc.Open()}}
	if adapt != nil {
		adapt(&o)
	}
	v, err := veriflier.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &role{Veriflier: v, prober: p, stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		if err := v.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	conn, err := rpc.Dial(l.Addr().String(), rpc.ClientOptions{Network: network})
	if err != nil {
		t.Fatal(err)
	}
	r.conn = conn
	r.VeriflierServiceClient = veriflierv1.NewVeriflierServiceClient(conn)
	t.Cleanup(func() {
		_ = conn.Close()
		stop()
		<-r.ended
	})
	return r
}

func inMemory(t *testing.T, p *prober, adapt func(*veriflier.Options)) *role {
	t.Helper()
	return start(t, p, adapt, rpc.NewMemory(), "veriflier")
}

func request(id string) *veriflierv1.VerifyRequest {
	return &veriflierv1.VerifyRequest{RequestId: id, Target: &checkv1.Target{Url: "https://example.com/"}}
}

// answered is the result of a call in the background.
type answered struct {
	*veriflierv1.VerifyResponse
	err error
}

func (r *role) background(ctx context.Context, req *veriflierv1.VerifyRequest) <-chan answered {
	c := make(chan answered, 1)
	go func() {
		a, err := r.Verify(ctx, req)
		c <- answered{a, err}
	}()
	return c
}

func wantCode(t *testing.T, err error, code codes.Code) {
	t.Helper()
	if got := status.Code(err); got != code {
		t.Errorf("code is %v (%v), want %v", got, err, code)
	}
}
