package gateway

import (
	"net/http"
	"strings"

	"github.com/Automattic/jetmon/gateway/ui"
)

const (
	// fileKeep lets a browser keep a file of the cockpit for ever: another one has another path.
	fileKeep = "public, max-age=31536000, immutable"
	// pageKeep has it ask each time whether the page has changed.
	pageKeep = "no-cache"
)

// pageAt returns the page at a path, and the name of its route for metrics: all pages of the
// cockpit share one.
func (h *handler) pageAt(path string) (p page, route string, ok bool) {
	if p, ok = h.statusAt(path); ok {
		return p, path, ok
	}
	if p, ok = h.pages[path]; ok || h.cockpit == nil {
		return p, path, ok
	}
	f, ok := h.cockpit.Find(path)
	return page{show: showFile(f), keep: keepOf(f)}, ui.Prefix, ok
}

func keepOf(f ui.File) string {
	if f.Page {
		return pageKeep
	}
	return fileKeep
}

// showFile answers a file of the cockpit.
func showFile(f ui.File) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if f.Page {
			w.Header().Set("Content-Security-Policy", ui.Policy)
		}
		writeAs(w, http.StatusOK, f.Type, f.Body)
	}
}

// towards sends a browser to the cockpit, and shows others a page.
func towards(others http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		w.Header().Add("Vary", "Accept")
		if !strings.Contains(strings.Join(req.Header.Values("Accept"), ","), "text/html") {
			others(w, req)
			return
		}
		redirect(w, req)
	}
}

// redirect sends a browser to the cockpit.
func redirect(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Location", ui.Prefix)
	w.WriteHeader(http.StatusSeeOther)
}
