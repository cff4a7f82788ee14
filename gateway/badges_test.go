package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/badge"
	"github.com/Automattic/jetmon/internal/rpc"
)

// A badge stands on pages of all origins, asks nobody who they are, and can do nothing there.
func TestABadgeIsShownToEverybody(t *testing.T) {
	t.Parallel()
	const node = "0123456789abcdef0123456789abcdef"
	f := &fake{}
	f.access = rpc.NewAuthorizer(rpc.AuthorizerOptions{Roles: []access.RoleToken{{Role: access.Gateway, Token: node}}, Keys: keys{}})
	h := open(t, f, func(o *gateway.Options) { o.Client.Token = node })
	want := string(badge.Draw("status", "up", badge.Good))
	first := h.send("GET", "/badge/7/status.svg", "")
	for name, header := range map[string][]string{
		"nobody": nil, "an image of another page": {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"},
		"a wrong token, which is not passed on": {"Authorization", "Bearer wrong"},
	} {
		a := h.send("GET", "/badge/7/status.svg", "", header...)
		if a.status != 200 || a.body != want {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		for key, value := range map[string]string{
			"Content-Type": "image/svg+xml; charset=utf-8", "Cache-Control": "public, max-age=300, stale-if-error=3600", "X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'", "Cross-Origin-Resource-Policy": "cross-origin", "Etag": first.header.Get("ETag"),
		} {
			if got := a.header.Get(key); got != value || value == "" {
				t.Errorf("%s: %s is %q, want %q", name, key, got, value)
			}
		}
	}
	if a := h.send("GET", "/badge/7/status.svg", "", "If-None-Match", first.header.Get("ETag")); a.status != 304 || a.body != "" || !strings.HasPrefix(a.header.Get("Cache-Control"), "public") {
		t.Errorf("asked again: %d %s, %q", a.status, a.body, a.header.Get("Cache-Control"))
	}
	if a := h.send("HEAD", "/badge/7/status.svg", ""); a.status != 200 || a.body != "" || a.header.Get("ETag") != first.header.Get("ETag") {
		t.Errorf("HEAD: %d %q, %q", a.status, a.body, a.header.Get("ETag"))
	}
}

func TestWhatIsNoBadgeIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	text := func(a answer) string { return fmt.Sprint(a.json["code"], a.json["message"]) }
	missing := h.send("GET", "/badge/8/status.svg", "")
	for path, status := range map[string]int{
		"/badge/8/status.svg": 404, "/badge/999999999999999999/status.svg": 404, "/badge/99999999999999999999/status.svg": 400, "/badge/-1/status.svg": 400, "/badge/7/status.png": 400, "/badge/7/status": 400,
		"/badge/007/status.svg": 400, "/badge/a/status.svg": 400, "/badge//status.svg": 404, "/badge/7": 404, "/badge/7/": 404, "/badge/7/status.svg/": 404,
		"/badge/7/../8/status.svg": 400, "/badge/%2e%2e/status.svg": 400, "/badge/7/..%2fstatus.svg": 400, "/badge/7%2fstatus.svg": 404,
		"/badge/7/status.svg?x=1": 400, "/badge/7/status.svg%00": 400, "/badge/7/" + strings.Repeat("a", 5000): 400,
	} {
		a := h.send("GET", path, "")
		if a.status != status || strings.Contains(a.body, "<svg") || strings.Contains(a.header.Get("Cache-Control"), "public") {
			t.Errorf("%.60s: %d %.200s (%s), want %d", path, a.status, a.body, a.header.Get("Cache-Control"), status)
		}
		if status == 404 && strings.HasSuffix(path, "/status.svg") && strings.Count(path, "/") == 3 && !strings.Contains(path, "//") && text(a) != text(missing) {
			t.Errorf("%s: %s, and of a site without badges %s", path, a.body, missing.body)
		}
	}
	if a := h.send("POST", "/badge/7/status.svg", "{}", "Content-Type", "application/json"); a.status != 405 || a.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, %s", a.status, a.header.Get("Allow"))
	}
}
