package probe

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/Automattic/jetmon/internal/check"
)

const (
	// maxLocationBytes limits the length of a redirect's target.
	maxLocationBytes = 8 << 10
	// maxCookies limits the cookies kept within one check.
	maxCookies = 100
	// maxHopBytes is how much of a redirect's target is kept as evidence.
	maxHopBytes = check.MaxURLBytes
)

// isRedirect reports whether a status sends the client elsewhere. 300, 304, 305 and 306
// do not: they are final responses.
func isRedirect(status int) bool {
	switch status {
	case 301, 302, 303, 307, 308:
		return true
	}
	return false
}

// nextPlace returns the target of a redirect.
func nextPlace(from *place, h head) (*place, *failure) {
	location := strings.Trim(strings.Map(dropBreaks, h.get("Location")), " ")
	switch {
	case location == "":
		return nil, down(check.FailureRedirect, "no_location", "a redirect without a target")
	case len(location) > maxLocationBytes:
		return nil, down(check.FailureRedirect, "bad_location", "the redirect's target is too long")
	}
	ref, err := parseLocation(location)
	if err != nil {
		return nil, down(check.FailureRedirect, "bad_location", "the redirect's target is not a URL")
	}
	u := from.url.ResolveReference(ref)
	u.Fragment, u.RawFragment = "", ""
	if u.Host == "" && (strings.EqualFold(u.Scheme, "http") || strings.EqualFold(u.Scheme, "https")) {
		return nil, down(check.FailureRedirect, "bad_location", "the redirect's target has no host")
	}
	p, f := newPlace(u)
	if f != nil && (f.reason == "bad_host" || f.reason == "bad_port") {
		// This is not a refusal of ours: no browser could go there either.
		f = down(check.FailureRedirect, "bad_location", f.detail)
	}
	return p, f
}

// dropBreaks, for strings.Map, removes the characters that browsers remove from URLs.
func dropBreaks(r rune) rune {
	if r == '\t' || r == '\r' || r == '\n' {
		return -1
	}
	return r
}

// parseLocation parses a URL as tolerantly as browsers do: backslashes before the query
// are slashes, and a per cent sign may stand for itself.
func parseLocation(s string) (*url.URL, error) {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = strings.ReplaceAll(s[:i], `\`, "/") + s[i:]
	} else {
		s = strings.ReplaceAll(s, `\`, "/")
	}
	u, err := url.Parse(s)
	if _, bad := errors.AsType[url.EscapeError](err); bad {
		return url.Parse(escapeLonePercent(s))
	}
	return u, err
}

func escapeLonePercent(s string) string {
	isHex := func(c byte) bool {
		return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
	}
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(s[i])
		if s[i] == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])) {
			b.WriteString("25")
		}
	}
	return b.String()
}

// requestState is what a check carries from hop to hop: the site's own headers, meant for
// its host only, and the cookies set on the way.
type requestState struct {
	home    *place
	headers []check.Header
	jar     *cookiejar.Jar
	kept    int
}

// headersFor returns the headers that may be sent to p. They may be secrets: neither another
// host nor an eavesdropper on an unencrypted hop gets them.
func (s *requestState) headersFor(p *place) []check.Header {
	if p.host != s.home.host || s.home.tls && !p.tls {
		return nil
	}
	return s.headers
}

// cookiesFor is the value of the Cookie header for p, "" for none.
func (s *requestState) cookiesFor(p *place) string {
	if s.jar == nil {
		return ""
	}
	var b strings.Builder
	for _, c := range s.jar.Cookies(p.origin()) {
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(c.Name + "=" + c.Value)
	}
	return b.String()
}

// keepCookies stores the cookies that p set.
func (s *requestState) keepCookies(p *place, h head) {
	lines := slices.Collect(h.all("Set-Cookie"))
	if len(lines) == 0 || s.kept >= maxCookies {
		return
	}
	if s.jar == nil {
		// The list keeps one customer of a shared domain from setting another's cookies.
		jar, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
		if err != nil {
			return
		}
		s.jar = jar
	}
	lines = lines[:min(len(lines), maxCookies-s.kept)]
	s.kept += len(lines)
	answer := http.Response{Header: http.Header{"Set-Cookie": lines}}
	s.jar.SetCookies(p.origin(), answer.Cookies())
}

// origin is the place as the cookie jar expects it.
func (p *place) origin() *url.URL {
	u := &url.URL{Scheme: "http", Host: p.hostHeader(), Path: p.url.Path}
	if p.tls {
		u.Scheme = "https"
	}
	return u
}
