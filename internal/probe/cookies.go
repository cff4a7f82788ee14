package probe

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"
)

// Limits on the cookies of one check.
const (
	maxCookies        = 180
	maxCookieBytes    = 4096
	maxAttributeBytes = 1024
)

// cookies are the cookies set within one check. They are read, kept and sent by the
// algorithms of RFC 6265bis, sections 5.4 to 5.8, as in browsers: the bytes of names and
// values go back as they came.
type cookies struct {
	all []cookie
	// seen counts the Set-Cookie lines, made the cookies ever kept.
	seen, made int
}

// cookie is one cookie.
type cookie struct {
	name, value string
	// domain is the host that set it, or the domain that it asked for.
	domain, path string
	// anyHost is true when the hosts below domain get it, too.
	anyHost, secure bool
	// pathGiven is true when the path is the cookie's own.
	pathGiven bool
	// expires is the end of its life; zero for the end of the check.
	expires time.Time
	// made is its place in the order of creation.
	made int
}

// keep stores the cookies that a response from p sets.
func (s *cookies) keep(p *place, h head, now time.Time) {
	for line := range h.all("Set-Cookie") {
		if s.seen++; s.seen > maxCookies {
			return
		}
		if c, ok := parseCookie(line, p, now); ok && s.allows(c, p) {
			s.put(c, now)
		}
	}
}

// parseCookie parses the value of a Set-Cookie header from p. ok is false when browsers
// ignore it.
func parseCookie(line string, p *place, now time.Time) (c cookie, ok bool) {
	if strings.ContainsFunc(line, isControl) {
		return c, false
	}
	pair, attributes, _ := strings.Cut(line, ";")
	name, value, named := strings.Cut(pair, "=")
	if !named {
		name, value = "", pair
	}
	c = cookie{name: trimBlanks(name), value: trimBlanks(value), domain: p.host, path: defaultPath(p)}
	if n := len(c.name) + len(c.value); n == 0 || n > maxCookieBytes {
		return c, false
	}
	domain, aged := "", false
	for a := range strings.SplitSeq(attributes, ";") {
		name, value, _ := strings.Cut(a, "=")
		name, value = strings.ToLower(trimBlanks(name)), trimBlanks(value)
		if len(value) > maxAttributeBytes {
			continue
		}
		switch name {
		case "expires":
			if t, ok := parseCookieDate(value); ok && !aged {
				c.expires = t
			}
		case "max-age":
			if t, ok := endOfAge(value, now); ok {
				c.expires, aged = t, true
			}
		case "domain":
			domain = strings.ToLower(strings.TrimPrefix(value, "."))
		case "path":
			c.path, c.pathGiven = value, true
			if !strings.HasPrefix(value, "/") {
				c.path, c.pathGiven = defaultPath(p), false
			}
		case "secure":
			c.secure = true
		}
	}
	return c, c.takeDomain(domain, p)
}

// takeDomain applies the Domain attribute, and reports whether p may set such a cookie. One
// customer of a shared domain must not set another's cookies.
func (c *cookie) takeDomain(domain string, p *place) bool {
	if domain == "" {
		return true
	}
	if suffix, _ := publicsuffix.PublicSuffix(domain); suffix == domain && !p.literal.IsValid() {
		return domain == p.host
	}
	c.domain, c.anyHost = domain, true
	return c.isFor(p)
}

// isFor reports whether the cookie's domain includes p.
func (c *cookie) isFor(p *place) bool {
	if c.domain == p.host {
		return true
	}
	return c.anyHost && !p.literal.IsValid() && strings.HasSuffix(p.host, "."+c.domain)
}

// allows applies the rules about secure cookies and about prefixes of names.
func (s *cookies) allows(c cookie, p *place) bool {
	if c.secure && !p.tls {
		return false
	}
	whole := c.name
	if whole == "" {
		whole = c.value // or else a cookie without a name could pass for one with a prefix
	}
	switch lower := strings.ToLower(whole[:min(len(whole), len("__secure-"))]); {
	case strings.HasPrefix(lower, "__secure-"):
		return c.secure && c.name != ""
	case strings.HasPrefix(lower, "__host-"):
		return c.secure && !c.anyHost && c.pathGiven && c.path == "/" && c.name != ""
	}
	// Plain http must not replace or hide what https has set.
	return c.secure || p.tls || !slices.ContainsFunc(s.all, func(old cookie) bool {
		return old.secure && old.name == c.name && pathMatches(c.path, old.path) &&
			(isWithin(old.domain, c.domain) || isWithin(c.domain, old.domain))
	})
}

func isWithin(domain, parent string) bool {
	return domain == parent || strings.HasSuffix(domain, "."+parent)
}

// put stores a cookie in place of an earlier one of the same name, domain and path.
func (s *cookies) put(c cookie, now time.Time) {
	c.made = s.made
	s.made++
	s.all = slices.DeleteFunc(s.all, func(old cookie) bool {
		same := old.name == c.name && old.domain == c.domain && old.anyHost == c.anyHost && old.path == c.path
		if same {
			c.made = old.made
		}
		return same
	})
	if c.expires.IsZero() || c.expires.After(now) {
		s.all = append(s.all, c)
	}
}

// header returns the value of the Cookie header for p, "" for none.
func (s *cookies) header(p *place, now time.Time) string {
	if len(s.all) == 0 {
		return ""
	}
	var send []cookie
	for _, c := range s.all {
		if c.isFor(p) && pathMatches(p.url.Path, c.path) && (p.tls || !c.secure) &&
			(c.expires.IsZero() || c.expires.After(now)) {
			send = append(send, c)
		}
	}
	slices.SortFunc(send, func(a, b cookie) int {
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), cmp.Compare(a.made, b.made))
	})
	var b strings.Builder
	for i, c := range send {
		if i > 0 {
			b.WriteString("; ")
		}
		if c.name != "" {
			b.WriteString(c.name + "=")
		}
		b.WriteString(c.value)
	}
	return b.String()
}

// defaultPath is the path of a cookie that has none: the folder of the page.
func defaultPath(p *place) string {
	if i := strings.LastIndexByte(p.url.Path, '/'); i > 0 {
		return p.url.Path[:i]
	}
	return "/"
}

// pathMatches reports whether a page's path is that of a cookie, or below it.
func pathMatches(page, path string) bool {
	rest, ok := strings.CutPrefix(page, path)
	return ok && (rest == "" || strings.HasSuffix(path, "/") || rest[0] == '/')
}

func trimBlanks(s string) string { return strings.Trim(s, " \t") }

// endOfAge returns when a cookie of this Max-Age ends.
func endOfAge(s string, now time.Time) (time.Time, bool) {
	digits := strings.TrimPrefix(s, "-")
	switch {
	case digits == "" || !isDigits([]byte(digits)):
		return time.Time{}, false
	case digits != s || strings.Trim(digits, "0") == "":
		return time.Unix(0, 0), true
	case len(digits) > 9:
		return now.AddDate(10, 0, 0), true
	}
	seconds := 0
	for _, d := range digits {
		seconds = seconds*10 + int(d-'0')
	}
	return now.Add(time.Duration(seconds) * time.Second), true
}
