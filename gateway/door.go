package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

// door is a listener whose connections speak TLS, if it has some, and answer in our form
// where net/http refuses a request by itself: before a handler sees it, in plain text, and
// some of it as an error of the server.
type door struct {
	net.Listener
	tls *tls.Config
}

// Accept waits for a visitor. The handshake begins with the first byte that is read.
func (d door) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	v := &visitor{Conn: c, raw: c}
	if d.tls != nil {
		v.Conn = tls.Server(c, d.tls)
	}
	return v, nil
}

// visitor is a connection. net/http takes it for plain: it does not see the TLS, and
// recognises HTTP/2 by its first bytes.
type visitor struct {
	net.Conn
	raw net.Conn // without TLS
	// begun is set while a request arrives or is answered, handled once a handler has it,
	// and refused once the connection has had our last word.
	begun, handled, refused atomic.Bool
}

// lingerTimeout is how long a refused client may go on sending before the connection
// closes: closed at once, it would not read why.
const lingerTimeout = 500 * time.Millisecond

// Read reads for net/http, and answers what net/http would close without a word.
func (v *visitor) Read(b []byte) (int, error) {
	if v.refused.Load() {
		return 0, io.EOF
	}
	n, err := v.Conn.Read(b)
	if n > 0 {
		v.begun.Store(true)
	}
	if err == nil || v.handled.Load() {
		return n, err
	}
	if plain, ok := errors.AsType[tls.RecordHeaderError](err); ok && looksLikeHTTP(plain.RecordHeader) {
		v.refuse(v.raw, http.StatusBadRequest, fault.New(fault.Invalid, "this port speaks HTTPS; ask it with https://"))
		return n, io.EOF
	}
	if v.begun.Load() && errors.Is(err, os.ErrDeadlineExceeded) && v.secured() {
		v.refuse(v.Conn, http.StatusRequestTimeout, fault.New(fault.Invalid, "the head of the request did not arrive within %s", readHeaderTimeout))
		return n, io.EOF
	}
	return n, err
}

// looksLikeHTTP says whether what should have been the header of a TLS record begins a
// request.
func looksLikeHTTP(header [5]byte) bool {
	for _, method := range []string{"GET /", "HEAD ", "POST ", "PUT /", "PATCH", "DELET", "OPTIO", "CONNE", "TRACE"} {
		if string(header[:]) == method {
			return true
		}
	}
	return false
}

// secured reports whether a message can be sent: whether a handshake there must be is done.
func (v *visitor) secured() bool {
	c, ok := v.Conn.(*tls.Conn)
	return !ok || c.ConnectionState().HandshakeComplete
}

// Write writes for net/http. What it writes before a handler has the request is a refusal
// of its own.
func (v *visitor) Write(b []byte) (int, error) {
	if v.refused.Load() {
		return len(b), nil
	}
	if v.handled.Load() || !bytes.HasPrefix(b, []byte("HTTP/1.")) {
		return v.Conn.Write(b)
	}
	head, _, _ := bytes.Cut(b, []byte("\r\n"))
	code, err := refusalOf(string(head))
	v.refuse(v.Conn, code, err)
	return len(b), nil
}

// refusalOf translates a status line of net/http, as "HTTP/1.1 400 Bad Request: missing
// required Host header". What it cannot do is the request's fault, not the server's.
func refusalOf(line string) (int, error) {
	_, line, _ = strings.Cut(line, " ")
	number, text, _ := strings.Cut(line, " ")
	code, err := strconv.Atoi(number)
	if err != nil {
		code = http.StatusBadRequest
	}
	_, why, _ := strings.Cut(text, ": ")
	switch code {
	case http.StatusRequestHeaderFieldsTooLarge:
		return code, headTooLong()
	case http.StatusExpectationFailed:
		return code, fault.InvalidField("Expect", "must be 100-continue")
	case http.StatusNotImplemented:
		return http.StatusBadRequest, fault.InvalidField("Transfer-Encoding", "must be chunked")
	case http.StatusHTTPVersionNotSupported:
		return http.StatusBadRequest, fault.New(fault.Invalid, "the version of HTTP is not supported; 1.1 and 1.0 are, and 2 with TLS")
	}
	if why == "" {
		why = "the head of the request is malformed"
	}
	return http.StatusBadRequest, fault.New(fault.Invalid, "not HTTP: %s", why)
}

