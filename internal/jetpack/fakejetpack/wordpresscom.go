package fakejetpack

import (
	"net/http"
	"strings"
)

// WordPressCom is the part of WordPress.com's public API that describes sites:
// GET /rest/v1.1/sites/{host}.
type WordPressCom struct {
	// Sites are the known sites by host name.
	Sites map[string]Metadata
}

// Metadata is the public description of a site.
type Metadata struct {
	ID      int64
	URL     string
	Jetpack bool
	// ConnectionOnly is a site that one of Jetpack's smaller plugins has connected.
	ConnectionOnly bool
	// Plan is the plan's short name; empty leaves it out.
	Plan string
	// XMLRPC is the link to xmlrpc.php; empty leaves it out.
	XMLRPC string
	// Private makes the API answer 403, as for a site that is not public.
	Private bool
}

// ServeHTTP answers one request.
func (c *WordPressCom) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, ok := strings.CutPrefix(r.URL.Path, "/rest/v1.1/sites/")
	if !ok {
		// The real API redirects browsers from its root to the documentation.
		http.Redirect(w, r, "https://developer.wordpress.com/docs/api/", http.StatusFound)
		return
	}
	m, known := c.Sites[host]
	switch {
	case !known:
		writeJSON(w, http.StatusNotFound, map[string]any{"error": "unknown_blog", "message": "Unknown blog"})
	case m.Private:
		writeJSON(w, http.StatusForbidden, map[string]any{"error": "unauthorized", "message": "API calls to this blog have been disabled."})
	default:
		links := map[string]any{"self": "https://public-api.wordpress.com/rest/v1.1/sites/" + host}
		if m.XMLRPC != "" {
			links["xmlrpc"] = m.XMLRPC
		}
		about := map[string]any{
			"ID": m.ID, "name": "A site", "description": "", "URL": m.URL, "jetpack": m.Jetpack,
			"jetpack_connection": m.Jetpack || m.ConnectionOnly, "meta": map[string]any{"links": links},
		}
		if m.Plan != "" {
			about["plan"] = map[string]any{"product_id": 2000, "product_slug": "jetpack_premium", "product_name_short": m.Plan, "expired": false}
		}
		writeJSON(w, http.StatusOK, about)
	}
}
