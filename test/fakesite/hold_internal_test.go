package fakesite

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
)

// A dial that succeeds too late to be told so has filled the queue all the same.
func TestAQueueIsFullWhoeverHeardOfIt(t *testing.T) {
	s, err := hold(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	addr, err := s.addr()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(int(s), 0); err != nil {
		t.Fatal(err)
	}
	dials := 0
	_, err = s.fill(func() (net.Conn, error) {
		dials++
		if c, err := net.Dial("tcp", addr.String()); err == nil {
			defer func() { _ = c.Close() }()
		}
		return nil, os.ErrDeadlineExceeded
	})
	if err != nil || dials != 1 {
		t.Errorf("after %d dials: %v, want that one was enough", dials, err)
	}
}
