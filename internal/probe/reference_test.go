package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"

	"github.com/Automattic/jetmon/internal/check"
)

// strict is the reason for responses that browsers and our engines accept and net/http
// does not. Stories about such responses say so.
const strict = "net_http_refuses"

// httpEngine is the reference: it does the same exchanges with net/http. It shares only the
// connecting with the engines under test.
type httpEngine struct{ netEngine }

// tapped records what arrives over a connection. It holds a response back until the request
// was sent: net/http does not accept one that comes earlier.
type tapped struct {
	net.Conn
	asked chan struct{}
	once  sync.Once

	mu      sync.Mutex
	read    []byte
	readErr error
}

func (c *tapped) Write(b []byte) (int, error) {
	defer c.once.Do(func() { close(c.asked) })
	return c.Conn.Write(b)
}

func (c *tapped) Close() error {
	c.once.Do(func() { close(c.asked) })
	return nil // its maker closes it
}

func (c *tapped) Read(b []byte) (int, error) {
	<-c.asked
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.read) < 2*maxHeadBytes {
		c.read = append(c.read, b[:n]...)
	}
	if err != io.EOF {
		c.readErr = err
	}
	return n, err
}

func (e *httpEngine) exchange(ctx context.Context, r *request, t *trace) (*response, *failure) {
	if !r.place.tls {
		return e.once(ctx, r, t, nil)
	}
	hs := e.secure.handshake(r, true)
	resp, f := e.once(ctx, r, t, hs)
	return e.tryOtherwise(ctx, r, t, hs, exchanged{resp, f})
}

func (e *httpEngine) once(ctx context.Context, r *request, t *trace, hs *handshake) (*response, *failure) {
	raw, f := e.connector.connect(ctx, r, t)
	if f != nil {
		return nil, f
	}
	giveUp, conn := hold(ctx, raw), raw
	if hs != nil {
		if conn, f = e.handshake(&gathered{Conn: raw}, hs, t); f != nil {
			giveUp()
			return nil, f
		}
	}
	t.reach(check.PhaseRequest)
	tap := &tapped{Conn: conn, asked: make(chan struct{})}
	resp, f := e.ask(ctx, r, t, tap)
	if f != nil {
		giveUp()
		return nil, f
	}
	resp.close = giveUp
	return resp, nil
}

// ask sends the request with net/http over a connection.
func (e *httpEngine) ask(ctx context.Context, r *request, t *trace, tap *tapped) (*response, *failure) {
	dial := func(context.Context, string, string) (net.Conn, error) { return tap, nil }
	transport := &http.Transport{
		DialContext: dial, DialTLSContext: dial, DisableKeepAlives: true, DisableCompression: true,
		MaxResponseHeaderBytes: maxHeadBytes,
	}
	q, err := r.forNetHTTP(ctx)
	if err != nil {
		return nil, panicked(err)
	}
	if target := r.place.requestTarget(); !strings.HasPrefix(target, "//") {
		q.URL.Opaque = target // or else net/http would write the whole URL
	}
	q.Close = true
	interim := 0
	q = q.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { t.reach(check.PhaseResponse) },
		Got1xxResponse: func(int, textproto.MIMEHeader) error {
			if interim++; interim > maxInterim {
				return errManyInterim
			}
			return nil
		},
	}))
	resp, err := transport.RoundTrip(q)
	if err != nil {
		return nil, failureOf(err, tap, t)
	}
	return answerOf(resp, r, tap)
}

// failureOf classifies an error of net/http. Most have no type; for those the bytes read
// decide.
func failureOf(err error, tap *tapped, t *trace) *failure {
	t.reach(check.PhaseResponse)
	tap.mu.Lock()
	defer tap.mu.Unlock()
	if tap.readErr != nil { // net/http forgets it
		waiting := "first_byte"
		if len(tap.read) > 0 {
			waiting = "header"
		}
		return answerFailure(tap.readErr, waiting)
	}
	if _, typed := errors.AsType[protocolError](err); typed || isTimeout(err) || isReset(err) {
		waiting := "first_byte"
		if len(tap.read) > 0 {
			waiting = "header"
		}
		return answerFailure(err, waiting)
	}
	if _, ok := alertOf(err); ok {
		return answerFailure(err, "")
	}
	var in headReader
	_, _, done, ours := in.feed(tap.read)
	if !done {
		ours = in.end(io.EOF)
	}
	if ours == nil {
		return down(check.FailureProtocol, strict, err.Error())
	}
	return answerFailure(ours, "")
}

// answerOf translates a response and frames its body anew.
func answerOf(resp *http.Response, r *request, tap *tapped) (*response, *failure) {
	h := head{proto: resp.Proto, status: resp.StatusCode}
	refuse := func(e protocolError) (*response, *failure) {
		_ = resp.Body.Close()
		return nil, answerFailure(e, "")
	}
	switch resp.Proto {
	case "HTTP/1.0":
		h.proto = "HTTP/1.1" // the body gets chunks
	case "HTTP/2.0":
		h.proto = "HTTP/2"
	}
	lines := 0
	for _, values := range resp.Header {
		lines += len(values)
	}
	switch {
	case h.status == http.StatusSwitchingProtocols:
		return refuse(errSwitched)
	case h.status < 100:
		return refuse(errBadStatus)
	case strings.Contains(resp.Status, "\x00"): // net/http looks only at the fields
		return refuse(errBadHeader)
	case lines >= maxHeadLines:
		return refuse(errManyHeaders)
	}
	var fields bytes.Buffer
	_ = resp.Header.Write(&fields)
	h.fields = fields.Bytes()
	if err := h.contradiction(); err != nil {
		return refuse(err.(protocolError))
	}
	answer := &response{}
	if r.wantsBody {
		resp.Header.Del("Content-Length")
		resp.Header.Set("Transfer-Encoding", "chunked")
		answer.body = &reframed{in: resp.Body, tap: tap}
	}
	fields.Reset()
	_ = resp.Header.Write(&fields)
	h.fields = fields.Bytes()
	answer.head = h
	return answer, nil
}

// reframed encodes a body as chunks that end as the body did.
type reframed struct {
	in  io.Reader
	tap *tapped
	out bytes.Buffer
	end error
}

func (r *reframed) Read(p []byte) (int, error) {
	buf := make([]byte, 4096)
	for r.out.Len() == 0 && r.end == nil {
		n, err := r.in.Read(buf)
		if n > 0 {
			fmt.Fprintf(&r.out, "%x\r\n%s\r\n", n, buf[:n])
		}
		r.tap.mu.Lock()
		lost := r.tap.readErr
		r.tap.mu.Unlock()
		switch {
		case err == nil:
		case lost != nil:
			r.end = lost
		case err == io.EOF:
			r.out.WriteString("0\r\n\r\n")
			r.end = io.EOF
		case errors.Is(err, io.ErrUnexpectedEOF):
			r.end = io.EOF
		default: // net/http's words for malformed chunks have no type
			r.out.WriteString("zz\r\n")
			r.end = io.EOF
		}
	}
	if r.out.Len() == 0 {
		return 0, r.end
	}
	return r.out.Read(p)
}
