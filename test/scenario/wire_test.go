package scenario

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// wire carries TCP connections from its own address to another one. A cut wire carries nothing
// and closes nothing, like a network with a pulled cable. When it is healed, everything under
// way arrives, including the end of a connection.
type wire struct {
	listener net.Listener
	work     sync.WaitGroup

	mu    sync.Mutex
	to    string
	delay time.Duration
	whole chan struct{} // closed while the wire is not cut
	fuse  []byte        // what cuts it when it comes by; empty for nothing
	burnt bool          // it came by
	over  chan struct{}
	conns map[net.Conn]struct{}
}

// newWire lays a wire to an address, which lead may also set later.
func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l, to: to, whole: make(chan struct{}), over: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	close(w.whole)
	w.work.Go(w.accept)
	t.Cleanup(w.close)
	return w
}

func (w *wire) address() string { return w.listener.Addr().String() }

// lead sets the destination of the wire.
func (w *wire) lead(to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = to
}

// cut blocks the wire until heal.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.whole:
		w.whole = make(chan struct{})
	default: // it is cut already
	}
}

// cutAt cuts the wire once it has carried the given text.
func (w *wire) cutAt(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fuse, w.burnt = []byte(text), false
}

// wasCut reports whether cutAt's text has passed.
func (w *wire) wasCut() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.burnt
}

// carried looks for cutAt's text.
func (w *wire) carried(data []byte) {
	w.mu.Lock()
	found := len(w.fuse) > 0 && bytes.Contains(data, w.fuse)
	if found {
		w.fuse, w.burnt = nil, true
	}
	w.mu.Unlock()
	if found {
		w.cut()
	}
}

func (w *wire) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.whole:
	default:
		close(w.whole)
	}
}

// slow delays each piece of data, in both directions.
func (w *wire) slow(delay time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delay = delay
}

// pass waits until the wire lets data through; false if the wire has ended.
func (w *wire) pass() bool {
	w.mu.Lock()
	whole, delay := w.whole, w.delay
	w.mu.Unlock()
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-w.over:
			return false
		}
	}
	select {
	case <-whole:
		return true
	case <-w.over:
		return false
	}
}

func (w *wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		if w.keep(near) {
			w.work.Go(func() { w.carry(near) })
		}
	}
}

// carry serves one connection.
func (w *wire) carry(near net.Conn) {
	defer w.drop(near)
	if !w.pass() {
		return
	}
	w.mu.Lock()
	to := w.to
	w.mu.Unlock()
	far, err := net.Dial("tcp", to)
	if err != nil || !w.keep(far) {
		return
	}
	defer w.drop(far)
	var both sync.WaitGroup
	both.Go(func() { w.pump(far, near) })
	both.Go(func() { w.pump(near, far) })
	both.Wait()
}

// pump moves data one way, and then its end.
func (w *wire) pump(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if !w.pass() {
			return
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				_ = from.Close()
				return
			}
			w.carried(buffer[:n])
		}
		if err == nil {
			continue
		}
		if tcp, ok := to.(*net.TCPConn); ok && errors.Is(err, io.EOF) {
			_ = tcp.CloseWrite()
			return
		}
		_ = to.Close() // it was reset
		return
	}
}

func (w *wire) keep(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.over:
		_ = c.Close()
		return false
	default:
		w.conns[c] = struct{}{}
		return true
	}
}

func (w *wire) drop(c net.Conn) {
	_ = c.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
}

func (w *wire) close() {
	_ = w.listener.Close()
	w.mu.Lock()
	close(w.over)
	for c := range w.conns {
		_ = c.Close()
	}
	w.mu.Unlock()
	w.work.Wait()
}
