package weburl

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// URL is an http or https URL without its fragment. Equal URLs are the same page.
type URL struct {
	// HTTPS is true for https, and false for http.
	HTTPS bool
	// User is what stands before "@", percent-encoded: NAME or NAME:PASSWORD; "" for none.
	User string
	// Host is a name in ASCII and lower case, with its final dot if it has one, or an IP
	// address without brackets.
	Host string
	// Addr is the host's IP address; it is not valid for a name.
	Addr netip.Addr
	// Port is the port, also when it is the scheme's default; 0 only when the URL says so.
	Port uint16
	// Path begins with "/" and has no dot segments.
	Path string
	// Query begins with "?"; it is "" when there is none.
	Query string
}

// The errors of Parse and Resolve, besides SchemeError and PortError.
var (
	// ErrNoScheme means that the text is not an absolute URL.
	ErrNoScheme = errors.New("has no scheme")
	// ErrHost means that the URL has no host, or none that can be a name or an IP address.
	ErrHost = errors.New("has no valid host")
)

// SchemeError is the scheme of a URL that is neither http nor https.
type SchemeError string

func (e SchemeError) Error() string { return "has the scheme " + string(e) }

// PortError is a port that is not a number up to 65535.
type PortError string

func (e PortError) Error() string { return "port must be from 1 to 65535, is " + string(e) }

// Parse parses an absolute URL.
func Parse(raw string) (URL, error) {
	s := clean(raw)
	scheme, rest, ok := cutScheme(s)
	if !ok {
		return URL{}, ErrNoScheme
	}
	return absolute(scheme, rest)
}

// Resolve parses a URL that a page refers to, such as the target of its redirect.
func (u *URL) Resolve(ref string) (to URL, err error) {
	s := clean(ref)
	scheme, rest, ok := cutScheme(s)
	switch {
	case !ok:
		scheme, rest = u.Scheme(), s
	case scheme != u.Scheme():
		return absolute(scheme, rest)
	}
	// Without a scheme, or as in http:page.
	if len(rest) > 1 && isSlash(rest[0]) && isSlash(rest[1]) {
		return absolute(scheme, rest)
	}
	to = *u
	to.turnTo(rest)
	return to, nil
}

// Scheme returns "http" or "https".
func (u URL) Scheme() string {
	if u.HTTPS {
		return "https"
	}
	return "http"
}

// String returns the URL as browsers show it.
func (u URL) String() string {
	b := append([]byte(u.Scheme()), "://"...)
	if u.User != "" {
		b = append(append(b, u.User...), '@')
	}
	return string(append(append(u.AppendHost(b), u.Path...), u.Query...))
}

// AppendHost appends the host and, unless it is the scheme's default, the port.
func (u URL) AppendHost(b []byte) []byte {
	if u.Addr.Is6() {
		b = append(append(append(b, '['), u.Host...), ']')
	} else {
		b = append(b, u.Host...)
	}
	if u.Port == defaultPort(u.HTTPS) {
		return b
	}
	return strconv.AppendUint(append(b, ':'), uint64(u.Port), 10)
}

// Std returns the URL for code that needs one of net/url.
func (u URL) Std() *url.URL {
	std := &url.URL{Scheme: u.Scheme(), Host: string(u.AppendHost(nil)), Path: u.Path}
	if path, err := url.PathUnescape(u.Path); err == nil {
		std.Path, std.RawPath = path, u.Path
	}
	if u.Query != "" {
		std.RawQuery, std.ForceQuery = u.Query[1:], u.Query == "?"
	}
	return std
}

func defaultPort(https bool) uint16 {
	if https {
		return 443
	}
	return 80
}

// Trim removes what browsers ignore around a URL: spaces and control characters.
func Trim(raw string) string {
	return strings.TrimFunc(raw, func(r rune) bool { return r <= ' ' })
}

