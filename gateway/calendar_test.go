package gateway_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/rpc"
)

// A program that subscribes to a calendar shows its token as a password, and asks again only for
// what is new.
func TestACalendarIsSubscribedTo(t *testing.T) {
	t.Parallel()
	const node = "0123456789abcdef0123456789abcdef"
	f := &fake{}
	f.access = rpc.NewAuthorizer(rpc.AuthorizerOptions{
		Roles: []access.RoleToken{{Role: access.Gateway, Token: node}},
		Keys:  keys{"jm_reader": {TokenID: 1, Name: "reader", Scopes: access.SitesRead}, "jm_outages": {TokenID: 2, Name: "outages", Scopes: access.OutagesRead}},
	})
	h := open(t, f, func(o *gateway.Options) { o.Client.Token = node })
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	for name, tt := range map[string]struct {
		credentials string
		want        int
	}{
		"a token as the password":        {basic("anybody:jm_reader"), 200},
		"a token as a password alone":    {basic(":jm_reader"), 200},
		"a bearer token":                 {"Bearer jm_reader", 200},
		"a token as the name":            {basic("jm_reader:"), 401},
		"a wrong token":                  {basic("a:jm_wrong"), 401},
		"a token for something else":     {basic("a:jm_outages"), 403},
		"nothing":                        {"", 401},
		"what is no Basic":               {"Basic !", 401},
		"a token with a line of its own": {basic("a:jm_reader\r\nX: y"), 401},
	} {
		a := h.send("GET", "/v1/maintenances:calendar", "", "Authorization", tt.credentials)
		asks := strings.Contains(strings.Join(a.header.Values("WWW-Authenticate"), ","), `Basic realm="jetmon"`)
		if a.status != tt.want || asks != (tt.want == 401 && tt.credentials != basic("a:jm_reader\r\nX: y")) {
			t.Errorf("%s: %d, asks for a password: %t", name, a.status, asks)
		}
		if tt.want == 200 && (a.header.Get("Content-Type") != "text/calendar; charset=utf-8" || a.body != "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n") {
			t.Errorf("%s: %q, %q", name, a.header.Get("Content-Type"), a.body)
		}
	}
	first := h.send("GET", "/v1/maintenances:calendar", "", "Authorization", "Bearer jm_reader")
	again := h.send("GET", "/v1/maintenances:calendar", "", "Authorization", "Bearer jm_reader", "If-None-Match", first.header.Get("ETag"))
	if again.status != 304 || first.header.Get("ETag") == "" {
		t.Errorf("asked again with %q: %d", first.header.Get("ETag"), again.status)
	}
	// Nowhere else is a password a token.
	if a := h.send("GET", "/v1/maintenances", "", "Authorization", basic("a:jm_reader")); a.status != 401 {
		t.Errorf("a list with a password: %d", a.status)
	}
}
