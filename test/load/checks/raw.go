//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// serveRaw answers with an epoll loop without Go's network package, so that the target
// costs little more than the kernel.
func serveRaw(l net.Listener) error {
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return fmt.Errorf("take the listener: %w", err)
	}
	_ = l.Close()
	listener := int(f.Fd())
	if err := syscall.SetNonblock(listener, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	add := func(fd int) {
		_ = syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
	}
	add(listener)
	go func() {
		defer runtime.KeepAlive(f)
		events, buf, reply := make([]syscall.EpollEvent, 128), make([]byte, 4096), []byte(answer)
		for {
			n, err := syscall.EpollWait(ep, events, -1)
			if err != nil && !errors.Is(err, syscall.EINTR) {
				return
			}
			for _, e := range events[:max(n, 0)] {
				if int(e.Fd) != listener {
					if n, err := syscall.Read(int(e.Fd), buf); err == nil && n > 0 {
						_, _ = syscall.Write(int(e.Fd), reply)
					}
					_ = syscall.Close(int(e.Fd))
					continue
				}
				for {
					fd, _, err := syscall.Accept4(listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
					if err != nil {
						break
					}
					add(fd)
				}
			}
		}
	}()
	return nil
}

// bareLoop is the reference: the same request by a bare epoll loop on one thread, which
// reads only the first bytes. It has no time-outs, no policy and no evidence.
func bareLoop(urls []string, count, inFlight int) (failed int, err error) {
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return 0, os.NewSyscallError("epoll_create1", err)
	}
	defer syscall.Close(ep)
	to, err := socketAddresses(urls)
	if err != nil {
		return 0, err
	}
	request := []byte("HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: x\r\nConnection: close\r\n\r\n")
	sent := make(map[int32]bool, inFlight)
	begun, done := 0, 0
	begin := func() {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
		if err == nil {
			err = syscall.Connect(fd, to[begun%len(to)])
		}
		begun++
		if err != nil && !errors.Is(err, syscall.EINPROGRESS) {
			failed++
			done++
			return
		}
		sent[int32(fd)] = false
		const all = syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | 1<<31
		_ = syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: all, Fd: int32(fd)})
	}
	for range min(inFlight, count) {
		begin()
	}
	events, buf := make([]syscall.EpollEvent, 256), make([]byte, 4096)
	for done < count {
		n, err := syscall.EpollWait(ep, events, 5000)
		if n == 0 {
			return failed + count - done, nil
		}
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return failed, os.NewSyscallError("epoll_wait", err)
		}
		for _, e := range events[:max(n, 0)] {
			if !sent[e.Fd] && e.Events&syscall.EPOLLOUT != 0 {
				sent[e.Fd] = true
				_, _ = syscall.Write(int(e.Fd), request)
			}
			if e.Events&syscall.EPOLLIN == 0 {
				continue
			}
			if n, err := syscall.Read(int(e.Fd), buf); err != nil || !strings.HasPrefix(string(buf[:max(n, 0)]), "HTTP/1.1 200") {
				failed++
			}
			_ = syscall.Close(int(e.Fd))
			done++
			if begun < count {
				begin()
			}
		}
	}
	return failed, nil
}

// socketAddresses returns the socket addresses of plain URLs with literal IPv4 addresses and
// ports.
func socketAddresses(urls []string) (to []syscall.Sockaddr, err error) {
	for _, u := range urls {
		parsed, err := url.Parse(u)
		if err != nil {
			return nil, fmt.Errorf("read target: %w", err)
		}
		a, err := netip.ParseAddrPort(parsed.Host)
		if err != nil {
			return nil, fmt.Errorf("read target: %w", err)
		}
		to = append(to, &syscall.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())})
	}
	return to, nil
}