// clean removes what browsers ignore, and percent-encodes bytes beyond ASCII: each stands
// for itself in path and query, and the host is decoded later.
func clean(raw string) string {
	s := Trim(raw)
	odd := 0
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || isBreak(c) {
			odd++
		}
	}
	if odd == 0 {
		return s
	}
	b := make([]byte, 0, len(s)+2*odd)
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 0x80:
			b = appendEscaped(b, c)
		case !isBreak(c):
			b = append(b, c)
		}
	}
	return string(b)
}

func isBreak(c byte) bool { return c == '\t' || c == '\n' || c == '\r' }

func appendEscaped(b []byte, c byte) []byte {
	const hex = "0123456789ABCDEF"
	return append(b, '%', hex[c>>4], hex[c&15])
}

// cutScheme cuts the scheme, in lower case, and its colon off.
func cutScheme(s string) (scheme, rest string, ok bool) {
	for i := range len(s) {
		c := s[i] | 0x20
		switch {
		case c >= 'a' && c <= 'z':
		case i > 0 && (s[i] >= '0' && s[i] <= '9' || s[i] == '+' || s[i] == '-' || s[i] == '.'):
		case i > 0 && s[i] == ':':
			return strings.ToLower(s[:i]), s[i+1:], true
		default:
			return "", "", false
		}
	}
	return "", "", false
}

// absolute parses what follows the scheme. Any number of slashes may stand before the host.
func absolute(scheme, rest string) (u URL, err error) {
	if err = u.parse(scheme, rest); err != nil {
		u = URL{}
	}
	return u, err
}

// parse is absolute in place: thousands of checks wait with the stack that this has needed, and
// copies are most of it.
func (u *URL) parse(scheme, rest string) (err error) {
	switch scheme {
	case "http":
	case "https":
		u.HTTPS = true
	default:
		return SchemeError(scheme)
	}
	rest = strings.TrimLeft(rest, `/\`)
	authority, page := rest, ""
	if i := strings.IndexAny(rest, `/\?#`); i >= 0 {
		authority, page = rest[:i], rest[i:]
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		u.User, authority = userOf(authority[:at]), authority[at+1:]
	}
	host, port := cutPort(authority)
	if u.Host, u.Addr, err = parseHost(host); err != nil {
		return err
	}
	if u.Port, err = parsePort(port, u.HTTPS); err != nil {
		return err
	}
	u.Path = "/"
	u.turnTo(page)
	return nil
}

// cutPort cuts the port off a host; "" when there is none.
func cutPort(authority string) (host, port string) {
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		return authority[:colon], authority[colon+1:]
	}
	return authority, ""
}

// ParseHost parses a host as a URL has it, with or without a port: port is 0 without one.
func ParseHost(raw string) (host string, port uint16, err error) {
	name, number := cutPort(clean(raw))
	if host, _, err = parseHost(name); err != nil || number == "" {
		return host, 0, err
	}
	if port, err = parsePort(number, false); err == nil && port == 0 {
		err = PortError(number)
	}
	return host, port, err
}

// userOf returns name and password percent-encoded.
func userOf(s string) string {
	name, password, _ := strings.Cut(s, ":")
	name, password = escape(name, inUser), escape(password, inUser)
	if password == "" {
		return name
	}
	return name + ":" + password
}

func parsePort(s string, https bool) (uint16, error) {
	if s == "" {
		return defaultPort(https), nil
	}
	port := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, PortError(s)
		}
		if port = port*10 + int(s[i]-'0'); port > 65535 {
			return 0, PortError(s)
		}
	}
	return uint16(port), nil
}

// turnTo gives u another path and query on the same host.
func (u *URL) turnTo(s string) {
	s, _, _ = strings.Cut(s, "#")
	path, query, hasQuery := strings.Cut(s, "?")
	switch {
	case path != "":
		if !isSlash(path[0]) {
			path = u.Path[:strings.LastIndexByte(u.Path, '/')+1] + path
		}
		u.Path, u.Query = resolveDots(path), ""
	case !hasQuery:
		return
	}
	if hasQuery {
		u.Query = "?" + escape(query, inQuery)
	}
}

func isSlash(c byte) bool { return c == '/' || c == '\\' }
