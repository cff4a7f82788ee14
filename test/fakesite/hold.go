package fakesite

import (
	"errors"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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

// full reports whether the socket, which listens, has no room for another connection.
func (s socket) full() (bool, error) {
	info, err := unix.GetsockoptTCPInfo(int(s), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return false, os.NewSyscallError("getsockopt", err)
	}
	// Of a socket that listens, these two are the connections in its queue, and its length.
	return info.Unacked > info.Sacked, nil
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
	kept, err := s.fill(func() (net.Conn, error) {
		return net.DialTimeout("tcp", addr.String(), 50*time.Millisecond)
	})
	t.Cleanup(func() {
		for _, c := range kept {
			_ = c.Close()
		}
	})
	if err != nil {
		t.Fatalf("fakesite: %v: %v", addr, err)
	}
	return addr
}

// fill dials until the queue of the socket is full, and returns the connections that it made.
// It asks the kernel whether the queue is full. A dial that timed out proves nothing: on a loaded
// machine it is slow to hear of its success, and its place in the queue is taken.
func (s socket) fill(dial func() (net.Conn, error)) (kept []net.Conn, err error) {
	const enough = 40
	for range enough {
		switch full, err := s.full(); {
		case err != nil:
			return kept, err
		case full:
			return kept, nil
		}
		if c, err := dial(); err == nil {
			kept = append(kept, c)
		}
	}
	return kept, errors.New("still takes connections")
}

// silent drops the HTTP server's log lines about broken connections, which are intended.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }
