package probe

import (
	"net/netip"
	"strings"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/weburl"
)

// place is the destination of a request: a URL that passed the URL policy.
type place struct {
	url weburl.URL
	// host is ASCII, lower case, without brackets and final dot.
	host string
	// literal is valid when the host is an IP address.
	literal netip.Addr
	port    uint16
	tls     bool
}

// firstPlace parses the URL of a target. What cannot be asked for at all is refused.
func firstPlace(raw string) (*place, *failure) {
	p := new(place)
	var err error
	if p.url, err = check.ParseURL(raw); err != nil {
		return nil, refusedURL(err)
	}
	return p.know(), nil
}

func refusedURL(err error) *failure { return refused(check.URLReason(err), "url "+err.Error()) }

// know derives the rest of a place from its URL.
func (p *place) know() *place {
	u := &p.url
	p.host, p.literal, p.port, p.tls = strings.TrimSuffix(u.Host, "."), u.Addr, u.Port, u.HTTPS
	return p
}

// isLocalhost reports whether the host is a name that means this machine everywhere
// (RFC 6761).
func (p *place) isLocalhost() bool {
	return p.host == "localhost" || strings.HasSuffix(p.host, ".localhost")
}

// hostHeader is the value of the Host header, with the port unless it is the scheme's
// default.
func (p *place) hostHeader() string { return string(p.url.AppendHost(nil)) }

// requestTarget is the path and query as sent on the wire.
func (p *place) requestTarget() string { return p.url.Path + p.url.Query }

// key identifies the place in a redirect chain by everything a server can distinguish.
func (p *place) key() string { return p.url.String() }

// public is the place's URL without user information, which is a secret.
func (p *place) public() weburl.URL {
	u := p.url
	u.User = ""
	return u
}

// shown is the place as text without its query, which may hold secrets.
func (p *place) shown() string {
	u := p.public()
	u.Query = ""
	return u.String()
}
