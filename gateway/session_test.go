package gateway_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/rpc"
)

// signing opens a gateway before a coordinator that knows one token, jm_reader.
func signing(t *testing.T) *house {
	t.Helper()
	const node = "0123456789abcdef0123456789abcdef"
	f := newFake()
	f.access = rpc.NewAuthorizer(rpc.AuthorizerOptions{
		Roles: []access.RoleToken{{Role: access.Gateway, Token: node}},
		Keys:  keys{"jm_reader": access.Caller{TokenID: 7, Name: "reader", Scopes: access.SitesRead}},
	})
	return open(t, f, func(o *gateway.Options) { o.Client.Token = node })
}

func TestSigningInKeepsAGoodTokenInACookie(t *testing.T) {
	t.Parallel()
	h := signing(t)
	const origin = "http://" + gatewayAddr
	in := h.send("POST", "/ui/session", `{"token":" jm_reader "}`, "Origin", origin, "Sec-Fetch-Site", "same-origin")
	if in.status != 200 || in.json["name"] != "token 7 (reader)" || in.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("signing in: %d %s %v", in.status, in.body, in.header)
	}
	if got, want := in.header.Get("Set-Cookie"), "jetmon_session=jm_reader; Path=/; Max-Age=1209600; HttpOnly; SameSite=Strict"; got != want {
		t.Errorf("the cookie is %q, want %q", got, want)
	}
	out := h.send("DELETE", "/ui/session", "", "Sec-Fetch-Site", "same-origin")
	if cookies := strings.Join(out.header.Values("Set-Cookie"), "\n"); out.status != 200 || strings.Count(cookies, "Max-Age=0") != 2 || !strings.Contains(cookies, "__Host-jetmon_session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict") {
		t.Errorf("signing out: %d %s", out.status, cookies)
	}
	// Behind a proxy that speaks TLS the browser's Origin tells; the name keeps others from setting it.
	behind := h.send("POST", "/ui/session", `{"token":"jm_reader"}`, "Origin", "https://"+gatewayAddr, "Sec-Fetch-Site", "same-origin")
	if got := behind.header.Get("Set-Cookie"); !strings.HasPrefix(got, "__Host-jetmon_session=jm_reader; Path=/;") || !strings.Contains(got, "Secure") {
		t.Errorf("behind TLS the cookie is %q", got)
	}
}

func TestSigningInRefuses(t *testing.T) {
	t.Parallel()
	h := signing(t)
	for name, c := range map[string]struct {
		body   string
		header []string
		status int
		says   string
	}{
		"a wrong token":                {`{"token":"jm_other"}`, nil, 401, "not accepted"},
		"none":                         {`{"token":""}`, nil, 400, "token: must be given"},
		"a token no cookie can have":   {`{"token":"jm_a;b"}`, nil, 400, "token: must be a token as it was printed"},
		"a token in other letters":     {`{"token":"jm_ä"}`, nil, 400, "token: must be a token as it was printed"},
		"a token that is too long":     {`{"token":"` + strings.Repeat("a", 2000) + `"}`, nil, 400, "at most 1024"},
		"another form":                 {`["jm_reader"]`, nil, 400, `body: must be {"token": "..."}`},
		"something else besides":       {`{"token":"jm_reader","scope":"admin"}`, nil, 400, "body: must be"},
		"a token twice":                {`{"token":"jm_other","token":"jm_reader"}`, nil, 400, "body: must be"},
		"a form of a page":             {`token=jm_reader`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "Content-Type"},
		"a page of another site":       {`{"token":"jm_reader"}`, []string{"Sec-Fetch-Site", "cross-site"}, 403, "Origin"},
		"a page of another origin":     {`{"token":"jm_reader"}`, []string{"Origin", "http://evil.example"}, 403, "Origin"},
		"a page of a neighbour's name": {`{"token":"jm_reader"}`, []string{"Sec-Fetch-Site", "same-site"}, 403, "Origin"},
	} {
		a := h.send("POST", "/ui/session", c.body, c.header...)
		if a.status != c.status || !strings.Contains(a.message(), c.says) || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %s %v, want %d %s", name, a.status, a.body, a.header["Set-Cookie"], c.status, c.says)
		}
	}
	if a := h.get("/ui/session"); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "DELETE, POST" {
		t.Errorf("GET: %d %v", a.status, a.header)
	}
}