// refuse answers over c with an error and says goodbye.
func (v *visitor) refuse(c net.Conn, code int, err error) {
	if v.refused.Swap(true) {
		return
	}
	w := &bareWriter{header: http.Header{"Connection": {"close"}}}
	_, secure := c.(*tls.Conn)
	prepare(w.header, rpc.WithRequestID(context.Background(), ""), secure)
	fail(w, &refusal{code, fault.Status(err)})
	// Whoever does not read the answer does not want it.
	_ = v.raw.SetWriteDeadline(time.Now().Add(readHeaderTimeout))
	if _, err := c.Write(w.bytes()); err != nil || closeWrite(c) != nil {
		return
	}
	_ = v.raw.SetReadDeadline(time.Now().Add(lingerTimeout))
	_, _ = io.CopyN(io.Discard, v.raw, maxBodyBytes)
}

// CloseWrite ends our side of the connection, so that the client can still read.
func (v *visitor) CloseWrite() error { return closeWrite(v.Conn) }

func closeWrite(conn net.Conn) error {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

func headTooLong() *fault.Error {
	return fault.New(fault.Invalid, "the head of the request must be at most %d bytes", maxHeaderBytes)
}

// checkHead refuses a request whose head is longer than it may be, and shorter than what
// net/http refuses.
func checkHead(req *http.Request) error {
	size := len(req.RequestURI)
	for name, values := range req.Header {
		for _, v := range values {
			size += len(name) + len(v) + len(": \r\n")
		}
	}
	if size > maxHeaderBytes {
		return &refusal{http.StatusRequestHeaderFieldsTooLarge, headTooLong().GRPCStatus()}
	}
	return nil
}

type visitorKey struct{}

// visit is the http.Server's ConnContext.
func visit(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, visitorKey{}, c)
}

// idle is the http.Server's ConnState.
func idle(c net.Conn, state http.ConnState) {
	if v, ok := c.(*visitor); ok && state == http.StateIdle {
		v.begun.Store(false)
		v.handled.Store(false)
	}
}

// greet tells the connection of a request that a handler has it, and the request how the
// connection is protected, which net/http does not see.
func greet(req *http.Request) {
	v, ok := req.Context().Value(visitorKey{}).(*visitor)
	if !ok {
		return
	}
	v.handled.Store(true)
	if c, ok := v.Conn.(*tls.Conn); ok {
		state := c.ConnectionState()
		req.TLS = &state
	}
}

// breakOff has the connection of a request of HTTP/1.0 end with an error, and not as it does
// after the whole of an answer whose length was not told. What net/http writes later has chunks.
func breakOff(req *http.Request) {
	if v, ok := req.Context().Value(visitorKey{}).(*visitor); ok && !req.ProtoAtLeast(1, 1) {
		if c, ok := v.raw.(interface{ SetLinger(seconds int) error }); ok {
			_ = c.SetLinger(0) // what is not sent is dropped, and the client told
		}
	}
}

// bareWriter keeps an answer to a request that net/http has no writer for.
type bareWriter struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (w *bareWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *bareWriter) WriteHeader(code int) { w.code = code }

// Write implements http.ResponseWriter.
func (w *bareWriter) Write(b []byte) (int, error) { return w.body.Write(b) }

func (w *bareWriter) bytes() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", w.code, http.StatusText(w.code))
	_ = w.header.Write(&b) // to memory
	b.WriteString("\r\n")
	b.Write(w.body.Bytes())
	return b.Bytes()
}

// withHTTP2 returns a TLS configuration that offers HTTP/2, also where each connection gets
// one of its own, as after a reload.
func withHTTP2(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.NextProtos = []string{"h2", "http/1.1"}
	inner := c.GetConfigForClient
	if inner == nil {
		return c
	}
	type pair struct{ from, to *tls.Config }
	var last atomic.Pointer[pair] // so that connections share the keys of their sessions
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		from, err := inner(hello)
		if err != nil || from == nil {
			return from, err
		}
		if p := last.Load(); p != nil && p.from == from {
			return p.to, nil
		}
		p := &pair{from, withHTTP2(from)}
		last.Store(p)
		return p.to, nil
	}
	return c
}
