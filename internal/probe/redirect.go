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
	// maxLocationBytes is how long a redirect's target may be.
	maxLocationBytes = 8 << 10
	// maxCookies is how many cookies of a site are kept within one check.
	maxCookies = 100
	// maxHopBytes is how much of a redirect's target is kept as evidence.
	maxHopBytes = check.MaxURLBytes
)

// isRedirect tells the statuses that send a client elsewhere. 300, 304, 305 and 306 do
// not: they are answers.
func isRedirect(status int) bool {
	switch status {
	case 301, 302, 303, 307, 308:
		return true
	}
	return false
}

// nextPlace reads where a redirect leads.
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
		// Not refused by us: no browser could go there.
		f = down(check.FailureRedirect, "bad_location", f.detail)
	}
	return p, f
}

// dropBreaks takes out what browsers take out of URLs.
func dropBreaks(r rune) rune {
	if r == '\t' || r == '\r' || r == '\n' {
		return -1
	}
	return r
}

// parseLocation reads a URL as tolerantly as browsers do: backslashes before the query
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

// luggage is what a check carries from hop to hop: the site's own headers, for the host
// they were meant for only, and the cookies that were set on the way.
type luggage struct {
	home    *place
	headers []check.Header
	jar     *cookiejar.Jar
	kept    int
}

// headersFor gives the headers that may be sent to p. They may be secrets: another host does
// not get them, nor does anyone who listens to an unencrypted hop.
func (l *luggage) headersFor(p *place) []check.Header {
	if p.host != l.home.host || l.home.tls && !p.tls {
		return nil
	}
	return l.headers
}

// cookiesFor is the value of the Cookie header for p, "" for none.
func (l *luggage) cookiesFor(p *place) string {
	if l.jar == nil {
		return ""
	}
	var b strings.Builder
	for _, c := range l.jar.Cookies(p.origin()) {
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(c.Name + "=" + c.Value)
	}
	return b.String()
}

// keep takes the cookies that p set.
func (l *luggage) keep(p *place, h head) {
	lines := slices.Collect(h.all("Set-Cookie"))
	if len(lines) == 0 || l.kept >= maxCookies {
		return
	}
	if l.jar == nil {
		// The list keeps one customer of a shared domain from setting another's cookies.
		jar, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
		if err != nil {
			return
		}
		l.jar = jar
	}
	lines = lines[:min(len(lines), maxCookies-l.kept)]
	l.kept += len(lines)
	answer := http.Response{Header: http.Header{"Set-Cookie": lines}}
	l.jar.SetCookies(p.origin(), answer.Cookies())
}

// origin is the place as the cookie jar wants it.
func (p *place) origin() *url.URL {
	u := &url.URL{Scheme: "http", Host: p.hostHeader(), Path: p.url.Path}
	if p.tls {
		u.Scheme = "https"
	}
	return u
}
