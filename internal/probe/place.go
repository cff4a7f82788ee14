package probe

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"github.com/Automattic/jetmon/internal/check"
)

// place is the destination of a request: a URL that passed the URL policy.
type place struct {
	url *url.URL
	// host is ASCII, lower case, without brackets and final dot.
	host string
	// literal is valid when the host is an IP address.
	literal netip.Addr
	port    uint16
	tls     bool
}

// firstPlace parses the URL of a target.
func firstPlace(raw string) (*place, *failure) {
	u, err := check.ParseURL(raw)
	if err != nil {
		return nil, refused("bad_url", "url "+err.Error())
	}
	return newPlace(u)
}

// newPlace applies the URL policy to a parsed absolute URL: http or https, no user
// information, an unambiguous host, a port from 1 to 65535.
func newPlace(u *url.URL) (*place, *failure) {
	p := &place{url: u}
	switch {
	case u.User != nil:
		return nil, refused("userinfo", "the URL has user information")
	case strings.EqualFold(u.Scheme, "http"):
		p.port = 80
	case strings.EqualFold(u.Scheme, "https"):
		p.port, p.tls = 443, true
	default:
		return nil, refused("scheme", "scheme "+strconv.Quote(u.Scheme)+" is not http or https")
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return nil, refused("bad_port", "port "+port+" is not from 1 to 65535")
		}
		p.port = uint16(n)
	}
	if f := p.setHost(u.Hostname()); f != nil {
		return nil, f
	}
	return p, nil
}

func (p *place) setHost(host string) *failure {
	if strings.Contains(host, "%") { // a zone means something on one machine only
		return refused("bad_host", "host is not an address that all share")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		p.host, p.literal = addr.String(), addr
		return nil
	}
	host = strings.TrimSuffix(host, ".")
	if !isASCII(host) {
		// StrictDomainName is off because real host names contain underscores.
		profile := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))
		ascii, err := profile.ToASCII(host)
		if err != nil {
			return refused("bad_host", "host is not a name that can be looked up")
		}
		host = strings.TrimSuffix(ascii, ".")
	}
	host = strings.ToLower(host)
	if addr, err := netip.ParseAddr(host); err == nil {
		p.host, p.literal = addr.String(), addr
		return nil
	}
	if host == "" || len(host) > 253 || strings.ContainsFunc(host, notHostByte) {
		return refused("bad_host", "host is not a name that can be looked up")
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 {
			return refused("bad_host", "host has an empty or overlong label")
		}
	}
	if isNumeric(host[strings.LastIndexByte(host, '.')+1:]) {
		return refused("bad_host", "host is neither a name nor a plain IP address")
	}
	p.host = host
	return nil
}

// isNumeric recognises the last label of hosts such as 127.1, 0x7f.1 or 2130706433. Some
// software takes these for an IPv4 address, and some for a name.
func isNumeric(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

func notHostByte(r rune) bool {
	return !(r == '-' || r == '_' || r == '.' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9')
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// hostHeader is the value of the Host header, with the port unless it is the scheme's
// default.
func (p *place) hostHeader() string { return string(p.appendHostHeader(nil)) }

func (p *place) appendHostHeader(b []byte) []byte {
	if p.literal.Is6() {
		b = append(append(append(b, '['), p.host...), ']')
	} else {
		b = append(b, p.host...)
	}
	if p.tls && p.port == 443 || !p.tls && p.port == 80 {
		return b
	}
	return strconv.AppendUint(append(b, ':'), uint64(p.port), 10)
}

// requestTarget is the path and query as sent on the wire, never with the fragment.
func (p *place) requestTarget() string {
	target := p.url.EscapedPath()
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	if p.url.ForceQuery || p.url.RawQuery != "" {
		target += "?" + p.url.RawQuery
	}
	return escapeUnsafe(target)
}

// escapeUnsafe writes bytes that are not allowed in a request line as %XX.
func escapeUnsafe(s string) string {
	unsafe := func(c byte) bool { return c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' }
	var out []byte
	for i := range len(s) {
		switch {
		case !unsafe(s[i]):
			if out != nil {
				out = append(out, s[i])
			}
		default:
			if out == nil {
				out = append(make([]byte, 0, len(s)+16), s[:i]...)
			}
			const hex = "0123456789ABCDEF"
			out = append(out, '%', hex[s[i]>>4], hex[s[i]&15])
		}
	}
	if out == nil {
		return s
	}
	return string(out)
}

// key identifies the place in a redirect chain by everything a server can distinguish.
func (p *place) key() string {
	scheme := "http://"
	if p.tls {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(p.host, strconv.Itoa(int(p.port))) + p.requestTarget()
}

// shown is the place as text without its query, which may hold secrets.
func (p *place) shown() string {
	scheme := "http://"
	if p.tls {
		scheme = "https://"
	}
	return scheme + p.hostHeader() + escapeUnsafe(p.url.EscapedPath())
}
