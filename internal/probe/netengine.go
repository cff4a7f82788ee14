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

// netEngine exchanges over package net and crypto/tls, blocking.
type netEngine struct {
	connector *connector
	secure    *secure
}

func (e *netEngine) exchange(ctx context.Context, r *request, t *trace) (*response, *failure) {
	resp, met, f := e.once(ctx, r, t, false)
	if f != nil && met.failed(f) {
		resp, _, f = e.once(ctx, r, t, true)
	}
	return resp, f
}

// once does the exchange; afresh asks for a full handshake.
func (e *netEngine) once(ctx context.Context, r *request, t *trace, afresh bool) (*response, *encounter, *failure) {
	raw, f := e.connector.connect(ctx, r, t)
	if f != nil {
		return nil, nil, f
	}
	giveUp := hold(ctx, raw)
	conn, met := raw, (*encounter)(nil)
	if r.place.tls {
		met = e.secure.meet(r.place, afresh)
		if conn, f = e.handshake(raw, met, t); f != nil {
			giveUp()
			return nil, met, f
		}
	}
	resp, f := converse(conn, r, t)
	if f != nil {
		giveUp()
		return nil, met, f
	}
	resp.close = giveUp
	return resp, met, nil
}

func (e *netEngine) close() {}

// bound is a connection that heeds a context by itself.
type bound interface{ bind(ctx context.Context) }

// hold makes a connection end with a context, and gives the way to end it before.
func hold(ctx context.Context, raw net.Conn) (giveUp func()) {
	if b, ok := raw.(bound); ok {
		b.bind(ctx)
		return func() { _ = raw.Close() }
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = raw.SetDeadline(deadline)
	}
	// A context that ends early interrupts what is blocked.
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	return func() {
		stop()
		// Straight to the socket: a TLS goodbye would cost a write and could block.
		_ = raw.Close()
	}
}

func (e *netEngine) handshake(raw net.Conn, met *encounter, t *trace) (net.Conn, *failure) {
	t.reach(check.PhaseTLS)
	start := time.Now()
	conn := tls.Client(raw, met.config())
	// Beside us, as it needs a large stack, which we would keep while we wait for the
	// answer. It ends with the connection, which heeds the context.
	done := make(chan error, 1)
	go shake(conn, done)
	err := <-done
	t.timing.TLS += since(start)
	state := conn.ConnectionState()
	t.secured(leafEnd(state, err), state.Version, err == nil)
	if err != nil {
		return nil, handshakeFailure(err, e.secure.now())
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

// converse sends the request and reads the head of the answer.
func converse(conn net.Conn, r *request, t *trace) (*response, *failure) {
	t.reach(check.PhaseRequest)
	_, sendErr := conn.Write(r.wire)
	if sendErr != nil && isTimeout(sendErr) {
		return nil, answerFailure(sendErr, "request")
	}
	// A server may answer and close without reading, so even a failed write is followed
	// by a read.
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
