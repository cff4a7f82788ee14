package gateway_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/gateway"
)

// What the page loads is there, is of its type, and is from here: the page works without any
// other host.
func TestThePageOfTheAPILoadsNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	page := h.get("/docs")
	if page.status != 200 || page.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %v", page.status, page.header)
	}
	policy := page.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "connect-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q does not say %s", policy, want)
		}
	}
	loads := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.body, -1)
	if len(loads) < 4 {
		t.Errorf("it loads %v", loads)
	}
	for _, l := range loads {
		if strings.HasPrefix(l[1], "data:") {
			continue
		}
		a := h.get(l[1])
		kind := map[string]string{".js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "son": "application/json"}[l[1][len(l[1])-3:]]
		if a.status != 200 || a.header.Get("Content-Type") != kind || !strings.HasPrefix(l[1], "/") {
			t.Errorf("%s: %d %v", l[1], a.status, a.header)
		}
	}
	if without := open(t, newFake(), func(o *gateway.Options) { o.OpenAPI = nil }); without.get("/docs").status != 404 {
		t.Error("the page is there without a description")
	}
}
