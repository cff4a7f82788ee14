package secondopinion

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe"
)

// visit goes to the target and follows redirects to the last response. It returns nil for a
// good page.
func (a *asking) visit(ctx context.Context) *finding {
	here, err := parseLocation(a.target.URL, nil)
	if err != nil {
		return &finding{outcome: check.OutcomeUnknown, kind: check.FailurePolicy, reason: "bad_url", detail: err.Error()}
	}
	home := here
	for {
		next, f := a.step(ctx, home, here)
		if f != nil || next == nil {
			return f
		}
		here = *next
	}
}

// step does one request. It returns the next location when the response is a redirect.
func (a *asking) step(ctx context.Context, home, here location) (next *location, f *finding) {
	next, f = a.try(here, a.request(ctx, home, here), a.transport.RoundTrip)
	if f == nil || !f.malformed {
		return next, f
	}
	hand := func(r *http.Request) (*http.Response, error) {
		conn, err := a.open(ctx, here, f.kind == check.FailureTLS)
		if err != nil {
			return nil, err
		}
		return a.byHand(conn, r)
	}
	if next, again := a.try(here, a.request(ctx, home, here), hand); again == nil || !again.malformed {
		return next, again
	}
	return nil, f
}

// try does one request by one of the readers, and judges the response.
func (a *asking) try(here location, r *http.Request, trip func(*http.Request) (*http.Response, error)) (next *location, f *finding) {
	a.note(func(s *seen) { s.status, s.phase = 0, check.PhaseNone })
	resp, err := trip(r)
	if err != nil {
		a.mu.Lock()
		phase := a.seen.phase
		a.mu.Unlock()
		if r.Context().Err() != nil {
			return nil, timeoutFinding(phase)
		}
		return nil, exchangeFinding(err, phase, len(a.hops))
	}
	defer func() { _ = resp.Body.Close() }()
	a.note(func(s *seen) {
		s.status, s.protocol, s.phase = resp.StatusCode, protocolOf(resp), check.PhaseResponse
		if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
			s.leafEnd = resp.TLS.PeerCertificates[0].NotAfter.UTC()
		}
	})
	if strings.IndexByte(resp.Status, 0) >= 0 { // net/http looks at the fields only
		return nil, bad(check.FailureProtocol, "bad_header", "a NUL in the first line")
	}
	a.cookies.keep(here, resp.Header["Set-Cookie"])
	if isRedirect(resp.StatusCode) {
		return a.redirect(here, resp)
	}
	if f := statusFinding(resp.StatusCode); f != nil {
		return nil, f
	}
	a.reach(check.PhaseBody)
	return nil, a.wants.judge(resp.Header, resp.Body)
}

func protocolOf(resp *http.Response) string {
	if resp.ProtoMajor == 2 {
		return "HTTP/2"
	}
	return resp.Proto
}

// request makes the request for a location.
func (a *asking) request(ctx context.Context, home, here location) *http.Request {
	r := &http.Request{Method: http.MethodGet, URL: here.url(), Host: here.authorityText(), Header: http.Header{
		"User-Agent": {probe.UserAgent}, "Accept": {"*/*"}, "Accept-Encoding": {"identity"},
	}}
	// The site's own headers may be secrets: neither another host nor an eavesdropper gets them.
	if here.host == home.host && (home.scheme == "http" || here.scheme == "https") {
		for _, h := range a.target.Headers {
			r.Header.Set(h.Name, h.Value)
		}
	}
	if own := a.cookies.header(here); own != "" {
		if theirs := r.Header.Get("Cookie"); theirs != "" {
			own = theirs + "; " + own
		}
		r.Header.Set("Cookie", own)
	}
	return r.WithContext(httptrace.WithClientTrace(ctx, a.trace()))
}

// trace notes how far a request gets.
func (a *asking) trace() *httptrace.ClientTrace {
	var handshake, sent time.Time
	return &httptrace.ClientTrace{
		TLSHandshakeStart: func() {
			a.note(func(s *seen) { s.phase, handshake = check.PhaseTLS, time.Now() })
		},
		TLSHandshakeDone: func(state tls.ConnectionState, _ error) {
			a.note(func(s *seen) { s.timing.TLS += time.Since(handshake) })
		},
		GotConn: func(info httptrace.GotConnInfo) {
			a.note(func(s *seen) {
				s.phase, sent, s.address = check.PhaseRequest, time.Now(), info.Conn.RemoteAddr().String()
			})
		},
		GotFirstResponseByte: func() {
			a.note(func(s *seen) { s.phase, s.timing.FirstByte = check.PhaseResponse, time.Since(sent) })
		},
	}
}

// isRedirect reports whether a status sends a browser elsewhere.
func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// differ reports whether a header contradicts itself.
func differ(values []string) bool {
	return len(slices.Compact(slices.Clone(values))) > 1
}

// redirect returns where a redirect leads.
func (a *asking) redirect(here location, resp *http.Response) (*location, *finding) {
	const kind = check.FailureRedirect
	raw := resp.Header.Get("Location")
	switch {
	case differ(resp.Header["Location"]):
		return nil, bad(check.FailureProtocol, "bad_header", "two targets of one redirect")
	case a.target.RedirectPolicy == check.RedirectFail:
		return nil, bad(kind, "not_allowed", "the site may not redirect")
	case strings.Trim(raw, " \t") == "":
		return nil, bad(kind, "no_location", "a redirect without a target")
	}
	next, err := parseLocation(raw, &here)
	if err != nil {
		return nil, bad(kind, "bad_location", err.Error())
	}
	if len(a.hops) == check.MaxRedirects {
		return nil, bad(kind, "too_many", fmt.Sprintf("more than %d redirects", check.MaxRedirects))
	}
	a.hops = append(a.hops, check.Hop{Status: resp.StatusCode, URL: next.String()})
	return &next, nil
}
