package gateway_test

import (
	"strings"
	"testing"

	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/rpc"
)

// routeScopes says, a second time, which scope each route takes.
var routeScopes = map[string]string{
	"GET /v1/incidents":                       "fleet:read",
	"GET /v1/incidents/{incident_id}":         "fleet:read",
	"GET /v1/incidents/{incident_id}/members": "fleet:read",

	"GET /v1/outages/{outage_id}:replay":                "outages:read",
	"GET /v1/outages/{outage_id}/notices":               "outages:read",
	"GET /v1/sites":                                     "sites:read",
	"GET /v1/sites/{site_id}":                           "sites:read",
	"GET /v1/sites:batchGet":                            "sites:read",
	"GET /v1/sites/{site_id}:explain":                   "sites:read",
	"POST /v1/sites":                                    "sites:write",
	"PATCH /v1/sites/{site_id}":                         "sites:write",
	"DELETE /v1/sites/{site_id}":                        "sites:write",
	"POST /v1/sites/{site_id}:diagnose":                 "checks:run",
	"POST /v1/sites/{site_id}:check":                    "checks:run",
	"POST /v1/sites/{site_id}:pause":                    "sites:write",
	"POST /v1/sites/{site_id}:resume":                   "sites:write",
	"POST /v1/sites:import":                             "sites:write",
	"GET /v1/sites:export":                              "sites:read",
	"GET /v1/sites/{site_id}/history":                   "sites:read",
	"GET /v1/sites/{site_id}/history:export":            "sites:read",
	"GET /v1/sites/{site_id}/uptime":                    "sites:read",
	"GET /v1/sites:batchGetUptimes":                     "sites:read",
	"GET /v1/fleet/history":                             "fleet:read",
	"GET /v1/advisories":                                "sites:read",
	"GET /badge/{site_id}/{badge}":                      "",
	"GET /v1/maintenances":                              "sites:read",
	"POST /v1/maintenances":                             "sites:write",
	"GET /v1/maintenances:calendar":                     "sites:read",
	"GET /v1/maintenances/{maintenance_id}":             "sites:read",
	"PATCH /v1/maintenances/{maintenance_id}":           "sites:write",
	"DELETE /v1/maintenances/{maintenance_id}":          "sites:write",
	"POST /v1/maintenances/{maintenance_id}:end":        "sites:write",
	"GET /v1/outages":                                   "outages:read",
	"GET /v1/outages/{outage_id}":                       "outages:read",
	"GET /v1/changes:watch":                             "outages:read",
	"GET /v1/fleet":                                     "fleet:read",
	"GET /v1/tokens":                                    "admin",
	"POST /v1/tokens":                                   "admin",
	"GET /v1/tokens/{token_id}":                         "admin",
	"DELETE /v1/tokens/{token_id}":                      "admin",
	"GET /v1/caller":                                    "any",
	"GET /v1/audit":                                     "admin",
	"GET /wpcom/v2/sites/{site}/jetpack-monitor-status": "sites:read",
	"GET /ui/":          "",
	"GET /healthz":      "",
	"GET /readyz":       "",
	"GET /docs":         "",
	"GET /openapi.json": "",
	"GET /wpcom/v2/sites/{site}/jetpack-monitor-settings":  "sites:read",
	"POST /wpcom/v2/sites/{site}/jetpack-monitor-settings": "sites:write",
	"GET /wpcom/v2/sites/{site}/jetpack-monitor-incidents": "sites:read",
	"GET /wpcom/v2/sites/{site}/jetpack-monitor-uptime":    "sites:read",
	"GET /wpcom/v2/sites/{site}/protect-dashboard/uptime":  "sites:read",
	"GET /wpcom/v2/jetpack-agency/sites":                   "sites:read",

	"GET /v1/notifications":                                 "notifications:manage",
	"GET /v1/notifications/{notification_id}":               "notifications:manage",
	"POST /v1/notifications/{notification_id}:replay":       "notifications:manage",
	"POST /v1/notifications:replay":                         "notifications:manage",
	"GET /v1/subscriptions":                                 "notifications:manage",
	"POST /v1/subscriptions":                                "notifications:manage",
	"GET /v1/subscriptions/{subscription_id}":               "notifications:manage",
	"PATCH /v1/subscriptions/{subscription_id}":             "notifications:manage",
	"DELETE /v1/subscriptions/{subscription_id}":            "notifications:manage",
	"POST /v1/subscriptions/{subscription_id}:enable":       "notifications:manage",
	"POST /v1/subscriptions/{subscription_id}:disable":      "notifications:manage",
	"POST /v1/subscriptions/{subscription_id}:test":         "notifications:manage",
	"POST /v1/subscriptions/{subscription_id}:rotateSecret": "notifications:manage",
}

