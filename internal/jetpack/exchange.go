package jetpack

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/jetpack/block"
	"github.com/Automattic/jetmon/internal/jetpack/errorlog"
)

// Limits on one exchange.
const (
	maxBody   = 256 << 10
	maxHeader = 64 << 10
	// leastTime is the remaining time below which no new step starts.
	leastTime = 200 * time.Millisecond
	// maxRequests is how many requests a diagnosis sends at most.
	maxRequests = 40
)

// Prober is the check engine. Its address policy decides where connections may go.
type Prober interface {
	Probe(ctx context.Context, t check.Target) check.Observation
}

// The reasons why a step is not done.
var (
	errNoTime     = errors.New("no time is left")
	errNoRequests = fmt.Errorf("a diagnosis sends at most %d requests", maxRequests)
)

// exchanger sends requests with bodies to addresses that the check engine has connected
// to. It is not safe for concurrent use.
type exchanger struct {
	prober    Prober
	agent     string
	step      time.Duration
	now       func() time.Time
	transport *http.Transport
	// from is the address from which the last call came.
	from string
	// pins are the addresses of the probed hosts, by HOST:PORT.
	pins map[string]netip.AddrPort
	// sent counts the requests, those of probes and their redirects too.
	sent int
}

// left returns how many requests may still be sent.
func (e *exchanger) left() int { return max(maxRequests-e.sent, 0) }

func newExchanger(o Options) *exchanger {
	e := &exchanger{prober: o.Prober, agent: o.UserAgent, step: o.StepTimeout, now: o.Now, pins: map[string]netip.AddrPort{}}
	dialer := &net.Dialer{}
	e.transport = &http.Transport{
		// The check engine has resolved the name and checked the address. Another resolution
		// could return another address, so there is none.
		DialContext: func(ctx context.Context, _, host string) (net.Conn, error) {
			pin, ok := e.pins[host]
			if !ok {
				return nil, fmt.Errorf("%s has not been probed", host)
			}
			return dialer.DialContext(ctx, "tcp", pin.String())
		},
		TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS10, Time: o.Now},
		MaxResponseHeaderBytes: maxHeader,
		DisableKeepAlives:      true,
	}
	return e
}

func (e *exchanger) close() { e.transport.CloseIdleConnections() }

// pinned records the address to which the engine connected for a URL.
func (e *exchanger) pinned(u *url.URL, o check.Observation) {
	if pin, err := netip.ParseAddrPort(o.ResolvedAddress); err == nil && o.Phase >= check.PhaseConnect {
		e.pins[hostPort(u)] = pin
	}
}

// probe runs the engine within a step's time.
func (e *exchanger) probe(ctx context.Context, t check.Target) (check.Observation, error) {
	timeout, err := e.budget(ctx)
	if err != nil {
		return check.Observation{}, err
	}
	if e.left() == 0 {
		return check.Observation{}, errNoRequests
	}
	t.Timeout = min(timeout, check.MaxTimeout)
	o := e.prober.Probe(ctx, t)
	e.sent += 1 + len(o.Hops)
	at := t.URL
	if n := len(o.Hops); n > 0 {
		at = o.Hops[n-1].URL
	}
	if u, err := check.ParseURL(at); err == nil {
		e.pinned(u.Std(), o)
	}
	return o, nil
}

// budget returns the time for one step: at most half of the remaining time.
func (e *exchanger) budget(ctx context.Context) (time.Duration, error) {
	timeout := e.step
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline)/2)
	}
	if timeout < leastTime || ctx.Err() != nil {
		return 0, errNoTime
	}
	return timeout, nil
}

// request is a request to send.
type request struct {
	method, url string
	body        []byte
	contentType string
}

// reply is an answer, or the failure when there is none.
type reply struct {
	block.Answer
	failure block.Kind
	// why is the failure in words.
	why string
	// clock is how far the answer's Date is ahead of our clock, if hasClock.
	clock    time.Duration
	hasClock bool
	took     time.Duration
	// endless is true when the body is longer than any answer may be.
	endless bool
}

