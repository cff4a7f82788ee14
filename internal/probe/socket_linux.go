package probe

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// socket is a TCP connection on the poller. One goroutine at a time uses it, and no
// operation goes to the kernel before the poller said that it can be done.
// As a net.Conn it blocks until its context ends; it has no deadlines of its own.
type socket struct {
	shard *shard
	slot  int32
	fd    int
	addr  netip.AddrPort
	// talk is what the shard's goroutine does with events by itself; nil only wakes.
	talk *talk
	ctx  context.Context
	// can holds what was told and not used up yet.
	can  atomic.Uint32
	wake chan struct{}

	in4 syscall.SockaddrInet4
	in6 syscall.SockaddrInet6
}

// open begins to connect. Errors are those of the kernel.
func (k *socket) open(p *poller, a netip.AddrPort) error {
	s, err := p.shard()
	if err != nil {
		return err
	}
	k.shard, k.addr, k.wake = s, a, make(chan struct{}, 1)
	family, to := syscall.AF_INET6, syscall.Sockaddr(&k.in6)
	if a.Addr().Is4() {
		family, to = syscall.AF_INET, &k.in4
		k.in4.Addr, k.in4.Port = a.Addr().As4(), int(a.Port())
	} else {
		k.in6.Addr, k.in6.Port = a.Addr().As16(), int(a.Port())
	}
	k.fd, err = syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	// The request goes out as soon as the connection is there, so let it carry the
	// acknowledgement of the peer's SYN: one packet less a check. A request that is late
	// costs nothing, as the kernel acknowledges by itself then.
	_ = syscall.SetsockoptInt(k.fd, syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 0)
	for {
		err = syscall.Connect(k.fd, to)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil && err != syscall.EINPROGRESS && err != syscall.EALREADY && err != syscall.EISCONN {
		_ = syscall.Close(k.fd)
		return os.NewSyscallError("connect", err)
	}
	if err := s.watch(k); err != nil {
		_ = syscall.Close(k.fd)
		return err
	}
	return nil
}

// bind makes the connection end with another context.
func (k *socket) bind(ctx context.Context) { k.ctx = ctx }

// notice is called by the shard's goroutine.
func (k *socket) notice(events uint32, scratch []byte) {
	if k.talk != nil {
		k.talk.advance(events, scratch)
		return
	}
	k.can.Or(events)
	k.rouse()
}

// rouse wakes the goroutine that waits, or that will.
func (k *socket) rouse() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// await blocks until one of the events was told, and uses it up; the end of the
// connection is never used up.
func (k *socket) await(event uint32) error {
	for {
		if k.can.Load()&(event|epollEnded) != 0 {
			k.can.And(^event)
			return nil
		}
		select {
		case <-k.wake:
		case <-k.ctx.Done():
			return k.ctx.Err()
		}
	}
}

// connected waits for the end of connecting.
func (k *socket) connected() error {
	if err := k.await(epollOut); err != nil {
		return err
	}
	return k.connectError(k.can.Load())
}

// connectError tells how connecting ended.
func (k *socket) connectError(events uint32) error {
	if events&epollError == 0 {
		return nil
	}
	code, err := syscall.GetsockoptInt(k.fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	switch {
	case err != nil:
		return os.NewSyscallError("getsockopt", err)
	case code != 0:
		return os.NewSyscallError("connect", syscall.Errno(code))
	}
	return nil
}

// Read implements [net.Conn].
func (k *socket) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		if err := k.await(epollIn); err != nil {
			return 0, err
		}
		n, err := receive(k.fd, b)
		if n == len(b) {
			k.can.Or(epollIn) // there may be more, of which no event will tell
		}
		if err != syscall.EAGAIN {
			return n, err
		}
	}
}

// Write implements [net.Conn].
func (k *socket) Write(b []byte) (int, error) {
	sent := 0
	for sent < len(b) {
		n, err := send(k.fd, b[sent:])
		switch {
		case err == syscall.EAGAIN:
			if err := k.await(epollOut); err != nil {
				return sent, err
			}
		case err != nil:
			return sent, err
		}
		sent += n
	}
	return sent, nil
}

// Close implements [net.Conn]. It must be called once.
func (k *socket) Close() error {
	k.shard.forget(k, false)
	return os.NewSyscallError("close", syscall.Close(k.fd))
}

// RemoteAddr implements [net.Conn].
func (k *socket) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(k.addr) }

// LocalAddr implements [net.Conn]; nobody asks the kernel for it.
func (k *socket) LocalAddr() net.Addr { return &net.TCPAddr{} }

// SetDeadline implements [net.Conn]: the context is the deadline.
func (k *socket) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements [net.Conn]: the context is the deadline.
func (k *socket) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements [net.Conn]: the context is the deadline.
func (k *socket) SetWriteDeadline(time.Time) error { return nil }

// receive reads what is there: EAGAIN is nothing, io.EOF the end. n is never negative.
func receive(fd int, b []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, b)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return 0, syscall.EAGAIN
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// send writes as much as fits: EAGAIN is nothing.
func send(fd int, b []byte) (int, error) {
	for {
		n, err := syscall.Write(fd, b)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return 0, syscall.EAGAIN
		case err != nil:
			return 0, os.NewSyscallError("write", err)
		}
		return n, nil
	}
}
