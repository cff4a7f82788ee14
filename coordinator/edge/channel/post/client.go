package post

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/Automattic/jetmon/internal/address"
)

const (
	// Timeout bounds one attempt, whatever its context allows.
	Timeout = 20 * time.Second
	// bodyTimeout bounds the time for the body of an answer: its status is there already.
	bodyTimeout = 5 * time.Second
	// maxBodyBytes bounds what is read of an answer, maxHeaderBytes its header.
	maxBodyBytes   = 64 << 10
	maxHeaderBytes = 64 << 10
	// maxIdle is how many idle connections to an endpoint are kept, for idleTimeout.
	maxIdle     = 32
	idleTimeout = time.Minute
	connectTime = 10 * time.Second

	userAgent = "jetmon/3.0 (Jetpack Site Uptime Monitor by WordPress.com)"
)

// Options of a Client.
type Options struct {
	// AllowPrivate allows private and other special addresses, except the metadata services of
	// clouds; Allowed are exact exceptions.
	AllowPrivate bool
	Allowed      []netip.AddrPort
	// Roots are the authorities that are trusted; nil means the system's.
	Roots *x509.CertPool
}

// policy is the address policy of o.
func (o Options) policy() *address.Policy {
	return address.New(address.Options{AllowPrivate: o.AllowPrivate, Allowed: o.Allowed})
}

// Client makes POSTs to one endpoint. New makes one.
type Client struct {
	client    *http.Client
	transport *http.Transport
}

// New makes a Client.
func New(o Options) *Client {
	policy := o.policy()
	dialer := &net.Dialer{Timeout: connectTime, ControlContext: func(_ context.Context, _, at string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(at)
		if err != nil {
			return &refusal{at, "bad_address"}
		}
		if reason := policy.Refuse(netip.AddrPortFrom(a.Addr().Unmap(), a.Port())); reason != "" {
			return &refusal{at, reason}
		}
		return nil
	}}
	t := &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: connectTime, ForceAttemptHTTP2: true, DisableCompression: true,
		MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: idleTimeout, MaxResponseHeaderBytes: maxHeaderBytes,
	}
	return &Client{transport: t, client: &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// refusal says that the address policy forbids an address.
type refusal struct{ at, reason string }

func (r *refusal) Error() string {
	return fmt.Sprintf("the address %s may not be dialled: %s", r.at, r.reason)
}

// Close ends idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Request is what to send.
type Request struct {
	URL string
	// Header is sent in addition to what every request has.
	Header http.Header
	Body   []byte
}

// Reply is what came back.
type Reply struct {
	// Status is the HTTP status, 0 when there was no answer; Err says why.
	Status int
	Err    error
	Header http.Header
	// Body is the answer, at most 64 KiB of it. Broken says why it is not whole.
	Body   []byte
	Broken error
}

// errLong ends the reading of a body.
var errLong = errors.New("the answer is longer than 64 KiB")

// Do makes one attempt.
func (c *Client) Do(ctx context.Context, r Request) Reply {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return Reply{Err: withoutURL(err)}
	}
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := c.client.Do(req)
	if err != nil {
		return Reply{Err: reasonOf(err)}
	}
	defer resp.Body.Close()
	defer time.AfterFunc(bodyTimeout, cancel).Stop()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBodyBytes+1))
	reply := Reply{Status: resp.StatusCode, Header: resp.Header, Body: body}
	switch {
	case err != nil:
		reply.Broken = reasonOf(err)
	case len(body) > maxBodyBytes:
		reply.Body, reply.Broken = body[:maxBodyBytes], errLong
	}
	return reply
}

// errSlow is why there is no answer in time.
var errSlow = errors.New("no answer in time")

// reasonOf says in short why there is no answer.
func reasonOf(err error) error {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() || errors.Is(err, context.Canceled) {
		return errSlow
	}
	// Our own address and that of our resolver are nobody's business.
	if unknown, ok := errors.AsType[*net.DNSError](err); ok {
		said := *unknown
		said.Server = ""
		return &said
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		said := *op
		said.Source = nil
		return &said
	}
	return withoutURL(err)
}

// withoutURL removes the request's URL, which may hold a secret, from an error.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
