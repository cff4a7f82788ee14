package rpc

import (
	"context"
	"fmt"
	"net"
	"sync"
	"syscall"
)

// Network is a network on which servers listen and clients dial.
type Network interface {
	// Listen listens on addr.
	Listen(addr string) (net.Listener, error)
	// DialContext connects to addr, until ctx ends.
	DialContext(ctx context.Context, addr string) (net.Conn, error)
}

// TCP returns the real network. Addresses are HOST:PORT.
func TCP() Network { return tcp{} }

type tcp struct{}

func (tcp) Listen(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

func (tcp) DialContext(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr)
}

// connBufferBytes is how much one direction of an in-memory connection buffers before
// its writer waits.
const connBufferBytes = 64 << 10

// Memory is a network inside this process. Any string is an address, connections are
// buffered, and deadlines work. NewMemory makes one; the zero value is not usable.
type Memory struct {
	mu        sync.Mutex
	listeners map[string]*memoryListener
}

// NewMemory makes a network without listeners.
func NewMemory() *Memory {
	return &Memory{listeners: make(map[string]*memoryListener)}
}

// Listen listens on addr until the listener is closed. It returns EADDRINUSE when addr has
// a listener.
func (m *Memory) Listen(addr string) (net.Listener, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listeners[addr] != nil {
		return nil, &net.OpError{Op: "listen", Net: memoryName, Addr: memoryAddr(addr), Err: syscall.EADDRINUSE}
	}
	l := &memoryListener{
		network: m, addr: memoryAddr(addr), dialled: make(chan net.Conn), closed: make(chan struct{}),
	}
	m.listeners[addr] = l
	return l, nil
}

// DialContext connects to the listener on addr. It returns ECONNREFUSED when there is none.
func (m *Memory) DialContext(ctx context.Context, addr string) (net.Conn, error) {
	m.mu.Lock()
	l := m.listeners[addr]
	m.mu.Unlock()
	if l == nil {
		return nil, &net.OpError{Op: "dial", Net: memoryName, Addr: memoryAddr(addr), Err: syscall.ECONNREFUSED}
	}
	client, server := newPipe(memoryAddr("client"), l.addr)
	select {
	case l.dialled <- server:
		return client, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: memoryName, Addr: memoryAddr(addr), Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, fmt.Errorf("dial %s in memory: %w", addr, ctx.Err())
	}
}

func (m *Memory) forget(l *memoryListener) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listeners[string(l.addr)] == l {
		delete(m.listeners, string(l.addr))
	}
}

type memoryListener struct {
	network *Memory
	addr    memoryAddr
	dialled chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

// Accept returns net.ErrClosed after Close, as TCP does.
func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.dialled:
		return c, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "accept", Net: memoryName, Addr: l.addr, Err: net.ErrClosed}
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() {
		l.network.forget(l)
		close(l.closed)
	})
	return nil
}

func (l *memoryListener) Addr() net.Addr { return l.addr }

const memoryName = "memory"

type memoryAddr string

func (memoryAddr) Network() string  { return memoryName }
func (a memoryAddr) String() string { return string(a) }
