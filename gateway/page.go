package gateway

import (
	"context"
	"encoding/json"
	"net/http"

	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/Automattic/jetmon/internal/fault"
)

// page is an answer of the gateway itself.
type page struct {
	show http.HandlerFunc
	open bool // to those without a token, too
}

func (h *handler) allPages(openAPI []byte) map[string]page {
	pages := map[string]page{
		"/healthz": {open: true, show: func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, okPage()) }},
		"/readyz":  {open: true, show: h.showReady},
	}
	if len(openAPI) > 0 {
		pages["/openapi.json"] = page{show: func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, openAPI) }}
	}
	index := h.index(pages)
	pages["/"] = page{show: func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, index) }}
	return pages
}

func okPage() []byte { return []byte(`{"status":"ok"}` + "\n") }

// index lists what there is.
func (h *handler) index(pages map[string]page) []byte {
	list := struct {
		Service string              `json:"service"`
		Paths   map[string][]string `json:"paths"`
	}{"jetmon", map[string][]string{}}
	for path := range pages {
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

// shown is the template as a user would write it: {site_id}, wherever it is bound to.
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

// showReady says whether the coordinator can do its work.
func (h *handler) showReady(w http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithTimeout(req.Context(), readyTimeout)
	defer cancel()
	health, err := grpc_health_v1.NewHealthClient(h.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	switch {
	case err != nil && h.conn.GetState() != connectivity.Ready:
		fail(w, fault.New(fault.Unavailable, unreachable))
	case err != nil:
		h.log.Warn("the coordinator's health is unknown", "error", err)
		fail(w, fault.New(fault.Unavailable, "the coordinator does not tell its health: %s", fault.Status(err).Code()))
	case health.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING:
		fail(w, fault.New(fault.Unavailable, "the coordinator says that it is %s", health.GetStatus()))
	default:
		write(w, http.StatusOK, okPage())
	}
}
