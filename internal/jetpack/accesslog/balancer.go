package accesslog

import (
	"bytes"
	"slices"
)

// The fields of a line of AWS's application load balancer, before the request.
const (
	balancerTime = iota + 1
	_
	balancerClient
	balancerTarget
	balancerWait
	balancerTook
	balancerAnswer
	balancerStatus
	_
	_
	balancerSent
	balancerFields
)

// isBalancer reports whether a line is one of AWS's application load balancer: a type, and a
// time in ISO 8601.
func isBalancer(line []byte) bool {
	kind, rest, ok := bytes.Cut(line, []byte(" "))
	return ok && len(rest) > 20 && rest[4] == '-' && rest[10] == 'T' &&
		slices.Contains([]string{"http", "https", "h2", "grpcs", "ws", "wss"}, string(kind))
}

// parseBalancer parses such a line. Its sizes include the headers.
func parseBalancer(line []byte) (e entry, ok bool) {
	var fields [balancerFields][]byte
	rest := line
	for i := range fields {
		if fields[i], rest, ok = bytes.Cut(rest, []byte(" ")); !ok {
			return e, false
		}
	}
	request, rest, ok := quoted(rest)
	if !ok {
		return e, false
	}
	e.userAgent, _, _ = quoted(rest)
	if e.status, _, ok = status(fields[balancerStatus]); !ok {
		return e, false
	}
	if e.bytes, _, ok = size(fields[balancerSent]); !ok {
		return e, false
	}
	for _, part := range [][]byte{fields[balancerWait], fields[balancerTook], fields[balancerAnswer]} {
		e.took += seconds(part)
	}
	e.method, e.uri = splitRequest(request)
	e.uri = withoutHost(e.uri)
	e.stamp, e.source, e.server = fields[balancerTime], fields[balancerClient], ServerBalancer
	return e, true
}

// withoutHost cuts "https://example.com:443" off a URL.
func withoutHost(uri []byte) []byte {
	at := bytes.Index(uri, []byte("://"))
	if at <= 0 || at > len("https") || uri[0] == '/' {
		return uri
	}
	slash := bytes.IndexByte(uri[at+3:], '/')
	if slash < 0 {
		return []byte("/")
	}
	return uri[at+3+slash:]
}
