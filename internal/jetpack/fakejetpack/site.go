package fakejetpack

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/signature"
	"github.com/Automattic/jetmon/internal/jetpack/syncqueue"
)

// maxBody is how much of a request the site reads.
const maxBody = 1 << 20

// maxNonces is how many nonces a site accepts per hour.
const maxNonces = 10_000

// Options of a site. The zero value is a healthy WordPress whose Jetpack is not
// connected.
type Options struct {
	// Tokens are the site's tokens; with a blog token the site is connected.
	Tokens signature.Keyring
	// NoJetpack leaves the plugin out.
	NoJetpack bool
	// Now is the site's clock; nil means time.Now.
	Now func() time.Time
	// Home is the address that the site claims; empty means the one in the request.
	Home string
	// ServerPort is PHP's SERVER_PORT; 0 means the port of the connection.
	ServerPort int
	// HTTPPort and HTTPSPort are the constants JETPACK_SIGNATURE__*_PORT.
	HTTPPort, HTTPSPort int
	// RawHost leaves the port in the Host header, as PHP sees it without a proxy in
	// front. Then signatures fail on odd ports, as with the real plugin.
	RawHost bool
	// Queue is the sync queue; nil means an empty one.
	Queue *syncqueue.Queue
	// Visitors are users whose role may not manage Jetpack.
	Visitors []int64
	// Sync is what the site says of its synchronisation beside the queue.
	Sync Sync
	// Obstacle stands before xmlrpc.php, or with Everywhere before the whole site.
	Obstacle   Obstacle
	Everywhere bool
}

// Site is a fake site.
type Site struct {
	o        Options
	verifier *signature.Verifier
}

// New makes a site.
func New(o Options) *Site {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Queue == nil {
		o.Queue = syncqueue.New(syncqueue.Options{Name: "sync", Now: o.Now})
	}
	return &Site{o: o, verifier: signature.NewVerifier(signature.VerifierOptions{
		Tokens: o.Tokens, Nonces: signature.NewNonces(maxNonces, o.Now), Now: o.Now, HTTPPort: o.HTTPPort, HTTPSPort: o.HTTPSPort,
	})}
}

// ServeHTTP answers one request.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	w.Header().Set("Date", s.o.Now().UTC().Format(http.TimeFormat))
	query := r.URL.Query()
	if s.o.Everywhere && s.o.Obstacle.stop(w, r) {
		return
	}
	switch path := r.URL.Path; {
	case path == "/xmlrpc.php":
		if s.o.Obstacle.stop(w, r) {
			return
		}
		s.xmlrpc(w, r, body)
	case path == "/" && r.Method == http.MethodPost && query.Get("for") == "jetpack" && query.Get("jetpack") == "comms" && !s.o.NoJetpack:
		s.xmlrpc(w, r, body)
	case path == "/wp-json" || strings.HasPrefix(path, "/wp-json/"):
		s.rest(w, r, strings.TrimPrefix(path, "/wp-json"), body)
	case path == "/":
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		w.Header().Set("Link", fmt.Sprintf(`<%swp-json/>; rel="https://api.w.org/"`, s.home(r)))
		_, _ = io.WriteString(w, "<!DOCTYPE html><html><head><title>A site</title></head><body>Hello world!</body></html>\n")
	default:
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<!DOCTYPE html><html><body>Page not found</body></html>\n")
	}
}

// home returns the site's address, ending in a slash.
func (s *Site) home(r *http.Request) string {
	if s.o.Home != "" {
		return strings.TrimSuffix(s.o.Home, "/") + "/"
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return scheme + r.Host + "/"
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
	return received
}

// rest serves the REST API: its index and Jetpack's part about the sync queue.
func (s *Site) rest(w http.ResponseWriter, r *http.Request, path string, body []byte) {
	switch {
	case path == "" || path == "/":
		names := []string{"oembed/1.0", "wp/v2"}
		if !s.o.NoJetpack {
			names = append(names, "jetpack/v4")
		}
		home := strings.TrimSuffix(s.home(r), "/")
		writeJSON(w, http.StatusOK, map[string]any{
			"name": "A site", "description": "", "url": home, "home": home, "gmt_offset": "0", "namespaces": names,
		})
	case path == "/jetpack/v4/module/all" && r.Method == http.MethodGet && !s.o.NoJetpack:
		s.modules(w, r, body)
	case strings.HasPrefix(path, "/jetpack/v4/sync/") && !s.o.NoJetpack:
		s.sync(w, r, strings.TrimPrefix(path, "/jetpack/v4/sync"), body)
	default:
		noRoute(w)
	}
}

func noRoute(w http.ResponseWriter) {
	restError(w, http.StatusNotFound, "rest_no_route", "No route was found matching the URL and request method.")
}

func restError(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]any{"code": code, "message": message, "data": map[string]any{"status": status}})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}
