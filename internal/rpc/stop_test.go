package rpc_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

// slow is a handler that reports its start and ends on command.
type slow struct {
	begun, end   chan struct{}
	heedsContext bool
}

func newSlow(heedsContext bool) *slow {
	return &slow{begun: make(chan struct{}), end: make(chan struct{}), heedsContext: heedsContext}
}

func (s *slow) verify(ctx context.Context, _ *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
	close(s.begun)
	gone := ctx.Done()
	if !s.heedsContext {
		gone = nil
	}
	select {
	case <-s.end:
		return &veriflierv1.VerifyResponse{}, nil
	case <-gone:
		return nil, ctx.Err()
	}
}

func TestStoppingWaitsForRunningCallsAndNotForever(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		endAfter time.Duration // 0: never by itself
		heeds    bool
		took     time.Duration
		code     codes.Code
	}{
		"a call that ends in time is answered":      {3 * time.Second, true, 3 * time.Second, codes.OK},
		"a call that goes on is cut":                {0, true, 8 * time.Second, codes.Unavailable},
		"a handler that heeds nothing is left":      {0, false, 9 * time.Second, codes.Unavailable},
		"one that ends after the cut is waited for": {8500 * time.Millisecond, false, 8500 * time.Millisecond, codes.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newSlow(c.heeds)
				r := run(t, &service{verify: h.verify}, rpc.ServerOptions{}, rpc.ClientOptions{})
				answered := make(chan error, 1)
				go func() {
					_, err := r.verify(context.Background())
					answered <- err
				}()
				<-h.begun
				start := time.Now()
				r.stop()
				if c.endAfter > 0 {
					time.AfterFunc(c.endAfter, func() { close(h.end) })
				}
				if err := r.ended(); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took != c.took {
					t.Errorf("stopping took %v, want %v", took, c.took)
				}
				if err := <-answered; status.Code(err) != c.code {
					t.Errorf("the call ended with %v, want %v", err, c.code)
				}
				if c.endAfter == 0 {
					close(h.end)
				}
				_ = r.Close()
				synctest.Wait()
			})
		})
	}
}

func TestAServerThatCannotServeSaysWhere(t *testing.T) {
	t.Parallel()
	server, err := rpc.NewServer(rpc.ServerOptions{Name: "veriflier", Access: rpc.Open()}, (&service{}).register)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	good, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	err = server.Serve(t.Context(), good, l)
	if err == nil || !strings.Contains(err.Error(), "veriflier on "+l.Addr().String()) {
		t.Errorf("serving on a closed listener: %v", err)
	}
	if _, err := good.Accept(); err == nil {
		t.Error("the other listener is still open")
	}
	none, err := rpc.NewServer(rpc.ServerOptions{Access: rpc.Open()}, (&service{}).register)
	if err != nil {
		t.Fatal(err)
	}
	if err := none.Serve(t.Context()); err == nil {
		t.Error("serving on no listener is no error")
	}
}
