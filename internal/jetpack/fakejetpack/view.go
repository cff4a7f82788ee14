package fakejetpack

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/Automattic/jetmon/internal/jetpack/signature"
)

// View is how PHP sees a request after a proxy in front has changed it. The zero value
// changes nothing.
type View struct {
	// Host is the Host header that PHP gets; empty is the client's.
	Host string
	// HTTPS makes PHP believe that it was called by https, HTTP by http.
	HTTPS, HTTP bool
	// From and To replace the beginning of the path, as a proxy that strips a directory.
	From, To string
	// Added is added to the query, as "lang=en".
	Added string
	// Body changes the body of a POST.
	Body func([]byte) []byte
	// QueryLost hides the query from PHP at xmlrpc.php, as a rewrite rule without $args.
	QueryLost bool
}

// sees returns the request as PHP sees it.
func (v View) sees(r signature.Received) signature.Received {
	if v.Host != "" {
		r.Host = v.Host
	}
	r.HTTPS = r.HTTPS && !v.HTTP || v.HTTPS
	path, query, has := strings.Cut(r.URI, "?")
	if v.From != "" || v.To != "" {
		if rest, ok := strings.CutPrefix(path, v.From); ok {
			path = v.To + rest
		}
	}
	if v.QueryLost && strings.HasSuffix(path, "/xmlrpc.php") {
		query, has = "", false
	}
	if v.Added != "" {
		query, has = strings.TrimPrefix(query+"&"+v.Added, "&"), true
	}
	r.URI = path
	if has {
		r.URI += "?" + query
	}
	return r
}

// received returns the request as PHP sees it.
func (s *Site) received(r *http.Request, body []byte) signature.Received {
	port := s.o.ServerPort
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && port == 0 {
		if _, text, err := net.SplitHostPort(addr.String()); err == nil {
			port, _ = strconv.Atoi(text)
		}
	}
	received := signature.FromHTTP(r, body, port)
	if host, _, err := net.SplitHostPort(r.Host); err == nil && !s.o.RawHost {
		received.Host = host
	}
	return s.o.View.sees(received)
}

// query returns the parameters that PHP gets.
func (s *Site) query(r *http.Request) url.Values {
	_, raw, _ := strings.Cut(s.received(r, nil).URI, "?")
	query, _ := url.ParseQuery(raw) // PHP ignores what it cannot read, too
	return query
}
