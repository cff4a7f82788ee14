package fakejetpack

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Obstacle stands between the world and xmlrpc.php; the empty one lets everything through.
type Obstacle string

// The obstacles that answer instead of the site, with a page.
const (
	MethodFilter        Obstacle = "method filter for GET"
	SecurityPlugin      Obstacle = "security plugin"
	Wordfence           Obstacle = "Wordfence"
	Sucuri              Obstacle = "Sucuri"
	Cloudflare          Obstacle = "Cloudflare"
	CloudflareChallenge Obstacle = "Cloudflare's challenge"
	CloudflareNoOrigin  Obstacle = "Cloudflare without its origin"
	Imunify360          Obstacle = "Imunify360"
	Imperva             Obstacle = "Imperva"
	Akamai              Obstacle = "Akamai"
	AWSWAF              Obstacle = "AWS WAF"
	DDoSGuard           Obstacle = "DDoS-Guard"
	ModSecurity         Obstacle = "mod_security"
	SiteGroundChallenge Obstacle = "SiteGround's challenge"
	CookieChallenge     Obstacle = "a host's challenge by cookie"
	ForbiddenByServer   Obstacle = "deny rule of the web server"
	ForbiddenByApache   Obstacle = "deny rule of .htaccess"
	Deleted             Obstacle = "deleted file"
	PostRefused         Obstacle = "method filter for POST"
	RedirectToWWW       Obstacle = "redirect"
	BasicAuth           Obstacle = "basic auth"
	LoginWall           Obstacle = "login wall"
	TooManyRequests     Obstacle = "rate limit with 429"
	Overloaded          Obstacle = "rate limit with 503"
	BadGateway          Obstacle = "PHP does not run"
	GatewayTimeout      Obstacle = "PHP is too slow"
	FatalError          Obstacle = "fatal error"
	EmptyPage           Obstacle = "empty answer"
	HTMLPage            Obstacle = "HTML answer"
	JSONAnswer          Obstacle = "JSON answer"
	ParkedDomain        Obstacle = "parked domain"
	Suspended           Obstacle = "suspended account"
	DefaultPage         Obstacle = "default page of the web server"
	DirectoryListing    Obstacle = "listing of a directory"
	SourceShown         Obstacle = "source of PHP"
	// XMLRPCOff answers every call as WordPress answers those with a login alone when
	// xmlrpc_enabled is false.
	XMLRPCOff Obstacle = "every call refused by fault 405"
	// TooLarge refuses every body.
	TooLarge Obstacle = "limit on bodies"
	// Silence does not answer until the client goes away, Hangup closes the connection.
	Silence Obstacle = "dropped packets"
	Hangup  Obstacle = "connection closed"
)

// The obstacles that change what the site answers, or what it gets.
const (
	ByteOrderMark Obstacle = "byte order mark"
	PHPWarning    Obstacle = "PHP warning before the XML"
	WarningAfter  Obstacle = "PHP warning after the XML"
	UTF16         Obstacle = "answer in UTF-16"
	// BlankLines is harmless.
	BlankLines Obstacle = "blank lines before the XML"
	CutShort   Obstacle = "answer cut short"
	// CutOff breaks the connection in the middle of an answer.
	CutOff Obstacle = "answer cut off"
	// NotGzip says that the answer is compressed when it is not.
	NotGzip     Obstacle = "broken compression"
	BodyDropped Obstacle = "body dropped by a proxy"
	NoXMLModule Obstacle = "PHP without its XML module"
)

// Obstacles returns all obstacles.
func Obstacles() []Obstacle {
	all := []Obstacle{Silence, Hangup}
	for o := range pages {
		all = append(all, o)
	}
	for o := range changes {
		all = append(all, o)
	}
	slices.Sort(all)
	return all
}

// serve answers a request for which the site itself would answer by next, with the body that
// it gets.
func (o Obstacle) serve(w http.ResponseWriter, r *http.Request, body []byte, next func(http.ResponseWriter, []byte)) {
	switch o {
	case Silence:
		<-r.Context().Done()
		return
	case Hangup:
		panic(http.ErrAbortHandler)
	}
	if p, ok := pages[o]; ok && (!p.post || r.Method == http.MethodPost) && (!p.get || r.Method != http.MethodPost) {
		p.serve(w, r)
		return
	}
	change, ok := changes[o]
	if !ok {
		next(w, body)
		return
	}
	a := &answer{header: w.Header(), status: http.StatusOK}
	if o == BodyDropped {
		body = nil
	}
	next(a, body)
	change(a, r)
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // the client may be gone
	}
	if o == CutOff {
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		panic(http.ErrAbortHandler)
	}
}

