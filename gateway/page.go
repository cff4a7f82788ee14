package gateway

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/Automattic/jetmon/gateway/docs"
	"github.com/Automattic/jetmon/gateway/ui"
	"github.com/Automattic/jetmon/internal/fault"
)

// page is a page of the gateway's own. Everybody may read it.
type page struct {
	show http.HandlerFunc
	// probe means that load balancers ask for it, by whatever host.
	probe bool
	// part means that another page loads it, and that nobody asks for it otherwise.
	part bool
	// keep says who may keep it, and for how long; without it each use asks again.
	keep string
}

// answer shows the page.
func (p page) answer(w http.ResponseWriter, req *http.Request, method string) error {
	if method != http.MethodGet {
		return wrongMethod(w, req, []string{http.MethodGet})
	}
	if err := checkNoBody(w, req); err != nil {
		return err
	}
	if p.probe {
		p.show(w, req)
		return nil
	}
	x := reading(req)
	x.keep = p.keep
	p.show(&taggingWriter{ResponseWriter: w, x: x}, req)
	return nil
}

// allPages returns the pages by their paths.
func (h *handler) allPages(openAPI []byte) map[string]page {
	pages := map[string]page{
		"/healthz": {probe: true, show: func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, okPage()) }},
		"/readyz":  {probe: true, show: h.showReady},
	}
	if len(openAPI) > 0 {
		pages["/openapi.json"] = page{show: func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, openAPI) }}
		for _, f := range docs.Files() {
			pages[f.Path] = page{part: f.Path != docs.Path, show: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Security-Policy", docs.Policy)
				writeAs(w, http.StatusOK, f.Type, f.Body)
			}}
		}
	}
	if h.cockpit != nil {
		pages[ui.Prefix] = page{} // for the list: it answers itself
	}
	index := h.index(pages)
	delete(pages, ui.Prefix)
	show := func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, index) }
	if h.cockpit != nil {
		show = towards(show)
		pages[strings.TrimSuffix(ui.Prefix, "/")] = page{part: true, show: redirect}
	}
	pages["/"] = page{show: show}
	return pages
}

func okPage() []byte { return []byte(`{"status":"ok"}` + "\n") }

// index returns the list of all paths.
func (h *handler) index(pages map[string]page) []byte {
	list := struct {
		Service string              `json:"service"`
		Paths   map[string][]string `json:"paths"`
	}{"jetmon", map[string][]string{}}
	for path, p := range pages {
		if p.part {
			continue
		}
		list.Paths[path] = []string{http.MethodGet}
	}
	for _, r := range h.routes {
		shown := r.shown()
		list.Paths[shown] = append(list.Paths[shown], r.method)
	}
	raw, err := json.MarshalIndent(list, "", "  ")
	if err != nil { // strings only: it cannot
		return okPage()
	}
	return append(raw, '\n')
}

// shown returns the template as a user would write it, as {site_id} for every path of that
// field.
func (r *route) shown() string {
	path := ""
	for _, s := range r.segments {
		path += "/" + s.literal
		if s.field != "" {
			path += "{" + r.name(s.field) + "}"
		}
	}
	if r.verb != "" {
		path += ":" + r.verb
	}
	return path
}

// showReady answers whether a coordinator is ready, or in plain words why none is.
func (h *handler) showReady(w http.ResponseWriter, req *http.Request) {
	u := h.unready(req.Context())
	if u == nil {
		write(w, http.StatusOK, okPage())
		return
	}
	h.log.DebugContext(req.Context(), "not ready", "error", u)
	fail(w, fault.New(fault.Unavailable, "%s", u.why))
}
