package fakesite

import (
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"
)

// hold binds a port without listening: the kernel refuses connections, and no other process
// can have the port.
func hold(addr netip.AddrPort) (socket, error) {
	var to syscall.Sockaddr
	family := syscall.AF_INET
	if addr.Addr().Is4() {
		to = &syscall.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	} else {
		family = syscall.AF_INET6
		to = &syscall.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	syscall.CloseOnExec(fd)
	if err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err == nil {
		err = syscall.Bind(fd, to)
	}
	if err != nil {
		_ = syscall.Close(fd)
		return -1, os.NewSyscallError("bind", err)
	}
	return socket(fd), nil
}

// socket is a bare descriptor.
type socket int

// Close frees the port.
func (s socket) Close() error { return syscall.Close(int(s)) }

func (s socket) addr() (netip.AddrPort, error) {
	name, err := syscall.Getsockname(int(s))
	switch a := name.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)), err
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port)), err
	}
	return netip.AddrPort{}, err
}

// Unbound returns a loopback address that refuses connections until the test ends.
func Unbound(t testing.TB, at netip.AddrPort) netip.AddrPort {
	t.Helper()
	s, err := hold(at)
	if err != nil {
		t.Fatalf("fakesite: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	addr, err := s.addr()
	if err != nil {
		t.Fatalf("fakesite: %v", err)
	}
	return addr
}

// Blackhole returns a loopback address at which connection requests get no answer at all:
// it listens, but its queue is full.
func Blackhole(t testing.TB, at netip.AddrPort) netip.AddrPort {
	t.Helper()
	s, err := hold(at)
	if err != nil {
		t.Fatalf("fakesite: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	addr, err := s.addr()
	if err == nil {
		err = syscall.Listen(int(s), 0)
	}
	if err != nil {
		t.Fatalf("fakesite: %v", err)
	}
	// A queue of length 0 holds one connection. A request that got no answer before that was
	// only slow, as on a loaded machine.
	const enough = 40
	held := 0
	for range enough {
		c, err := net.DialTimeout("tcp", addr.String(), 50*time.Millisecond)
		switch {
		case err == nil:
			held++
			t.Cleanup(func() { _ = c.Close() })
		case held > 0:
			return addr
		}
	}
	t.Fatalf("fakesite: %v still takes connections", addr)
	return addr
}

// silent drops the HTTP server's log lines about broken connections, which are intended.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }
