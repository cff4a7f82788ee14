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
	if f != nil && hs.failed(f) {
		hs = e.secure.handshake(r, true)
		resp, f = e.once(ctx, r, t, hs)
	}
	return e.tryOtherwise(ctx, r, t, hs, exchanged{resp, f})
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
	conn := raw
	var out *gathered
	if hs != nil {
		out = &gathered{Conn: raw}
		if conn, f = e.handshake(out, hs, t); f != nil {
			giveUp()
			return nil, f
		}
	}
	var resp *response
	switch {
	case hs != nil && hs.agreed == protocolHTTP2:
		_ = out.release() // an error shows when the connection is read
		resp, f = converseHTTP2(ctx, conn, r, t)
	case hs != nil && hs.offersOnlyHTTP2():
		f = down(check.FailureProtocol, "not_http2", "") // the caller keeps the first result
	default:
		resp, f = converse(conn, out, r, t)
	}
	if f != nil {
		giveUp()
		return nil, f
	}
	resp.close = giveUp
	return resp, nil
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

// handshake does the TLS handshake. The end of it may still wait in raw to be sent.
func (e *netEngine) handshake(raw *gathered, hs *handshake, t *trace) (net.Conn, *failure) {
	t.reach(check.PhaseTLS)
	start := time.Now()
	conn := tls.Client(raw, hs.config())
	// The handshake needs a large stack, which this goroutine would keep while it waits for
	// the response. So it has its own goroutine, which ends with the connection, and the
	// connection ends with the context.
	done := make(chan error, 1)
	go shake(conn, done)
	err := <-done
	t.timing.TLS += since(start)
	hs.begun = true
	state := conn.ConnectionState()
	t.secured(hs.leafEnd, state.Version, err == nil)
	if err != nil {
		_ = raw.release() // sends the alert
		f := handshakeFailure(err, e.secure.now())
		hs.refused = refusedByClient(err, f)
		return nil, f
	}
	if hs.distrust != nil {
		t.distrust = handshakeFailure(hs.distrust, e.secure.now())
	}
	return conn, nil
}

func shake(conn *tls.Conn, done chan<- error) {
	var err error
	defer func() {
		if v := recover(); v != nil {
			err = bug{v}
		}
		done <- err
	}()
	err = conn.Handshake()
}

// converse sends the request and reads the head of the response. Under TLS out is the
// connection below, nil otherwise.
func converse(conn net.Conn, out *gathered, r *request, t *trace) (*response, *failure) {
	t.reach(check.PhaseRequest)
	_, sendErr := conn.Write(r.wire)
	if out != nil && sendErr == nil {
		sendErr = out.release()
	}
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
type gathered struct {
	net.Conn
	out    []byte
	direct bool
}

// Write implements [net.Conn].
func (g *gathered) Write(b []byte) (int, error) {
	if g.direct {
		return g.Conn.Write(b)
	}
	g.out = append(g.out, b...)
	return len(b), nil
}

// Read implements [net.Conn]. A peer may answer and close without reading, so it reads even
// after a failed write.
func (g *gathered) Read(b []byte) (int, error) {
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