// TestEveryRouteAsksForItsScope puts every credential to every route, before a server with the
// real contract.
func TestEveryRouteAsksForItsScope(t *testing.T) {
	t.Parallel()
	const node = "0123456789abcdef0123456789abcdef"
	roles := []access.RoleToken{{Role: access.Gateway, Token: node}}
	credentials := map[string]string{"": "", "Bearer wrong": "", "Basic jm_admin": "", "Bearer": ""} // the scope of each
	tokens := keys{}
	for i, scope := range access.AllScopes() {
		set, err := access.ParseScopes([]string{scope})
		if err != nil {
			t.Fatal(err)
		}
		tokens["jm_"+scope] = access.Caller{TokenID: int64(i + 1), Name: scope, Scopes: set}
		credentials["Bearer jm_"+scope] = scope
	}
	for _, role := range access.Roles() {
		roles = append(roles, access.RoleToken{Role: role, Token: string(role) + "-token"})
		credentials["Bearer "+string(role)+"-token"] = "role"
	}
	f := newFake()
	f.access = rpc.NewAuthorizer(rpc.AuthorizerOptions{Roles: roles, Keys: tokens})
	h := open(t, f, func(o *gateway.Options) { o.Client.Token = node })
	paths, _ := h.get("/").json["paths"].(map[string]any)
	seen := map[string]bool{}
	for path, methods := range paths {
		list, _ := methods.([]any)
		for _, m := range list {
			method, _ := m.(string)
			want, ok := routeScopes[method+" "+path]
			if !ok {
				t.Errorf("%s %s is not in this table", method, path)
				continue
			}
			seen[method+" "+path] = true
			url := strings.NewReplacer("{site_id}", "7", "{badge}", "status.svg", "{outage_id}", "3", "{incident_id}", "3", "{token_id}", "3", "{site}", "7", "{maintenance_id}", "3", "{subscription_id}", "3", "{notification_id}", "3").Replace(path)
			for header, scope := range credentials {
				a := h.send(method, url, "", "Authorization", header)
				refused := a.status == 401 || a.status == 403
				may := want == "" || want == "any" && strings.Contains(header, "jm_") && scope != "" || scope == want || scope == "admin"
				switch {
				case (path == "/v1/sites:batchGet" || path == "/wpcom/v2/jetpack-agency/sites") && a.status == 400, method == "POST" && (a.status == 400 || a.status == 415), method == "PATCH" && a.status == 400:
					// The gateway itself has found a mistake in the request; see below.
				case refused == may:
					t.Errorf("%s %s with %q: %d %s", method, url, header, a.status, a.body)
				case !may && strings.Contains(path, "/protect-dashboard/"): // where both are not_connected
				case !may && (a.status == 401) != (scope == ""):
					t.Errorf("%s %s with %q: %d, want 401 for who is not known, 403 for who is", method, url, header, a.status)
				}
			}
		}
	}
	for route := range routeScopes {
		if !seen[route] {
			t.Errorf("there is no %s", route)
		}
	}
	for _, c := range []struct{ method, url, body, want, kind string }{
		{"POST", "/v1/sites", `{"url":"http://a.example/"}`, "sites:write", "application/json"},
		{"PATCH", "/v1/sites/7", `{"paused":true}`, "sites:write", "application/json"},
		{"POST", "/v1/sites:import", `{"url":"http://b.example/"}`, "sites:write", "application/x-ndjson"},
		{"POST", "/v1/tokens", `{"name":"a","scopes":["sites:read"]}`, "admin", "application/json"},
		{"GET", "/v1/sites:batchGet?site_ids=7", "", "sites:read", "application/json"},
		{"GET", "/wpcom/v2/jetpack-agency/sites?blog_ids=7", "", "sites:read", "application/json"},
	} {
		for header, scope := range credentials {
			if a := h.send(c.method, c.url, c.body, "Authorization", header, "Content-Type", c.kind); (a.status == 401 || a.status == 403) == (scope == c.want || scope == "admin") {
				t.Errorf("%s %s with %q: %d %s", c.method, c.url, header, a.status, a.body)
			}
		}
	}
}
