package rpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/rpc"
)

// networks returns both kinds, each with a free address.
func networks() map[string]func() (rpc.Network, string) {
	return map[string]func() (rpc.Network, string){
		"over TCP":  func() (rpc.Network, string) { return rpc.TCP(), "127.0.0.1:0" },
		"in memory": func() (rpc.Network, string) { return rpc.NewMemory(), "any words" },
	}
}

func TestANetworkCarriesBytesBothWaysUntilClosed(t *testing.T) {
	t.Parallel()
	for name, open := range networks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server := pair(t, open)
			if _, err := client.Write([]byte("ping")); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 4)
			if _, err := io.ReadFull(server, buf); err != nil || string(buf) != "ping" {
				t.Fatalf("read %q, %v", buf, err)
			}
			if _, err := server.Write([]byte("pong")); err != nil {
				t.Fatal(err)
			}
			_ = server.Close()
			if got, err := io.ReadAll(client); err != nil || string(got) != "pong" {
				t.Fatalf("what was written before Close is lost: %q, %v", got, err)
			}
		})
	}
}

func TestDeadlinesOfConnectionsWork(t *testing.T) {
	t.Parallel()
	for name, open := range networks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := pair(t, open)
			if err := client.SetDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			_, err := client.Read(make([]byte, 1))
			if e, ok := errors.AsType[net.Error](err); !ok || !e.Timeout() {
				t.Errorf("read past the deadline: %v", err)
			}
			for err = nil; err == nil; { // until the buffers are full
				_, err = client.Write(make([]byte, 64<<10))
			}
			if e, ok := errors.AsType[net.Error](err); !ok || !e.Timeout() {
				t.Errorf("write past the deadline: %v", err)
			}
		})
	}
}

func TestAnAddressHasOneListenerAtATime(t *testing.T) {
	t.Parallel()
	for name, open := range networks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, addr := open()
			first, err := n.Listen(addr)
			if err != nil {
				t.Fatal(err)
			}
			addr = first.Addr().String()
			if _, err := n.Listen(addr); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("second listener: %v", err)
			}
			_ = first.Close()
			if _, err := first.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("accept after close: %v", err)
			}
			if _, err := n.DialContext(t.Context(), addr); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("dial after close: %v", err)
			}
			second, err := n.Listen(addr)
			if err != nil {
				t.Fatalf("listen again: %v", err)
			}
			_ = first.Close() // closing twice must not take the address from its new owner
			if _, err := n.Listen(addr); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("third listener: %v", err)
			}
			_ = second.Close()
		})
	}
}

func TestDialingInMemoryGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	m := rpc.NewMemory()
	l, err := m.Listen("x")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.DialContext(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("dial a listener that never accepts: %v", err)
	}
}

func pair(t *testing.T, open func() (rpc.Network, string)) (client, server net.Conn) {
	t.Helper()
	n, addr := open()
	l, err := n.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	client, err = n.DialContext(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server = <-accepted
	t.Cleanup(func() { _ = client.Close(); _ = server.Close() })
	return client, server
}

// TestADeadlineThatWasTakenBackIsGone covers net/http, which aborts a read with a deadline in
// the past and then clears the deadline: the abort must not happen again later.
func TestADeadlineThatWasTakenBackIsGone(t *testing.T) {
	t.Parallel()
	for name, open := range networks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server := pair(t, open)
			buf := make([]byte, 1)
			for i := range 20_000 {
				if err := client.SetReadDeadline(time.Unix(1, 0)); err != nil {
					t.Fatal(err)
				}
				for range i % 50 { // the deadline takes effect now or a little later
					runtime.Gosched()
				}
				if err := client.SetReadDeadline(time.Time{}); err != nil {
					t.Fatal(err)
				}
				if _, err := server.Write([]byte{byte(i)}); err != nil {
					t.Fatal(err)
				}
				if _, err := client.Read(buf); err != nil || buf[0] != byte(i) {
					t.Fatalf("round %d: read %v, %v", i, buf, err)
				}
			}
		})
	}
}
