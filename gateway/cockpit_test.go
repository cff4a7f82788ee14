package gateway_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/gateway"
)

func TestTheCockpitIsServed(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	first := h.get("/ui/")
	policy := first.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q does not say %s", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy allows what is unsafe: %s", policy)
	}
	if h := first.header; first.status != 200 || h.Get("Content-Type") != "text/html; charset=utf-8" || h.Get("Cache-Control") != "no-cache" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%d %v", first.status, h)
	}
	if deep := h.get("/ui/outages/17?x=y"); deep.status != 200 || deep.body != first.body {
		t.Errorf("a link into it: %d", deep.status)
	}
	if again := h.send("GET", "/ui/sites", "", "If-None-Match", first.header.Get("ETag")); again.status != 304 || again.body != "" {
		t.Errorf("asked again: %d", again.status)
	}
	if regexp.MustCompile(`<script>|<style|style=|\son\w+=|\{base\}|\{preloads\}`).MatchString(first.body) {
		t.Errorf("the page has something inline, or a gap:\n%s", first.body)
	}
	loads := regexp.MustCompile(`(?:src|href)="(/ui/a/[^"]+)"`).FindAllStringSubmatch(first.body, -1)
	if len(loads) < 20 {
		t.Errorf("it loads %d files", len(loads))
	}
	for _, l := range loads {
		a := h.get(l[1])
		kind := map[string]string{"js": "text/javascript; charset=utf-8", "ss": "text/css; charset=utf-8", "vg": "image/svg+xml; charset=utf-8"}[l[1][len(l[1])-2:]]
		if a.status != 200 || a.header.Get("Content-Type") != kind || a.header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %d %v", l[1], a.status, a.header)
		}
	}
	script := loads[len(loads)-1][1]
	if zipped := h.send("GET", strings.Replace(script, "main.js", "vendor/preact.js", 1), "", "Accept-Encoding", "gzip"); zipped.status != 200 || zipped.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("compressed: %d %v", zipped.status, zipped.header)
	}
	for _, path := range []string{"/ui/a/0000000000000000/main.js", "/ui/a/", strings.Replace(script, "main.js", "vendor/preact.LICENSE", 1), strings.Replace(script, "main.js", "index.html", 1)} {
		if a := h.get(path); a.status != 404 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if a := h.send("POST", "/ui/outages", "{}"); a.status != 405 {
		t.Errorf("POST to a page: %d", a.status)
	}
}

func TestBrowsersAreSentToTheCockpit(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	h.client.CheckRedirect = noRedirect
	if a := h.send("GET", "/", "", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8"); a.status != 303 || a.header.Get("Location") != "/ui/" || !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Accept") {
		t.Errorf("a browser at /: %d %v", a.status, a.header)
	}
	if a := h.send("GET", "/", "", "Accept", "*/*"); a.status != 200 || a.json["service"] != "jetmon" {
		t.Errorf("a program at /: %d", a.status)
	}
	if a := h.get("/ui"); a.status != 303 || a.header.Get("Location") != "/ui/" {
		t.Errorf("/ui: %d %v", a.status, a.header)
	}
	without := open(t, newFake(), func(o *gateway.Options) { o.NoUI = true })
	without.client.CheckRedirect = noRedirect
	if a := without.send("GET", "/", "", "Accept", "text/html"); a.status != 200 || strings.Contains(a.body, "/ui/") {
		t.Errorf("without the cockpit, at /: %d %s", a.status, a.body)
	}
	for _, path := range []string{"/ui", "/ui/", "/ui/fleet"} {
		if a := without.get(path); a.status != 404 {
			t.Errorf("without the cockpit, %s: %d", path, a.status)
		}
	}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
