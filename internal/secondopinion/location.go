package secondopinion

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// maxLocationBytes limits the length of a redirect's target.
const maxLocationBytes = 8 << 10

// location is a place on the web as a browser goes there: the URL Standard's record of an
// http or https URL, without user information and fragment.
type location struct {
	scheme string // "http" or "https"
	// host is ASCII, lower case, without brackets and final dot.
	host string
	port uint16
	// path begins with a slash. path and query are as they are sent: what was encoded stays
	// so, and other bytes stand for themselves.
	path, query string
	hasQuery    bool
}

// Errors of parseLocation.
var (
	errNoScheme = errors.New("the URL is not absolute")
	errScheme   = errors.New("the scheme is not http or https")
	errNoHost   = errors.New("the URL has no host")
	errPort     = errors.New("the port is not from 1 to 65535")
	errTooLong  = errors.New("the URL is too long")
	errUserinfo = errors.New("the URL has user information")
)

// parseLocation parses a URL by the URL Standard. base is the page that it is on; nil for the
// URL of a target, which must be absolute and without user information.
func parseLocation(raw string, base *location) (location, error) {
	if len(raw) > maxLocationBytes {
		return location{}, errTooLong
	}
	s := trim(raw)
	s, _, _ = strings.Cut(s, "#")
	scheme, rest, ok := cutScheme(s)
	switch {
	case !ok && base == nil:
		return location{}, errNoScheme
	case !ok:
		return relative(s, *base)
	case scheme != "http" && scheme != "https":
		return location{}, errScheme
	case base != nil && scheme == base.scheme && !strings.HasPrefix(rest, "//"):
		return relative(rest, *base) // https:/x on an https page is a path
	}
	return authority(scheme, rest, base == nil)
}

// trim drops blanks and control characters at both ends, and tabs and line breaks anywhere.
// It works on bytes: those above 0x7F stand for themselves.
func trim(raw string) string {
	for len(raw) > 0 && raw[0] <= ' ' {
		raw = raw[1:]
	}
	for len(raw) > 0 && raw[len(raw)-1] <= ' ' {
		raw = raw[:len(raw)-1]
	}
	if !strings.ContainsAny(raw, "\t\r\n") {
		return raw
	}
	return strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(raw)
}

// cutScheme splits "scheme:rest".
func cutScheme(s string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(s, ":")
	if !ok || scheme == "" {
		return "", "", false
	}
	for i := range len(scheme) {
		c := scheme[i] | 0x20
		isLetter := c >= 'a' && c <= 'z'
		if !isLetter && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(scheme[i]))) {
			return "", "", false
		}
	}
	return strings.ToLower(scheme), rest, true
}

func isSlash(c byte) bool { return c == '/' || c == '\\' }

// relative resolves a reference without a scheme.
func relative(s string, base location) (location, error) {
	switch {
	case s == "":
		return base, nil
	case s[0] == '?':
		base.query, base.hasQuery = encode(s[1:], unsafeInQuery), true
		return base, nil
	case isSlash(s[0]) && len(s) > 1 && isSlash(s[1]):
		return authority(base.scheme, s, false)
	case isSlash(s[0]):
		base.setTail(s)
		return base, nil
	}
	folder := base.path[:strings.LastIndexByte(base.path, '/')+1]
	base.setTail(folder + s)
	return base, nil
}

// authority parses what follows a scheme. However many slashes there are, the host comes
// next.
func authority(scheme, s string, strict bool) (location, error) {
	for len(s) > 0 && isSlash(s[0]) {
		s = s[1:]
	}
	end := strings.IndexAny(s, `/\?`)
	if end < 0 {
		end = len(s)
	}
	l := location{scheme: scheme, port: 80}
	if scheme == "https" {
		l.port = 443
	}
	host := s[:end]
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		if strict && host[:i] != "" && host[:i] != ":" {
			return location{}, errUserinfo
		}
		host = host[i+1:] // browsers send it only when they are asked for it
	}
	host, port := cutPort(host)
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return location{}, errPort
		}
		l.port = uint16(n)
	}
	var err error
	if l.host, err = parseHost(host); err != nil {
		return location{}, err
	}
	l.setTail(s[end:])
	return l, nil
}

// cutPort splits HOST:PORT. The colons inside of brackets belong to the host.
func cutPort(s string) (host, port string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.LastIndexByte(s, ']') > i {
		return s, ""
	}
	return s[:i], s[i+1:]
}

// setTail sets path and query.
func (l *location) setTail(s string) {
	path, query, hasQuery := strings.Cut(s, "?")
	l.path = flatten(encode(strings.ReplaceAll(path, `\`, "/"), unsafeInPath))
	l.query, l.hasQuery = encode(query, unsafeInQuery), hasQuery
}

// flatten resolves the segments that stand for this folder and the one above, also where
// they are percent-encoded.
func flatten(path string) string {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	var out []string
	for i, segment := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case ".":
		case "..":
			out = out[:max(len(out)-1, 0)]
		default:
			out = append(out, segment)
			continue
		}
		if last {
			out = append(out, "")
		}
	}
	return "/" + strings.Join(out, "/")
}

func unsafeInQuery(c byte) bool {
	return c <= ' ' || c >= 0x7f || c == '"' || c == '#' || c == '<' || c == '>' || c == '\''
}

func unsafeInPath(c byte) bool {
	return c <= ' ' || c >= 0x7f || strings.IndexByte("\"#<>?^`{}", c) >= 0
}

// encode percent-encodes the bytes that may not be sent. A per cent sign stays, whatever
// follows it.
func encode(s string, unsafe func(byte) bool) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; unsafe(c) {
			b.WriteString(string([]byte{'%', hex[c>>4], hex[c&15]}))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// isDefaultPort reports whether the port is the scheme's own.
func (l location) isDefaultPort() bool {
	return l.scheme == "http" && l.port == 80 || l.scheme == "https" && l.port == 443
}

// authorityText is the host as URLs and the Host header spell it.
func (l location) authorityText() string {
	if l.isDefaultPort() {
		if addr, err := netip.ParseAddr(l.host); err == nil && addr.Is6() {
			return "[" + l.host + "]"
		}
		return l.host
	}
	return net.JoinHostPort(l.host, strconv.Itoa(int(l.port)))
}

// String returns the location as text.
func (l location) String() string {
	s := l.scheme + "://" + l.authorityText() + l.path
	if l.hasQuery {
		s += "?" + l.query
	}
	return s
}

// url returns the location for net/http, which must send path and query as they are.
func (l location) url() *url.URL {
	u := &url.URL{Scheme: l.scheme, Host: l.authorityText(), RawQuery: l.query, ForceQuery: l.hasQuery}
	if !strings.HasPrefix(l.path, "//") {
		u.Opaque = l.path // net/http sends it untouched
		return u
	}
	// As Opaque, this path would stand for a host.
	u.Path, u.RawPath = l.path, l.path
	if plain, err := url.PathUnescape(l.path); err == nil {
		u.Path = plain
	}
	if u.EscapedPath() != l.path {
		u.Opaque = "//" + u.Host + l.path // net/http sends the whole URL
	}
	return u
}
