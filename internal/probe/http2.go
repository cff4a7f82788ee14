package probe

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// A check asks by HTTP/1.1, which nearly all servers speak: it costs less. A server that
// speaks only HTTP/2 gets a second try with the protocols that browsers offer.
const (
	protocolHTTP1 = "http/1.1"
	protocolHTTP2 = "h2"
)

// wantsHTTP2 reports whether an exchange may have failed for want of HTTP/2: the server did
// not agree to HTTP/1.1, and then failed in the handshake, said what is not HTTP/1.1, or
// refused the request as some do in that case.
func (e *handshake) wantsHTTP2(resp *response, f *failure) bool {
	switch {
	case !e.begun || e.agreed == protocolHTTP1 || e.badChain:
		return false
	case f != nil:
		return f.outcome == check.OutcomeDown && !f.timedOut
	}
	switch resp.head.status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusMisdirectedRequest,
		http.StatusUpgradeRequired, http.StatusHTTPVersionNotSupported:
		return true
	}
	return false
}

// tryHTTP2 repeats an exchange, which ended with resp or f, with HTTP/2 on offer. The first
// result stands unless the second comes by HTTP/2 or is an answer.
func (e *netEngine) tryHTTP2(ctx context.Context, r *request, t *trace, resp *response, f *failure) (*response, *failure) {
	hs := e.secure.handshake(r, true)
	hs.offers = []string{protocolHTTP2}
	if resp == nil {
		hs.offers = append(hs.offers, protocolHTTP1)
	}
	var second trace
	// The HTTP/2 client reads in a goroutine of its own, which the engine's own sockets do not
	// allow.
	portable := netEngine{connector: e.connector.overNet(), secure: e.secure}
	better, f2 := portable.once(ctx, r, &second, hs)
	if f2 != nil && hs.agreed != protocolHTTP2 {
		second.dropIPv6()
		return resp, f
	}
	if resp != nil {
		resp.close()
	}
	t.adopt(&second)
	return better, f2
}

// converseHTTP2 sends the request by HTTP/2 and reads the head of the response.
func converseHTTP2(ctx context.Context, conn net.Conn, r *request, t *trace) (*response, *failure) {
	t.reach(check.PhaseRequest)
	q, err := r.forNetHTTP(ctx)
	if err != nil {
		return nil, panicked(err)
	}
	// For HTTP/2, net/http must find its own *tls.Conn behind the connection.
	transport := &http.Transport{
		DialTLSContext:    func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		ForceAttemptHTTP2: true, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeadBytes,
	}
	t.reach(check.PhaseResponse)
	start := time.Now()
	resp, err := transport.RoundTrip(q)
	t.timing.FirstByte += since(start)
	if err != nil {
		return nil, answerFailure(err, "first_byte")
	}
	h := head{proto: "HTTP/2", status: resp.StatusCode}
	var fields bytes.Buffer
	if err = resp.Header.Write(&fields); err == nil {
		h.fields = fields.Bytes()
		err = h.contradiction()
	}
	if err != nil {
		_ = resp.Body.Close()
		return nil, answerFailure(err, "")
	}
	return &response{head: h, body: resp.Body}, nil
}

// forNetHTTP returns the request in the form of net/http. Its target goes out as it is.
func (r *request) forNetHTTP(ctx context.Context) (*http.Request, error) {
	line, fields, _ := bytes.Cut(r.wire, []byte("\r\n"))
	verb, _, _ := bytes.Cut(line, []byte(" "))
	header, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(fields))).ReadMIMEHeader()
	if err != nil && err != io.EOF {
		return nil, err
	}
	q := &http.Request{
		Method: string(verb), Header: http.Header(header), Host: header.Get("Host"),
		URL:   &url.URL{Scheme: r.place.url.Scheme(), Host: header.Get("Host")},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	q.URL.Opaque = "//" + q.Host + r.place.requestTarget()
	q.Header.Del("Host")
	q.Header.Del("Connection")
	return q.WithContext(ctx), nil
}

// offersOnlyHTTP2 reports whether a handshake offers nothing but HTTP/2.
func (e *handshake) offersOnlyHTTP2() bool {
	return len(e.offers) > 0 && !slices.Contains(e.offers, protocolHTTP1)
}