// answer is an answer on its way out.
type answer struct {
	header http.Header
	status int
	body   []byte
}

// Header, Write and WriteHeader make it an http.ResponseWriter.
func (a *answer) Header() http.Header    { return a.header }
func (a *answer) WriteHeader(status int) { a.status = status }
func (a *answer) Write(p []byte) (int, error) {
	a.body = append(a.body, p...)
	return len(p), nil
}

// warning is what PHP prints with display_errors.
const warning = "<br />\n<b>Warning</b>:  Undefined variable $x in <b>/srv/www/wp-content/plugins/x/x.php</b> on line <b>3</b><br />\n"

// parseError is the fault of WordPress for a call that it cannot read.
const parseError = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<methodResponse>\n  <fault>\n    <value>\n      <struct>\n        <member>\n          <name>faultCode</name>\n          <value><int>-32700</int></value>\n        </member>\n        <member>\n          <name>faultString</name>\n          <value><string>parse error. not well formed</string></value>\n        </member>\n      </struct>\n    </value>\n  </fault>\n</methodResponse>\n"

// changes are the obstacles that change an answer.
var changes = map[Obstacle]func(*answer, *http.Request){
	ByteOrderMark: before("\ufeff"),
	PHPWarning:    before(warning),
	BlankLines:    before("\n\n"),
	WarningAfter:  func(a *answer, _ *http.Request) { a.body = append(a.body, warning...) },
	UTF16: func(a *answer, _ *http.Request) {
		wide := []byte{0xff, 0xfe}
		for _, b := range a.body {
			wide = append(wide, b, 0)
		}
		a.body = wide
	},
	CutShort: func(a *answer, r *http.Request) {
		if r.Method == http.MethodPost {
			a.body = a.body[:len(a.body)/2]
		}
	},
	CutOff: func(a *answer, _ *http.Request) {
		a.header.Set("Content-Length", "100000")
		a.body = a.body[:len(a.body)/2]
	},
	NotGzip:     func(a *answer, _ *http.Request) { a.header.Set("Content-Encoding", "gzip") },
	BodyDropped: func(*answer, *http.Request) {},
	NoXMLModule: func(a *answer, r *http.Request) {
		if strings.Contains(a.header.Get("Content-Type"), "text/xml") && r.Method == http.MethodPost {
			a.body = []byte(parseError)
		}
	},
}

// before returns the change of a site that prints a text before WordPress sets its header:
// then all is a page that is good.
// before prints a text first. Then the headers have gone before WordPress can set its own:
// the status, the type and the Date are those of PHP and the web server.
func before(text string) func(*answer, *http.Request) {
	return func(a *answer, _ *http.Request) {
		a.body = append([]byte(text), a.body...)
		a.status = http.StatusOK
		a.header.Set("Content-Type", "text/html; charset=UTF-8")
		a.header.Del("Allow")
		if made, err := time.Parse(time.RFC1123Z, a.header.Get("Date")); err == nil {
			a.header.Set("Date", made.UTC().Format(http.TimeFormat))
		}
	}
}

// canned is a page that an obstacle answers with, to POST alone or to anything but POST
// alone if it says so.
type canned struct {
	status    int
	body      string
	header    []string
	post, get bool
	// to is where a redirect leads, by the host and the rest of what was asked for.
	to func(host, rest string) string
}

func (p canned) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	for i := 0; i+1 < len(p.header); i += 2 {
		w.Header().Set(p.header[i], p.header[i+1])
	}
	if p.to != nil && strings.HasPrefix(r.URL.Path, "/wp-login.php") {
		_, _ = io.WriteString(w, loginForm) // the client may be gone
		return
	}
	if p.to != nil {
		w.Header().Set("Location", p.to(r.Host, r.URL.RequestURI()))
	}
	w.WriteHeader(p.status)
	_, _ = io.WriteString(w, p.body) // the client may be gone
}
