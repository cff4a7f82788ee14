package tracing_test

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/Automattic/jetmon/internal/traceid"
	"github.com/Automattic/jetmon/internal/tracing"
	"github.com/Automattic/jetmon/test/otlp"
)

// A gateway on the way that forgets a connection says nothing: without a bound the kernel repeats what
// was sent for a quarter of an hour, and all spans of that time would be lost.
func TestAConnectionThatIsLostOnTheWayIsGivenUpInTime(t *testing.T) {
	t.Parallel()
	c := otlp.New(t)
	x := open(t, tracing.Options{Endpoint: c.Endpoint(), Traces: true, Metrics: true})
	x.Spans().Record(t.Context(), tracing.Span{Name: "x", Self: traceid.OfCheck(1, 1, 1), Start: time.Now(), End: time.Now()})
	_, text, err := net.SplitHostPort(strings.TrimPrefix(c.Endpoint(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); len(c.Spans()) == 0; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("no span came")
		}
	}
	bounds := boundsTo(t, port)
	if len(bounds) == 0 {
		t.Error("there is no connection to the collector")
	}
	for _, ms := range bounds {
		if ms < 1000 || ms > 60_000 {
			t.Errorf("what is sent may stay without an answer for %d ms", ms)
		}
	}
	if err := x.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// boundsTo returns TCP_USER_TIMEOUT, in ms, of each of our connections to a port of this machine.
func boundsTo(t *testing.T, port int) (bounds []int) {
	t.Helper()
	for fd := range 1024 {
		peer, err := unix.Getpeername(fd)
		if err != nil {
			continue // it is no connection
		}
		if to, ok := peer.(*unix.SockaddrInet4); !ok || to.Port != port {
			continue
		}
		ms, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
		if err != nil {
			t.Fatal(err)
		}
		bounds = append(bounds, ms)
	}
	return bounds
}
