package fakejetpack

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
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
	// View is what proxies in front make of a request.
	View View
	// Plugin is the state of Jetpack itself.
	Plugin Plugin
	// Queue is the sync queue; nil means an empty one.
	Queue *syncqueue.Queue
	// Visitors are users whose role may not manage Jetpack.
	Visitors []int64
	// Sync is what the site says of its synchronisation beside the queue.
	Sync Sync
	// Dir is the path of WordPress's files without a slash at its end, as "/blog"; empty means
	// the root. The home page is there, too, or with HomeAbove at the root, as that of a
	// WordPress in its own directory.
	Dir       string
	HomeAbove bool
	// PlainPermalinks leaves the REST API at ?rest_route= alone. LostRewrites does the same,
	// but WordPress believes that its permalinks work.
	PlainPermalinks, LostRewrites bool
	// Canonical redirects pages that are asked for at another scheme or host than Home's, as
	// WordPress does. It does not redirect xmlrpc.php and the REST API.
	Canonical bool
	// ProxyDate makes a Date with our clock, as that of a proxy in front.
	ProxyDate bool
	// RESTClosed is the code, and RESTStatus the status, with which a plugin refuses strangers
	// in the REST API; an empty code refuses nobody. RESTForUsers refuses also those who sign by
	// the blog's token: they are no user who is logged in.
	RESTClosed   string
	RESTStatus   int
	RESTForUsers bool
	// RESTNotice is a text that PHP prints before the JSON of the REST API, as a notice with
	// display_errors. WordPress turns that off in XML-RPC.
	RESTNotice string
	// State is what WordPress itself is in.
	State State
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
	// One state has two views.
	o.Sync.Offline = o.Sync.Offline || o.Plugin.Offline != ""
	o.Sync.SafeMode = o.Sync.SafeMode || o.Plugin.SafeMode
	if o.Queue == nil {
		o.Queue = syncqueue.New(syncqueue.Options{Name: "sync", Now: o.Now})
	}
	return &Site{o: o, verifier: signature.NewVerifier(signature.VerifierOptions{
		Tokens: o.Tokens, Nonces: signature.NewNonces(maxNonces, o.Now), Now: o.Now, TimeDiff: o.Plugin.TimeDiff, HTTPPort: o.HTTPPort, HTTPSPort: o.HTTPSPort,
	})}
}

// ServeHTTP answers one request.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	if s.o.View.Body != nil && r.Method == http.MethodPost {
		body = s.o.View.Body(body)
	}
	w.Header().Set("Date", s.clock().UTC().Format(http.TimeFormat))
	if s.o.Everywhere {
		s.o.Obstacle.serve(w, r, body, func(w http.ResponseWriter, body []byte) { s.serve(w, r, body) })
		return
	}
	s.serve(w, r, body)
}

// serve answers a request that has reached the web server.
func (s *Site) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	base := s.base()
	switch path := r.URL.Path; {
	case path == s.o.Dir+"/xmlrpc.php":
		s.door(w, r, body)
	case s.o.State.stop(w, r):
	case path == base+"/wp-json" || strings.HasPrefix(path, base+"/wp-json/"):
		if s.o.PlainPermalinks || s.o.LostRewrites {
			notFound(w)
			return
		}
		s.rest(w, r, strings.TrimPrefix(path, base+"/wp-json"), body)
	case path == base+"/", path == base+"/index.php", path == s.o.Dir+"/", path == s.o.Dir+"/index.php":
		s.index(w, r, body)
	case path == s.o.Dir:
		http.Redirect(w, r, path+"/", http.StatusMovedPermanently) // as web servers do for directories
	case path == "/":
		page(w, http.StatusOK, "<!DOCTYPE html><html><head><title>Another site</title></head><body>Files of another site</body></html>\n")
	default:
		notFound(w)
	}
}

// door serves xmlrpc.php. A site in trouble ends there without a word: WordPress speaks XML
// only once its server of XML-RPC is made.
func (s *Site) door(w http.ResponseWriter, r *http.Request, body []byte) {
	healthy := func(w http.ResponseWriter, body []byte) {
		if !s.o.State.silence(w) {
			s.toXMLRPC(w, r, body)
		}
	}
	if s.o.Everywhere {
		healthy(w, body) // the obstacle was passed already
		return
	}
	s.o.Obstacle.serve(w, r, body, healthy)
}

// toXMLRPC serves XML-RPC. Its answers have a Date that PHP made, whose zone is a number.
func (s *Site) toXMLRPC(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.Method == http.MethodPost && !s.o.ProxyDate {
		w.Header().Set("Date", s.o.Now().UTC().Format(time.RFC1123Z))
	}
	s.xmlrpc(w, r, body)
}

// index serves index.php: the detour, the REST API by its parameter, and pages.
func (s *Site) index(w http.ResponseWriter, r *http.Request, body []byte) {
	query := r.URL.Query()
	switch {
	case !query.Has("rest_route") && s.o.State.stopPage(w):
	case r.Method == http.MethodPost && query.Get("for") == "jetpack" && query.Get("jetpack") == "comms" && !s.o.NoJetpack:
		s.toXMLRPC(w, r, body)
	case query.Has("rest_route"):
		s.rest(w, r, query.Get("rest_route"), body)
	case s.o.Canonical && !s.isHome(r):
		w.Header().Set("X-Redirect-By", "WordPress")
		http.Redirect(w, r, strings.TrimSuffix(s.home(r), "/")+r.URL.RequestURI(), http.StatusMovedPermanently)
	case r.URL.Path != s.base()+"/" && r.URL.Path != s.base()+"/index.php":
		notFound(w)
	case strings.HasSuffix(r.URL.Path, "/index.php"):
		s.canonical(w, r)
	default:
		s.homePage(w, r)
	}
}

func (s *Site) homePage(w http.ResponseWriter, r *http.Request) {
	api := s.home(r) + "wp-json/"
	if s.o.PlainPermalinks {
		api = s.home(r) + "index.php?rest_route=/"
	}
	w.Header().Set("Link", "<"+api+`>; rel="https://api.w.org/"`)
	page(w, http.StatusOK, fmt.Sprintf(`<!DOCTYPE html><html><head><title>A site</title><link rel="https://api.w.org/" href=%q />`+
		`<link rel="EditURI" type="application/rsd+xml" title="RSD" href="%sxmlrpc.php?rsd" /></head><body><h1>A site</h1><p>Hello world!</p></body></html>`+"\n", api, s.siteURL(r)))
}

func page(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // the client may be gone
}

func notFound(w http.ResponseWriter) {
	page(w, http.StatusNotFound, "<!DOCTYPE html><html><head><title>Page not found</title></head><body>Page not found</body></html>\n")
}

// clock is the time in the Date of the web server, or of a proxy in front.
func (s *Site) clock() time.Time {
	if s.o.ProxyDate {
		return time.Now()
	}
	return s.o.Now()
}

// base is the path of the home page without a slash at its end.
func (s *Site) base() string {
	if s.o.HomeAbove {
		return ""
	}
	return s.o.Dir
}

func (s *Site) isHome(r *http.Request) bool {
	home, err := url.Parse(s.home(r))
	return err != nil || home.Host == r.Host && (home.Scheme == "https") == (r.TLS != nil)
}

// siteURL returns the address of WordPress's files, ending in a slash.
func (s *Site) siteURL(r *http.Request) string {
	if s.o.HomeAbove {
		return strings.TrimSuffix(s.home(r), "/") + s.o.Dir + "/"
	}
	return s.home(r)
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
	return scheme + r.Host + s.base() + "/"
}
