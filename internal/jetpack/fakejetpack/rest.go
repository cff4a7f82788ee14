package fakejetpack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// rest serves the REST API: its index, a route that takes a body, and Jetpack's part about
// the sync queue.
func (s *Site) rest(w http.ResponseWriter, r *http.Request, path string, body []byte) {
	if notice := s.o.RESTNotice; notice != "" {
		a := &answer{header: w.Header(), status: http.StatusOK}
		defer func(w http.ResponseWriter) {
			before(notice)(a, r)
			w.WriteHeader(a.status)
			_, _ = w.Write(a.body) // the client may be gone
		}(w)
		w = a
	}
	signer, ok := s.authenticate(w, r, body)
	if !ok {
		return
	}
	if r.Method == http.MethodGet {
		w.Header().Set("Allow", "GET")
	}
	switch {
	case s.o.RESTClosed != "" && (signer == nil || s.o.RESTForUsers && signer.UserID == 0):
		restError(w, s.o.RESTStatus, s.o.RESTClosed, "Only logged in users may use the REST API of this site.")
	case path == "" || path == "/":
		s.restIndex(w, r)
	case path == "/batch/v1" && r.Method == http.MethodPost:
		restBody(w, body)
	case path == "/jetpack/v4/connection" && r.Method == http.MethodGet && !s.o.NoJetpack && !s.o.Plugin.NoStatus:
		writeJSON(w, http.StatusOK, s.connectionStatus(signer))
	case path == "/jetpack/v4/module/all" && r.Method == http.MethodGet && !s.o.NoJetpack:
		s.modules(w, signer)
	case strings.HasPrefix(path, "/jetpack/v4/sync/") && !s.o.NoJetpack:
		s.sync(w, r, strings.TrimPrefix(path, "/jetpack/v4/sync"), signer)
	default:
		noRoute(w)
	}
}

// indexBytes is the size of the whole index of a WordPress 7.0.4 with Jetpack 16.1.2.
const indexBytes = 376_067

// restIndex serves the index. It is large, but for callers who name the fields they want.
func (s *Site) restIndex(w http.ResponseWriter, r *http.Request) {
	names := []string{"oembed/1.0", "wp/v2", "wp-site-health/v1", "wp-block-editor/v1"}
	if !s.o.NoJetpack {
		names = append(names, "jetpack/v4", "jetpack/v4/sync")
	}
	wanted := strings.Split(r.URL.Query().Get("_fields"), ",")
	var out bytes.Buffer
	field := func(name string, value any) {
		if wanted[0] != "" && !slices.Contains(wanted, name) {
			return
		}
		text, err := json.Marshal(value)
		if err != nil {
			return // no value here fails
		}
		fmt.Fprintf(&out, ",%q:%s", name, text)
	}
	field("name", "A site")
	field("description", "")
	field("url", strings.TrimSuffix(s.siteURL(r), "/"))
	field("home", strings.TrimSuffix(s.home(r), "/"))
	field("gmt_offset", "0")
	field("timezone_string", "")
	field("namespaces", names)
	field("authentication", []any{})
	field("site_icon", 0)
	field("site_icon_url", "")
	field("site_logo", 0)
	field("routes", routes())
	writeJSON(w, http.StatusOK, json.RawMessage("{"+strings.TrimPrefix(out.String(), ",")+"}"))
}

// routes fill the index.
func routes() map[string]any {
	all := map[string]any{}
	for i, size := 0, 0; size < indexBytes-1000; i++ {
		all[fmt.Sprintf("/wp/v2/things-%d", i)] = map[string]any{"namespace": "wp/v2", "methods": []string{"GET"}, "description": strings.Repeat("A thing. ", 80)}
		size += 800
	}
	return all
}

// restBody answers a POST as a route does that needs a body: WordPress reads it before it
// looks at anything else.
func restBody(w http.ResponseWriter, body []byte) {
	if len(body) > 0 && !json.Valid(body) {
		restError(w, http.StatusBadRequest, "rest_invalid_json", "Invalid JSON body passed.")
		return
	}
	restError(w, http.StatusBadRequest, "rest_missing_callback_param", "Missing parameter(s): requests")
}

func noRoute(w http.ResponseWriter) {
	restError(w, http.StatusNotFound, "rest_no_route", "No route was found matching the URL and request method.")
}

func restError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Del("Allow")
	writeJSON(w, status, map[string]any{"code": code, "message": message, "data": map[string]any{"status": status}})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}
