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

// talk is a plain exchange with one address that the shard's goroutine carries through
// by itself: connect, send, read the head. Whoever wants the answer sleeps meanwhile and
// is woken once, at the end.
type talk struct {
	socket socket
	wire   []byte
	trace  *trace
	// keep leaves the connection open for a body.
	keep bool

	mu   sync.Mutex
	step step
	sent int
	in   headReader
	// When the steps began.
	connecting, reading time.Time
	answering           bool

	// The end: one of head and err, and where it was.
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

// begin starts the exchange. An error is that of the first step.
func (k *talk) begin(p *poller) error {
	k.socket.talk = k
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

// wait blocks until the exchange has ended, or the context.
func (k *talk) wait(ctx context.Context) {
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

// advance goes on as far as the events allow.
func (k *talk) advance(events uint32, scratch []byte) {
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

// write sends the request. A server may answer and close without reading, so even a
// failed write is followed by a read.
func (k *talk) write() {
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

// read takes what there is of the head.
func (k *talk) read(events uint32, scratch []byte) {
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
			return // drained; the next event tells of more
		}
	}
}

// finish ends the exchange and wakes whoever waits.
func (k *talk) finish(err error, inLoop bool) {
	k.over, k.err, k.endedIn = true, err, k.step
	if k.step == stepConnect {
		k.trace.timing.Connect += since(k.connecting)
	}
	if err == nil && k.keep {
		// From now on the events are for the reader of the body. Of what came behind the
		// head no event may tell any more, so it looks at once.
		k.socket.can.Or(epollIn)
		k.socket.talk = nil
	} else {
		k.open = false
		k.socket.shard.forget(&k.socket, inLoop)
		_ = syscall.Close(k.socket.fd)
	}
	k.socket.rouse()
}

// response hands the answer on.
func (k *talk) response(ctx context.Context) *response {
	r := &response{head: k.head, close: func() {}}
	if k.open {
		k.socket.ctx = ctx
		r.close = func() { _ = k.socket.Close() }
		r.body = io.MultiReader(bytes.NewReader(k.rest), &k.socket)
	}
	return r
}

// waiting names what the exchange was at when it ended.
func (k *talk) waiting() string {
	switch {
	case k.endedIn == stepSend:
		return "request"
	case k.answering:
		return "header"
	}
	return "first_byte"
}
