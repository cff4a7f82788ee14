package demo

import (
	"html/template"
	"net/http"
	"time"
)

// Sites are the demo's web sites:
//
//	/          an index, 200
//	/healthy   always 200
//	/flapping  200 for Up, then 503 for Down, and so on
//	/blocked   403 with the page of a firewall
//
// NewSites makes them; the flapping site is up first.
type Sites struct {
	up, down time.Duration
	now      func() time.Time
	start    time.Time
	mux      *http.ServeMux
	// site is a plain page, list the index.
	site, list *template.Template
}

// paths returns the paths of the sites in the order of the index.
func paths() []string { return []string{"/healthy", "/flapping", "/blocked"} }

// NewSites makes the sites. A nil now means time.Now.
func NewSites(up, down time.Duration, now func() time.Time) *Sites {
	if now == nil {
		now = time.Now
	}
	s := &Sites{
		up: up, down: down, now: now, start: now(),
		mux:  http.NewServeMux(),
		site: template.Must(template.New("site").Parse(sitePage)),
		list: template.Must(template.New("index").Parse(indexPage)),
	}
	s.mux.HandleFunc("GET /{$}", s.index)
	s.mux.HandleFunc("GET /healthy", func(w http.ResponseWriter, _ *http.Request) {
		writePage(w, s.site, http.StatusOK, page{"Healthy", "This site is always up."})
	})
	s.mux.HandleFunc("GET /flapping", s.flapping)
	s.mux.HandleFunc("GET /blocked", s.blocked)
	return s
}

// ServeHTTP serves the paths in the comment of Sites.
func (s *Sites) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Flapping reports whether the flapping site is up, and for how much longer.
func (s *Sites) Flapping() (up bool, remains time.Duration) {
	in := s.now().Sub(s.start) % (s.up + s.down)
	if in < s.up {
		return true, s.up - in
	}
	return false, s.up + s.down - in
}

func (s *Sites) flapping(w http.ResponseWriter, _ *http.Request) {
	if up, _ := s.Flapping(); !up {
		writePage(w, s.site, http.StatusServiceUnavailable, page{"Service unavailable", "This site is down for a while."})
		return
	}
	writePage(w, s.site, http.StatusOK, page{"Flapping", "This site is up for a while."})
}

// blocked answers like the firewall of a CDN that takes the monitor for a bot: 403, and
// headers that name the firewall.
func (s *Sites) blocked(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Server", "cloudflare")
	h.Set("CF-RAY", "8f1e2d3c4b5a6978-DEM")
	h.Set("CF-Mitigated", "challenge")
	writePage(w, s.site, http.StatusForbidden, page{"Sorry, you have been blocked",
		"The demo's firewall takes you for a bot. The site behind it works."})
}

func (s *Sites) index(w http.ResponseWriter, _ *http.Request) {
	up, remains := s.Flapping()
	writePage(w, s.list, http.StatusOK, struct {
		Up      bool
		Remains time.Duration
	}{up, remains.Round(time.Second)})
}

type page struct{ Title, Text string }

const sitePage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Title}}</title>` + style + `</head>
<body><h1>{{.Title}}</h1><p>{{.Text}}</p></body></html>
`

const indexPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<title>Demo sites</title>` + style + `</head><body>
<h1>Demo sites</h1>
<table>
<tr><td><a href="/healthy">/healthy</a></td><td class="up">up</td><td>always</td></tr>
<tr><td><a href="/flapping">/flapping</a></td>{{if .Up}}<td class="up">up</td>{{else}}<td class="down">down</td>{{end}}<td>for {{.Remains}} more</td></tr>
<tr><td><a href="/blocked">/blocked</a></td><td class="down">blocked</td><td>always: 403 and a firewall's page</td></tr>
</table>
</body></html>
`