func TestACookieIsATokenForOurOwnPagesOnly(t *testing.T) {
	t.Parallel()
	h := signing(t)
	const cookie = "jetmon_session=jm_reader"
	const origin = "http://" + gatewayAddr
	for name, c := range map[string]struct {
		method string
		header []string
		status int
	}{
		"our page reads":                          {"GET", []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin"}, 200},
		"our page reads, as over TLS":             {"GET", []string{"Cookie", "__Host-" + cookie, "Sec-Fetch-Site", "same-origin"}, 200},
		"the cookie of TLS counts more":           {"GET", []string{"Cookie", "jetmon_session=jm_planted; __Host-" + cookie, "Sec-Fetch-Site", "same-origin"}, 200},
		"our page reads, in an old browser":       {"GET", []string{"Cookie", cookie, "Origin", origin}, 200},
		"our page reads without TLS":              {"GET", []string{"Cookie", cookie}, 200},
		"our page may not write with that scope":  {"DELETE", []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin"}, 403},
		"our page writes without TLS":             {"DELETE", []string{"Cookie", cookie, "Origin", origin}, 403},
		"a program writes with the cookie":        {"DELETE", []string{"Cookie", cookie}, 401},
		"the address bar":                         {"GET", []string{"Cookie", cookie, "Sec-Fetch-Site", "none"}, 401},
		"another site reads":                      {"GET", []string{"Cookie", cookie, "Sec-Fetch-Site", "cross-site"}, 401},
		"a neighbour's name reads":                {"GET", []string{"Cookie", cookie, "Sec-Fetch-Site", "same-site"}, 401},
		"another origin reads, in an old browser": {"GET", []string{"Cookie", cookie, "Origin", "http://evil.example"}, 401},
		"a page of no origin reads":               {"GET", []string{"Cookie", cookie, "Origin", "null"}, 401},
		"a neighbour's name writes":               {"DELETE", []string{"Cookie", cookie, "Sec-Fetch-Site", "same-site", "Origin", origin}, 403},
		"two cookies":                             {"GET", []string{"Cookie", cookie + "; " + cookie, "Sec-Fetch-Site", "same-origin"}, 401},
		"credentials of its own count alone":      {"GET", []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin", "Authorization", "Bearer jm_other"}, 401},
		"and good ones as well":                   {"GET", []string{"Cookie", "jetmon_session=jm_other", "Sec-Fetch-Site", "same-origin", "Authorization", "Bearer jm_reader"}, 200},
		"a wrong cookie":                          {"GET", []string{"Cookie", "jetmon_session=jm_other", "Sec-Fetch-Site", "same-origin"}, 401},
		"an empty one":                            {"GET", []string{"Cookie", "jetmon_session=", "Sec-Fetch-Site", "same-origin"}, 401},
	} {
		if a := h.send(c.method, "/v1/sites/7", "", c.header...); a.status != c.status {
			t.Errorf("%s: %d %s, want %d", name, a.status, a.body, c.status)
		}
	}
	for name, head := range map[string]string{
		"two sites":   "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n",
		"two origins": "Origin: " + origin + "\r\nOrigin: http://evil.example\r\n",
	} {
		if a := rawly(t, h.dial(t), "GET /v1/sites/7 HTTP/1.1\r\nHost: "+gatewayAddr+"\r\nConnection: close\r\nCookie: "+cookie+"\r\n"+head+"\r\n"); a.status != 401 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := h.send("GET", "/v1/caller", "", "Cookie", cookie, "Sec-Fetch-Site", "same-origin"); a.status != 200 || a.json["name"] != "token 7 (reader)" {
		t.Errorf("who am I: %d %s", a.status, a.body)
	}
	without := open(t, newFake(), func(o *gateway.Options) { o.NoUI = true })
	if a := without.send("POST", "/ui/session", `{"token":"x"}`); a.status != 404 {
		t.Errorf("without the cockpit: %d", a.status)
	}
}

func TestOverTLSOnlyTheCookieCountsThatNobodyElseCanSet(t *testing.T) {
	t.Parallel()
	server, client := certificates(t)
	const node = "0123456789abcdef0123456789abcdef"
	f := newFake()
	f.access = rpc.NewAuthorizer(rpc.AuthorizerOptions{
		Roles: []access.RoleToken{{Role: access.Gateway, Token: node}},
		Keys:  keys{"jm_reader": access.Caller{TokenID: 7, Name: "reader", Scopes: access.SitesRead}},
	})
	h := open(t, f, func(o *gateway.Options) { o.Client.Token, o.TLS = node, server })
	transport := &http.Transport{
		TLSClientConfig: client,
		DialContext:     func(ctx context.Context, _, addr string) (net.Conn, error) { return h.network.DialContext(ctx, addr) },
	}
	defer transport.CloseIdleConnections()
	h.client, h.base = &http.Client{Transport: transport}, "https://"+gatewayAddr
	for cookie, status := range map[string]int{
		"__Host-jetmon_session=jm_reader":                            200,
		"jetmon_session=jm_planted; __Host-jetmon_session=jm_reader": 200,
		"jetmon_session=jm_reader":                                   401, // set without TLS, or by a neighbour's name: its token may be anybody's
	} {
		for _, header := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", h.base}, nil} {
			if a := h.send("GET", "/v1/sites/7", "", append([]string{"Cookie", cookie}, header...)...); a.status != status {
				t.Errorf("%s %v: %d %s, want %d", cookie, header, a.status, a.body, status)
			}
		}
	}
}
