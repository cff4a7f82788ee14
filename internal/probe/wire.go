package probe

import (
	"strings"

	"github.com/Automattic/jetmon/internal/check"
)

// userAgent identifies us to site owners, who allow it in their firewalls.
const userAgent = "jetmon/3.0 (Jetpack Site Uptime Monitor by WordPress.com)"

// maxHeaderBytes limits the total size of a site's own request headers.
const maxHeaderBytes = 16 << 10

// checkHeaders refuses request headers that would change the shape of the request.
func checkHeaders(headers []check.Header) *failure {
	size := 0
	for _, h := range headers {
		size += len(h.Name) + len(h.Value) + 4
		switch {
		case h.Name == "" || strings.ContainsFunc(h.Name, notTokenRune):
			return refused("bad_header", "a request header's name is not a token")
		case strings.ContainsFunc(h.Value, isControl):
			return refused("bad_header", "a request header's value has control characters")
		case isOwnHeader(h.Name):
			return refused("bad_header", "request header "+h.Name+" may not be set")
		}
	}
	if size > maxHeaderBytes {
		return refused("bad_header", "the request headers are too large")
	}
	return nil
}

// isOwnHeader reports whether a header is reserved: ours, hop-by-hop, or body framing.
func isOwnHeader(name string) bool {
	switch strings.ToLower(name) {
	case "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade",
		"keep-alive", "expect", "accept-encoding", "range", "http2-settings":
		return true
	}
	return len(name) > 6 && strings.EqualFold(name[:6], "proxy-")
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

func notTokenRune(r rune) bool {
	return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' ||
		strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}

// wire returns the bytes of a request. A site's own header replaces ours of the same name.
func wire(method string, p *place, headers []check.Header, cookies string) []byte {
	size := 256 + len(p.host) + len(p.url.Path) + len(p.url.Query) + len(cookies)
	for _, h := range headers {
		size += len(h.Name) + len(h.Value) + 4
	}
	b := make([]byte, 0, size)
	b = append(append(append(b, method...), ' '), p.url.Path...)
	b = append(b, p.url.Query...)
	b = append(p.url.AppendHost(append(b, " HTTP/1.1\r\nHost: "...)), "\r\n"...)
	b = appendOurs(b, headers, "User-Agent", userAgent)
	b = appendOurs(b, headers, "Accept", "*/*")
	b = appendOurs(b, headers, "Accept-Encoding", "gzip")
	for _, h := range headers {
		if cookies != "" && strings.EqualFold(h.Name, "Cookie") {
			cookies = h.Value + "; " + cookies
			continue
		}
		b = appendField(b, h.Name, h.Value)
	}
	if cookies != "" {
		b = appendField(b, "Cookie", cookies)
	}
	return append(b, "Connection: close\r\n\r\n"...)
}

func appendOurs(b []byte, theirs []check.Header, name, value string) []byte {
	for _, h := range theirs {
		if strings.EqualFold(h.Name, name) {
			return b
		}
	}
	return appendField(b, name, value)
}

func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	return append(append(b, value...), "\r\n"...)
}