// send does one exchange. It never follows a redirect. An error means that send sent
// nothing, for a reason other than the site: no time, or an address that is not allowed.
func (e *exchanger) send(ctx context.Context, r request) (reply, error) {
	u, err := url.Parse(r.url)
	if err != nil {
		return reply{}, errors.New("the address is not a URL") // err could show a signature
	}
	if err := e.pin(ctx, u); err != nil {
		return reply{}, err
	}
	timeout, err := e.budget(ctx)
	if err != nil {
		return reply{}, err
	}
	if e.left() == 0 {
		return reply{}, errNoRequests
	}
	e.sent++
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: e.connected})
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(r.body))
	if err != nil {
		return reply{}, errors.New("the request cannot be made")
	}
	req.Header.Set("User-Agent", e.agent)
	req.Header.Set("Accept", "*/*")
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	start := e.now()
	resp, err := e.transport.RoundTrip(req)
	if err != nil {
		return broken(err, e.now().Sub(start)), nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	out := reply{Answer: block.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, took: e.now().Sub(start), endless: len(body) == maxBody}
	if date, ok := dateOf(resp.Header); ok {
		// A Date is truncated to the second, so the clock was half a second ahead on average.
		out.clock, out.hasClock = date.Add(time.Second/2).Sub(start.Add(out.took/2)), true
	}
	if err != nil {
		return brokenBody(err, out), nil
	}
	return out, nil
}

// brokenBody returns the reply for an answer that broke off in its body.
func brokenBody(err error, got reply) reply {
	out := broken(err, got.took)
	out.clock, out.hasClock = got.clock, got.hasClock
	switch {
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		out.failure = block.BadEncoding
	case out.failure == block.Lost:
		out.failure = block.CutShort
	}
	out.why = fmt.Sprintf("%d, then after %d bytes: %s", got.Status, len(got.Body), out.why)
	return out
}

// dateOf returns the Date of an answer. PHP writes its zone as a number, as XML-RPC answers of
// WordPress have it.
func dateOf(h http.Header) (time.Time, bool) {
	text := h.Get("Date")
	if date, err := http.ParseTime(text); err == nil {
		return date, true
	}
	date, err := mail.ParseDate(text)
	return date, err == nil
}

// connected notes from where the call goes out.
func (e *exchanger) connected(c httptrace.GotConnInfo) {
	if addr, err := netip.ParseAddrPort(c.Conn.LocalAddr().String()); err == nil {
		e.from = addr.Addr().String()
	}
}

// pin makes the engine probe a new host, so that its address policy applies.
func (e *exchanger) pin(ctx context.Context, u *url.URL) error {
	if _, ok := e.pins[hostPort(u)]; ok {
		return nil
	}
	root := url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}
	o, err := e.probe(ctx, check.Target{URL: root.String(), Settings: check.Settings{Method: check.MethodHead, RedirectPolicy: check.RedirectFail}})
	if err != nil {
		return err
	}
	if _, ok := e.pins[hostPort(u)]; !ok {
		return fmt.Errorf("%s cannot be reached: %s", u.Host, explainFailure(o))
	}
	return nil
}

// broken returns the reply for an exchange that ended without an answer.
func broken(err error, took time.Duration) reply {
	out := reply{failure: block.Lost, why: "the connection broke: " + plainError(err), took: took}
	netErr, ok := errors.AsType[net.Error](err)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || ok && netErr.Timeout() {
		out.failure, out.why = block.Timeout, fmt.Sprintf("no answer within %s", took.Round(100*time.Millisecond))
	}
	return out
}

// plainError returns an error's innermost text: an outer error may contain the URL.
func plainError(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			break
		}
		err = inner
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the certificate is not trusted"
	}
	return err.Error()
}

// hostPort returns a URL's destination in the form that the transport dials.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// quote makes a site's text safe to show: a page may repeat the signed URL of the call.
func quote(s string) string { return errorlog.Redact(s) }

// withoutQuery removes a URL's query, which may contain signatures.
func withoutQuery(raw string) string {
	shown, _, _ := strings.Cut(raw, "?")
	return shown
}
