package rpc

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// newPipe makes a connection inside this process and returns both ends. Both directions
// are buffered.
func newPipe(a, b net.Addr) (net.Conn, net.Conn) {
	ab, ba := newFlow(), newFlow()
	return &pipeEnd{in: ba, out: ab, local: a, remote: b}, &pipeEnd{in: ab, out: ba, local: b, remote: a}
}

// flow is one direction of a connection.
type flow struct {
	mu   sync.Mutex
	wake sync.Cond // anything changed
	buf  []byte
	// noMore is true after the writer has closed, noReader after the reader has.
	noMore, noReader bool
	read, write      deadline
}

func newFlow() *flow {
	f := &flow{}
	f.wake.L = &f.mu
	return f
}

// deadline is a point in time from which operations fail. The flow's lock guards its
// fields.
type deadline struct {
	passed bool
	timer  *time.Timer
	// set counts the calls of setDeadline, so that a timer that fires late notices.
	set uint64
}

func (f *flow) setDeadline(d *deadline, t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d.set++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.passed = false
	if t.IsZero() {
		return
	}
	if left := time.Until(t); left > 0 {
		set := d.set
		d.timer = time.AfterFunc(left, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			if d.set == set {
				d.passed = true
				f.wake.Broadcast()
			}
		})
		return
	}
	d.passed = true
	f.wake.Broadcast()
}

func (f *flow) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.noReader:
			return 0, net.ErrClosed
		case f.read.passed:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case len(f.buf) > 0:
			n := copy(p, f.buf)
			if f.buf = f.buf[n:]; len(f.buf) == 0 {
				f.buf = nil // releases the memory
			}
			f.wake.Broadcast()
			return n, nil
		case f.noMore:
			return 0, io.EOF
		}
		f.wake.Wait()
	}
}

func (f *flow) Write(p []byte) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch room := connBufferBytes - len(f.buf); {
		case f.noMore:
			return n, net.ErrClosed
		case f.noReader:
			return n, io.ErrClosedPipe
		case f.write.passed:
			return n, os.ErrDeadlineExceeded
		case len(p) == 0:
			return n, nil
		case room > 0:
			k := min(room, len(p))
			f.buf = append(f.buf, p[:k]...)
			n, p = n+k, p[k:]
			f.wake.Broadcast()
			continue
		}
		f.wake.Wait()
	}
}

// close ends the direction for one side.
func (f *flow) close(side *bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*side = true
	for _, d := range []*deadline{&f.read, &f.write} {
		if d.timer != nil && f.noMore && f.noReader {
			d.timer.Stop()
		}
	}
	f.wake.Broadcast()
}

// pipeEnd is one end of a connection.
type pipeEnd struct {
	in, out       *flow
	local, remote net.Addr
}

func (e *pipeEnd) Read(p []byte) (int, error)  { return e.in.Read(p) }
func (e *pipeEnd) Write(p []byte) (int, error) { return e.out.Write(p) }

// Close closes both directions; the peer can still read everything written before.
func (e *pipeEnd) Close() error {
	e.out.close(&e.out.noMore)
	e.in.close(&e.in.noReader)
	return nil
}

func (e *pipeEnd) LocalAddr() net.Addr  { return e.local }
func (e *pipeEnd) RemoteAddr() net.Addr { return e.remote }

func (e *pipeEnd) SetReadDeadline(t time.Time) error {
	e.in.setDeadline(&e.in.read, t)
	return nil
}

func (e *pipeEnd) SetWriteDeadline(t time.Time) error {
	e.out.setDeadline(&e.out.write, t)
	return nil
}

func (e *pipeEnd) SetDeadline(t time.Time) error {
	_ = e.SetReadDeadline(t) // neither fails
	return e.SetWriteDeadline(t)
}
