package fakesite

import (
	"io"
	"log"
	"net/netip"
	"os"
	"syscall"
)

// hold binds a port without listening: connections are refused, and nobody else gets it.
func hold(addr netip.AddrPort) (io.Closer, error) {
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
		return nil, os.NewSyscallError("socket", err)
	}
	syscall.CloseOnExec(fd)
	if err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err == nil {
		err = syscall.Bind(fd, to)
	}
	if err != nil {
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	return socket(fd), nil
}

type socket int

func (s socket) Close() error { return syscall.Close(int(s)) }

// silent drops what the HTTP server says about broken connections: they are wanted.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }
