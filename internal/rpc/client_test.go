package rpc_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/internal/rpc"
)

func TestAServerThatIsAwayIsUnavailableAtOnceAndFoundWhenItComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := rpc.NewMemory()
		conn, err := rpc.Dial(address, rpc.ClientOptions{Network: n})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		away := &running{ClientConn: conn}
		start := time.Now()
		if _, err := away.verify(context.Background()); status.Code(err) != codes.Unavailable {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("noticing took %v", took)
		}
		// However long it was away, the client reconnects within the longest back-off.
		_, err = away.verify(deadlineIn(t, time.Minute), grpc.WaitForReady(true))
		if status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("waiting for it: %v", err)
		}
		l, err := n.Listen(address)
		if err != nil {
			t.Fatal(err)
		}
		r := serve(t, &service{}, rpc.ServerOptions{}, l)
		r.ClientConn = conn
		start = time.Now()
		if _, err := r.verify(deadlineIn(t, time.Minute), grpc.WaitForReady(true)); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > 6*time.Second {
			t.Errorf("finding it took %v", took)
		}
		_ = conn.Close()
		r.stop()
		if err := r.ended(); err != nil {
			t.Error(err)
		}
	})
}

func TestACallToAHostThatDoesNotAnswerEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := rpc.NewMemory()
		l, err := n.Listen(address) // and nobody accepts
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		conn, err := rpc.Dial(address, rpc.ClientOptions{Network: n})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		start := time.Now()
		_, err = (&running{ClientConn: conn}).verify(context.Background())
		if c := status.Code(err); c != codes.Unavailable {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > 6*time.Second {
			t.Errorf("giving up took %v", took)
		}
	})
}

func TestAnIdleConnectionAndAQuietStreamStayOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newSlow(true)
		r := run(t, &service{verify: h.verify}, rpc.ServerOptions{}, rpc.ClientOptions{})
		answered := make(chan error, 1)
		go func() {
			_, err := r.verify(deadlineIn(t, 20*time.Minute))
			answered <- err
		}()
		<-h.begun
		// Both sides ping, and the server tolerates the client's pings.
		time.Sleep(10 * time.Minute)
		close(h.end)
		if err := <-answered; err != nil {
			t.Error(err)
		}
		_ = r.Close()
		r.stop()
		if err := r.ended(); err != nil {
			t.Error(err)
		}
	})
}

func TestDialNeedsAnAddress(t *testing.T) {
	t.Parallel()
	if _, err := rpc.Dial("", rpc.ClientOptions{}); err == nil {
		t.Error("dialled nowhere")
	}
}

func deadlineIn(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}
