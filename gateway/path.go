package gateway

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/Automattic/jetmon/internal/fault"
)

// pathOf returns a request's path as the client wrote it, with its percent-encoding: what
// is encoded separates nothing. A filter in front of us reads the same path, so one path
// must have one meaning and one meaning one path; it refuses what other software could
// read otherwise.
func pathOf(u *url.URL) (string, error) {
	if !utf8.ValidString(u.Path) || strings.ContainsFunc(u.Path, isControl) {
		return "", fault.InvalidField("path", "must be UTF-8 without control characters")
	}
	path := u.RawPath
	if path == "" {
		path = u.EscapedPath()
	}
	for i := 0; i+2 < len(path); i++ {
		if path[i] != '%' {
			continue
		}
		if c, err := url.PathUnescape(path[i : i+3]); err == nil && isUnreserved(c[0]) {
			return "", fault.InvalidField("path", "must not encode %s, which needs no encoding", c)
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return "", fault.InvalidField("path", "must not contain . or .. between its slashes")
		}
	}
	return path, nil
}

// isUnreserved says whether a character of a URL means the same with and without encoding
// (RFC 3986, section 2.3).
func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// urlAt returns the URL that leads the generated code to the same route with the same
// values as path led us.
func urlAt(path, query string) (*url.URL, error) {
	plain, err := url.PathUnescape(path)
	if err != nil {
		return nil, fault.InvalidField("path", "is malformed")
	}
	return &url.URL{Path: plain, RawPath: path, RawQuery: query}, nil
}
