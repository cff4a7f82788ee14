package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// netEngine does blocking exchanges over package net and crypto/tls.
type netEngine struct {
	connector *connector
	secure    *secure
}

func (e *netEngine) exchange(ctx context.Context, r *request, t *trace) (*response, *failure) {
	if !r.place.tls {
		return e.once(ctx, r, t, nil)
	}
	hs := e.secure.handshake(r, false)
	resp, f := e.once(ctx, r, t, hs)
	if f == nil && !hs.wantsHTTP2(resp, nil) {
		return resp, nil // most checks; what follows takes more stack
	}
	return e.tryAgain(ctx, r, t, hs, exchanged{resp, f})
}

// tryAgain repeats an exchange over TLS, which ended with got, where that may help.
func (e *netEngine) tryAgain(ctx context.Context, r *request, t *trace, hs *handshake, got exchanged) (*response, *failure) {
	if got.f != nil && hs.failed(got.f) {
		hs = e.secure.handshake(r, true)
		got.resp, got.f = e.once(ctx, r, t, hs)
	}
	return e.tryOtherwise(ctx, r, t, hs, got)
}

// exchanged is the result of an exchange: one of both is nil.
type exchanged struct {
	resp *response
	f    *failure
}

// tryOtherwise tries an exchange over TLS, which ended with got, once more where a browser
// would have got further.
func (e *netEngine) tryOtherwise(ctx context.Context, r *request, t *trace, hs *handshake, got exchanged) (*response, *failure) {
	if hs.refused {
		got.resp, got.f = e.tryWithoutStray(ctx, r, t, got.f)
	}
	if hs.wantsHTTP2(got.resp, got.f) {
		return e.tryHTTP2(ctx, r, t, got.resp, got.f)
	}
	return got.resp, got.f
}

// once does the exchange, over TLS by the handshake hs unless it is nil.
func (e *netEngine) once(ctx context.Context, r *request, t *trace, hs *handshake) (*response, *failure) {
	raw, f := e.connector.connect(ctx, r, t)
	if f != nil {
		return nil, f
	}
	giveUp := hold(ctx, raw)
	var resp *response
	if hs == nil {
		resp, f = converse(raw, r, t)
	} else {
		resp, f = e.secured(ctx, raw, r, t, hs)
	}
	if f != nil {
		giveUp()
		return nil, f
	}
	resp.close = giveUp
	return resp, nil
}

// secured does the exchange over TLS on a connection.
func (e *netEngine) secured(ctx context.Context, raw net.Conn, r *request, t *trace, hs *handshake) (*response, *failure) {
	o, f := e.open(&gathered{Conn: raw}, hs, t, r.wire)
	switch {
	case f != nil:
		return nil, f
	case hs.agreed == protocolHTTP2:
		_ = o.out.release() // an error shows when the connection is read
		return converseHTTP2(ctx, o.conn, r, t)
	case hs.offersOnlyHTTP2():
		return nil, down(check.FailureProtocol, "not_http2", "") // the caller keeps the first result
	case o.answer != nil:
		return o.answer.wait(ctx)
	}
	return hear(o.conn, o.sendErr, t)
}

func (e *netEngine) close() {}

// bound is a connection that observes a context by itself.
type bound interface{ bind(ctx context.Context) }

// hold makes a connection end with a context; giveUp ends it earlier.
func hold(ctx context.Context, raw net.Conn) (giveUp func()) {
	if b, ok := raw.(bound); ok {
		b.bind(ctx)
		return func() { _ = raw.Close() }
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = raw.SetDeadline(deadline)
	}
	// A context that ends early interrupts blocked calls.
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	return func() {
		stop()
		// Close the raw socket: a TLS close_notify would cost a write and could block.
		_ = raw.Close()
	}
}

// open does the TLS handshake and sends the request, if any. Without one, the end of the
// handshake may still wait to be sent.
func (e *netEngine) open(raw *gathered, hs *handshake, t *trace, request []byte) (*opening, *failure) {
	t.reach(check.PhaseTLS)
	o := &opening{conn: tls.Client(raw, hs.config()), out: raw, hs: hs, wire: request, trace: t, done: make(chan struct{})}
	go o.run() // it ends with the connection, and the connection ends with the context
	<-o.done
	hs.begun = true
	t.secured(hs.leafEnd, hs.version, o.err == nil)
	if o.err != nil {
		_ = raw.release() // sends the alert
		f := handshakeFailure(o.err, e.secure.now())
		hs.refused = refusedByClient(o.err, f)
		return nil, f
	}
	if hs.distrust != nil {
		t.distrust = handshakeFailure(hs.distrust, e.secure.now())
	}
	return o, nil
}

// converse sends the request and reads the head of the response.
func converse(conn net.Conn, r *request, t *trace) (*response, *failure) {
	t.reach(check.PhaseRequest)
	_, err := conn.Write(r.wire)
	return hear(conn, err, t)
}

// hear reads the head of the response to a request, which was sent with sendErr.
func hear(conn net.Conn, sendErr error, t *trace) (*response, *failure) {
	if sendErr != nil && isTimeout(sendErr) {
		return nil, answerFailure(sendErr, "request")
	}
	// A server may answer and close without reading, so read even after a failed write.
	t.reach(check.PhaseResponse)
	start, waiting := time.Now(), "first_byte"
	h, rest, err := readHead(conn, func() {
		t.timing.FirstByte += since(start)
		waiting = "header"
	})
	if err != nil {
		return nil, answerFailure(err, waiting)
	}
	return &response{head: h, body: io.MultiReader(bytes.NewReader(rest), conn)}, nil
}

// gathered is a connection that sends what was written when it is read from. So the end of a
// handshake and the request leave together, in one system call and one packet. After release
// it sends at once.
//
// While it is hasty it never waits: Read returns errNotYet instead, and what is written, on
// which the request's answer does not depend, is sent before the next read that may wait.
type gathered struct {
	net.Conn
	out           []byte
	direct, hasty bool
}

// Write implements [net.Conn].
func (g *gathered) Write(b []byte) (int, error) {
	if g.direct && !g.hasty {
		return g.Conn.Write(b)
	}
	g.out = append(g.out, b...)
	return len(b), nil
}

// Read implements [net.Conn]. A peer may answer and close without reading, so it reads even
// after a failed write.
func (g *gathered) Read(b []byte) (int, error) {
	if g.hasty {
		return g.Conn.(watched).readNow(b)
	}
	if err := g.send(); err != nil && isTimeout(err) {
		return 0, err
	}
	return g.Conn.Read(b)
}

// release sends what was written, and makes further writes go out at once.
func (g *gathered) release() error {
	g.direct = true
	return g.send()
}

func (g *gathered) send() error {
	if len(g.out) == 0 {
		return nil
	}
	_, err := g.Conn.Write(g.out)
	g.out = nil
	return err
}
