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

// socket is a TCP connection that a poller watches. One goroutine at a time uses it, and
// it calls the kernel only after the poller has reported the socket ready.
// As a net.Conn it blocks until its context ends; it has no deadlines of its own.
type socket struct {
	poller *poller
	slot   int32
	fd     int
	addr   netip.AddrPort
	// exchange handles the events in the poller's goroutine; when it is nil, an event only
	// wakes the goroutine that waits.
	exchange *exchange
	// answer takes the events while it is not nil.
	answer atomic.Pointer[answer]
	ctx    context.Context
	// can holds the events that were reported and not consumed yet.
	can  atomic.Uint32
	wake chan struct{}

	in4 syscall.SockaddrInet4
	in6 syscall.SockaddrInet6
}

// open starts to connect. Its errors are those of the kernel.
func (k *socket) open(p *pollers, a netip.AddrPort) error {
	s, err := p.next()
	if err != nil {
		return err
	}
	k.poller, k.addr, k.wake = s, a, make(chan struct{}, 1)
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
	// The request goes out as soon as the connection exists, so let it carry the
	// acknowledgement of the peer's SYN: one packet less per check. If the request is late,
	// the kernel acknowledges by itself, so nothing is lost.
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

// notice handles events in the poller's goroutine.
func (k *socket) notice(events uint32, scratch []byte) {
	if k.exchange != nil {
		k.exchange.advance(events, scratch)
		return
	}
	k.can.Or(events)
	if a := k.answer.Load(); a != nil {
		a.advance(scratch)
		return
	}
	k.rouse()
}

// follow implements [watched]. When an answer ends there may be more data behind its head, for
// which no event will come.
func (k *socket) follow(a *answer) {
	k.answer.Store(a)
	if a == nil {
		k.can.Or(epollIn)
	}
}

// readNow implements [watched].
func (k *socket) readNow(b []byte) (int, error) {
	if k.can.Load()&(epollIn|epollEnded) == 0 {
		return 0, errNotYet
	}
	k.can.And(^uint32(epollIn))
	n, err := receive(k.fd, b)
	if n == len(b) {
		k.can.Or(epollIn)
	}
	if err == syscall.EAGAIN {
		return 0, errNotYet
	}
	return n, err
}

// roused implements [watched].
func (k *socket) roused() <-chan struct{} { return k.wake }

// rouse wakes the goroutine that waits now, or the next one that does.
func (k *socket) rouse() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// await blocks until the event was reported, and consumes it. It also returns when the
// connection has ended, which is never consumed.
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

// connected waits until connecting has succeeded or failed.
func (k *socket) connected() error {
	if err := k.await(epollOut); err != nil {
		return err
	}
	return k.connectError(k.can.Load())
}

// connectError returns why connecting failed, or nil if it succeeded.
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
			k.can.Or(epollIn) // there may be more data, for which no event will come
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
	k.poller.forget(k, false)
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

// receive reads what has arrived. It returns EAGAIN when there is nothing and io.EOF at
// the end; n is never negative.
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

// send writes as much as fits, and returns EAGAIN when nothing does.
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
