package probe

import (
	"bytes"
	"context"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// exchange is a plain exchange with one address. The poller's goroutine does all of it:
// connect, send, read the head. The goroutine of the check sleeps meanwhile and is woken
// once, at the end.
type exchange struct {
	socket socket
	wire   []byte
	trace  *trace
	// keepOpen leaves the connection open for reading a body.
	keepOpen bool

	mu   sync.Mutex
	step step
	sent int
	in   headReader
	// connecting and reading are when these steps began.
	connecting, reading time.Time
	// answering is true once the first byte of the response has arrived.
	answering bool

	// The result: head or err, and the step in which the exchange ended.
	over    bool
	open    bool
	head    head
	rest    []byte
	err     error
	endedIn step
}

type step uint8

const (
	stepConnect step = iota
	stepSend
	stepRead
)

// begin starts the exchange. It returns an error if connecting fails at once.
func (k *exchange) begin(p *pollers) error {
	k.socket.exchange = k
	k.mu.Lock()
	defer k.mu.Unlock()
	k.connecting = time.Now()
	if err := k.socket.open(p, k.trace.addr); err != nil {
		k.over = true
		k.trace.timing.Connect += since(k.connecting)
		return err
	}
	k.open = true
	return nil
}

// wait blocks until the exchange or the context has ended.
func (k *exchange) wait(ctx context.Context) {
	select {
	case <-k.socket.wake:
		return
	case <-ctx.Done():
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		return
	}
	k.finish(ctx.Err(), false)
}

// advance continues the exchange as far as the events allow.
func (k *exchange) advance(events uint32, scratch []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		return
	}
	k.socket.can.Or(events)
	events = k.socket.can.Load()
	defer func() {
		if v := recover(); v != nil {
			k.finish(bug{v}, true)
		}
	}()
	switch k.step {
	case stepConnect:
		if events&(epollOut|epollError) == 0 {
			return
		}
		if err := k.socket.connectError(events); err != nil {
			k.finish(err, true)
			return
		}
		k.trace.timing.Connect += since(k.connecting)
		k.trace.reach(check.PhaseRequest)
		k.step = stepSend
		k.write()
	case stepSend:
		k.write()
	}
	if k.step == stepRead && events&(epollIn|epollEnded) != 0 {
		k.read(events, scratch)
	}
}

// write sends the request. A server may answer and close without reading, so the exchange
// reads even after a failed write.
func (k *exchange) write() {
	for k.sent < len(k.wire) {
		n, err := send(k.socket.fd, k.wire[k.sent:])
		if err == syscall.EAGAIN {
			return
		}
		if err != nil {
			break
		}
		k.sent += n
	}
	k.step = stepRead
	k.reading = time.Now()
	k.trace.reach(check.PhaseResponse)
}

// read reads as much of the head as has arrived.
func (k *exchange) read(events uint32, scratch []byte) {
	k.socket.can.And(^uint32(epollIn))
	for {
		n, err := receive(k.socket.fd, scratch)
		if err == syscall.EAGAIN {
			return
		}
		if err != nil {
			k.finish(k.in.end(err), true)
			return
		}
		if !k.answering {
			k.answering = true
			k.trace.timing.FirstByte += since(k.reading)
		}
		var done bool
		if k.head, k.rest, done, err = k.in.feed(scratch[:n]); done {
			k.finish(err, true)
			return
		}
		if n < len(scratch) && events&epollEnded == 0 {
			return // drained; the next event announces more
		}
	}
}

// finish ends the exchange and wakes the goroutine of the check.
func (k *exchange) finish(err error, inLoop bool) {
	k.over, k.err, k.endedIn = true, err, k.step
	if k.step == stepConnect {
		k.trace.timing.Connect += since(k.connecting)
	}
	if err == nil && k.keepOpen {
		// From now on the events are for the reader of the body. Data behind the head may
		// cause no further event, so the reader must try at once.
		k.socket.can.Or(epollIn)
		k.socket.exchange = nil
	} else {
		k.open = false
		k.socket.poller.forget(&k.socket, inLoop)
		_ = syscall.Close(k.socket.fd)
	}
	k.socket.rouse()
}

// response returns the response of an exchange that succeeded.
func (k *exchange) response(ctx context.Context) *response {
	r := &response{head: k.head, close: func() {}}
	if k.open {
		k.socket.ctx = ctx
		r.close = func() { _ = k.socket.Close() }
		r.body = io.MultiReader(bytes.NewReader(k.rest), &k.socket)
	}
	return r
}

// waiting names what the exchange was waiting for when it ended.
func (k *exchange) waiting() string {
	switch {
	case k.endedIn == stepSend:
		return "request"
	case k.answering:
		return "header"
	}
	return "first_byte"
}
