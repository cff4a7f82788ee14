package rpc_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

// answering is a service that counts its calls.
func answering(n *atomic.Int64) *service {
	return &service{verify: func(_ context.Context, r *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
		n.Add(1)
		return &veriflierv1.VerifyResponse{RequestId: r.GetRequestId()}, nil
	}}
}

// unless is a readiness: the server is ready unless ill is set.
func unless(ill *atomic.Bool) func() error {
	return func() error {
		if ill.Load() {
			return errors.New("it is ill")
		}
		return nil
	}
}

func listenOn(t *testing.T, n rpc.Network, addr string) net.Listener {
	t.Helper()
	l, err := n.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestCallsGoRoundTheHealthyServers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := rpc.NewMemory()
		var a, b atomic.Int64
		var ill atomic.Bool
		ra := serve(t, answering(&a), rpc.ServerOptions{Ready: unless(&ill)}, listenOn(t, n, "a"))
		rb := serve(t, answering(&b), rpc.ServerOptions{Access: onlyFor("coordinator", secret)}, listenOn(t, n, "b"))
		conn, err := rpc.DialAny([]string{"a", "b", "nobody"}, rpc.ClientOptions{Network: n, Token: secret})
		if err != nil {
			t.Fatal(err)
		}
		client := &caller{conn}
		// ask makes ten calls and returns how many each server answered.
		ask := func() (int64, int64) {
			t.Helper()
			time.Sleep(10 * time.Second) // what has changed is seen by then
			a.Store(0)
			b.Store(0)
			for range 10 {
				if _, err := client.verify(context.Background()); err != nil {
					t.Error(err)
				}
			}
			return a.Load(), b.Load()
		}
		if _, err := client.verify(deadlineIn(t, time.Minute)); err != nil {
			t.Errorf("the first call: %v", err)
		}
		if a, b := ask(); a != 5 || b != 5 {
			t.Errorf("of two servers one answered %d calls, the other %d", a, b)
		}
		ill.Store(true)
		if a, b := ask(); a != 0 || b != 10 {
			t.Errorf("one that is not ready answered %d calls, the other %d", a, b)
		}
		ill.Store(false)
		if a, b := ask(); a != 5 || b != 5 {
			t.Errorf("ready again it answered %d calls, the other %d", a, b)
		}
		began := time.Now()
		rb.stop()
		if err := rb.ended(); err != nil || time.Since(began) > time.Second {
			t.Errorf("a server's end took %v, %v: its health is being watched", time.Since(began), err)
		}
		if a, b := ask(); a != 10 || b != 0 {
			t.Errorf("one that is left answered %d calls, the one that is gone %d", a, b)
		}
		ill.Store(true)
		if a, b := ask(); a != 10 || b != 0 || !conn.Connected() {
			t.Errorf("while none serves, the one that is there answered %d calls, the one that is gone %d", a, b)
		}
		ill.Store(false)
		if a, b := ask(); a != 10 || b != 0 {
			t.Errorf("serving again it answered %d calls, the one that is gone %d", a, b)
		}
		ra.stop()
		if err := ra.ended(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if _, err := client.verify(context.Background()); status.Code(err) != codes.Unavailable || conn.Connected() {
			t.Errorf("none is there: %v", err)
		}
		_ = conn.Close()
	})
}

func TestALoneServerIsAskedWhateverItsHealth(t *testing.T) {
	t.Parallel()
	n := rpc.NewMemory()
	var a atomic.Int64
	serve(t, answering(&a), rpc.ServerOptions{Ready: func() error { return errors.New("ill") }}, listenOn(t, n, "a"))
	conn, err := rpc.DialAny([]string{"a"}, rpc.ClientOptions{Network: n})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := (&caller{conn}).verify(deadlineIn(t, 10*time.Second)); err != nil {
		t.Error(err)
	}
}

func TestNamesAreLookedUp(t *testing.T) {
	t.Parallel()
	var a atomic.Int64
	l, err := rpc.TCP().Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, answering(&a), rpc.ServerOptions{}, l)
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, addrs := range [][]string{
		{"dns:///localhost:" + port}, {"localhost:" + port}, {"127.0.0.1:" + port}, {"localhost:" + port, "127.0.0.1:" + port},
	} {
		conn, err := rpc.DialAny(addrs, rpc.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&caller{conn}).verify(deadlineIn(t, 10*time.Second), grpc.WaitForReady(true))
		if err != nil {
			t.Errorf("%v: %v", addrs, err)
		}
		_ = conn.Close()
	}
	if a.Load() != 4 {
		t.Errorf("%d calls were answered", a.Load())
	}
}

func TestEachOfAListMustShowACertificateOfItsOwnName(t *testing.T) {
	t.Parallel()
	n := rpc.NewMemory()
	var got [2]string
	seen := make(chan struct{}, 2)
	for i, addr := range []string{"one.example:1", "two.example:2"} {
		l := listenOn(t, n, addr)
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			_ = tls.Server(c, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				got[i] = h.ServerName
				seen <- struct{}{}
				return nil, net.ErrClosed
			}}).HandshakeContext(context.Background())
		}()
	}
	conn, err := rpc.DialAny([]string{"one.example:1", "two.example:2"}, rpc.ClientOptions{Network: n, TLS: &tls.Config{MinVersion: tls.VersionTLS12}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := (&caller{conn}).verify(deadlineIn(t, 10*time.Second)); err == nil {
		t.Error("a call without a certificate succeeds")
	}
	<-seen
	<-seen
	if got != [2]string{"one.example", "two.example"} {
		t.Errorf("asked for %q", got)
	}
}

func TestDialAnyNeedsAddresses(t *testing.T) {
	t.Parallel()
	for _, addrs := range [][]string{nil, {""}, {"a:1", ""}, {"a:1", "dns:///b:1"}} {
		if _, err := rpc.DialAny(addrs, rpc.ClientOptions{}); err == nil {
			t.Errorf("%q is dialled", addrs)
		}
	}
}
