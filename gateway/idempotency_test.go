package gateway_test

import (
	"strings"
	"testing"
)

func TestTheKeyOfACallReachesTheCoordinator(t *testing.T) {
	t.Parallel()
	const site = `{"url":"http://new.example/"}`
	for name, tt := range map[string]struct {
		method, path, body string
		header             []string
		want               int
		key                string
	}{
		"none":                            {"POST", "/v1/sites", site, nil, 200, ""},
		"a UUID":                          {"POST", "/v1/sites", site, []string{"Idempotency-Key", "8e03978e-40d5-43dd-bc93-6894a57f9324"}, 200, "8e03978e-40d5-43dd-bc93-6894a57f9324"},
		"in quotation marks":              {"POST", "/v1/sites", site, []string{"Idempotency-Key", `"8e03978e"`}, 200, "8e03978e"},
		"the longest":                     {"POST", "/v1/sites", site, []string{"Idempotency-Key", strings.Repeat("x", 255)}, 200, strings.Repeat("x", 255)},
		"in the query":                    {"POST", "/v1/sites?idempotency_key=q", site, nil, 200, "q"},
		"in both":                         {"POST", "/v1/sites?idempotency_key=q", site, []string{"Idempotency-Key", "q"}, 200, "q"},
		"the two differ":                  {"POST", "/v1/sites?idempotency_key=q", site, []string{"Idempotency-Key", "h"}, 400, ""},
		"too long":                        {"POST", "/v1/sites", site, []string{"Idempotency-Key", strings.Repeat("x", 256)}, 400, ""},
		"empty":                           {"POST", "/v1/sites", site, []string{"Idempotency-Key", ""}, 400, ""},
		"with a space":                    {"POST", "/v1/sites", site, []string{"Idempotency-Key", "a b"}, 400, ""},
		"no ASCII":                        {"POST", "/v1/sites", site, []string{"Idempotency-Key", "\u00e4"}, 400, ""},
		"what can be repeated anyway":     {"PATCH", "/v1/sites/7", `{"paused":true}`, []string{"Idempotency-Key", "a"}, 200, ""},
		"a GET":                           {"GET", "/v1/sites/7", "", []string{"Idempotency-Key", "a"}, 200, ""},
		"a token, which is made by every": {"POST", "/v1/tokens", `{"name":"x","scopes":["admin"]}`, []string{"Idempotency-Key", "a"}, 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			h := open(t, f)
			got := h.send(tt.method, tt.path, tt.body, tt.header...)
			if got.status != tt.want || tt.want == 400 && got.field() != "Idempotency-Key" {
				t.Fatalf("%d: %s", got.status, got.body)
			}
			if f.key != tt.key {
				t.Errorf("the coordinator got the key %q", f.key)
			}
		})
	}
}
