package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// watched is a connection whose poller can read it while its owner sleeps.
type watched interface {
	net.Conn
	// readNow reads what has arrived. It returns errNotYet when there is nothing.
	readNow(b []byte) (int, error)
	// follow makes the poller advance an answer with each event, until it is nil.
	follow(a *answer)
	// rouse wakes the owner, who waits for the channel.
	rouse()
	roused() <-chan struct{}
}

// answer is a response over TLS whose head is still to come. The poller's goroutine reads
// it, on its own large stack and with one buffer for all; the goroutine of the check sleeps
// meanwhile, with a small stack, and is woken once. Session tickets arrive long before most
// heads, so that else each check would wait with the stack that reading them needs.
type answer struct {
	conn  *tls.Conn
	out   *gathered
	below watched
	trace *trace
	// sent is when the request was sent.
	sent time.Time

	mu sync.Mutex
	in headReader
	// answering is true once the first byte of the response has arrived.
	answering, over bool

	// The result.
	head head
	rest []byte
	err  error
}

// follow starts to read the answer to a request that was sent. Some of what has arrived may
// be in the hands of crypto/tls already: a server may send its tickets together with the end of
// its handshake.
func (a *answer) follow() {
	a.sent = time.Now()
	a.out.hasty = true
	a.below.follow(a)
	a.advance(make([]byte, 256))
}

// advance reads what has arrived.
func (a *answer) advance(scratch []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer func() {
		if v := recover(); v != nil {
			a.finish(bug{v})
		}
	}()
	for !a.over {
		n, err := a.conn.Read(scratch)
		switch {
		case n == 0 && err == errNotYet:
			return
		case n == 0 && err != nil:
			a.finish(a.in.end(err))
			return
		case n > 0 && !a.answering:
			a.answering = true
			a.trace.timing.FirstByte += since(a.sent)
		}
		if h, rest, done, err := a.in.feed(scratch[:n]); done {
			a.head, a.rest = h, rest
			a.finish(err)
		}
	}
}

// finish ends the answer. From now on the connection is read as any other.
func (a *answer) finish(err error) {
	a.over, a.err = true, err
	a.out.hasty = false
	a.below.follow(nil)
	a.below.rouse()
}

// wait blocks until the answer or the context has ended.
func (a *answer) wait(ctx context.Context) (*response, *failure) {
	for !a.isOver() {
		select {
		case <-a.below.roused():
		case <-ctx.Done():
			a.giveUp(ctx.Err())
		}
	}
	if a.err != nil {
		waiting := "first_byte"
		if a.answering {
			waiting = "header"
		}
		return nil, answerFailure(a.err, waiting)
	}
	return &response{head: a.head, body: io.MultiReader(bytes.NewReader(a.rest), a.conn)}, nil
}

func (a *answer) isOver() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.over
}

func (a *answer) giveUp(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over {
		a.finish(err)
	}
}

// notYet is the error of a read that would have to wait. It is temporary, so that crypto/tls
// goes on later as if nothing had happened.
type notYet struct{}

func (notYet) Error() string   { return "nothing has arrived yet" }
func (notYet) Timeout() bool   { return false }
func (notYet) Temporary() bool { return true }

var errNotYet net.Error = notYet{}

// opening is the part of an exchange over TLS that needs a large stack: the handshake and,
// when that has agreed on HTTP/1.1, sending the request. It has a goroutine of its own, whose
// stack ends with it, while the goroutine of the check keeps a small one.
type opening struct {
	conn *tls.Conn
	out  *gathered
	hs   *handshake
	// wire is the request to send; nil for none.
	wire  []byte
	trace *trace

	// The result: the error of the handshake or of sending, and the answer if a poller
	// reads it.
	err, sendErr error
	answer       *answer
	done         chan struct{}
}

// run does the opening. It takes a large stack at once: to grow it in steps, each of which
// copies it, costs more than a hundredth of a check.
func (o *opening) run() {
	var room [9 << 10]byte
	o.do(&room)
}

//go:noinline
func (o *opening) do(*[9 << 10]byte) {
	defer close(o.done)
	defer func() {
		if v := recover(); v != nil {
			o.err = bug{v}
		}
	}()
	start := time.Now()
	o.err = o.conn.Handshake()
	o.trace.timing.TLS += since(start)
	if o.err != nil || o.wire == nil || !o.hs.agreedHTTP1() {
		return
	}
	o.hs.takeNoTickets()
	o.trace.reach(check.PhaseRequest)
	if _, o.sendErr = o.conn.Write(o.wire); o.sendErr == nil {
		o.sendErr = o.out.release()
	}
	// A server may answer and close without reading, so it is heard even after a failed write.
	below, isWatched := o.out.Conn.(watched)
	// Before TLS 1.3 a server may begin another handshake, which has to wait for its steps.
	if isWatched && o.hs.version == tls.VersionTLS13 && !isTimeout(o.sendErr) {
		o.trace.reach(check.PhaseResponse)
		o.answer = &answer{conn: o.conn, out: o.out, below: below, trace: o.trace}
		o.answer.follow()
	}
}
