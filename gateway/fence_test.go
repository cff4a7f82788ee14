package gateway_test

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/rpc"
)

// at starts a gateway that listens on TCP besides, and returns a function that sends it a
// request there.
func at(t *testing.T, addr string, change ...func(*gateway.Options)) func(method, path, body string, header ...string) answer {
	t.Helper()
	return before(t, newFake(), addr, change...)
}

// before is at for a gateway in front of a coordinator.
func before(t *testing.T, f *fake, addr string, change ...func(*gateway.Options)) func(method, path, body string, header ...string) answer {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	h := open(t, f, append(change, func(o *gateway.Options) { o.Listeners = []net.Listener{l} })...)
	h.client, h.base = overTCP(t), "http://"+l.Addr().String()
	return h.send
}

// overTCP is an HTTP client that shows answers as they are.
func overTCP(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestAGatewayAnswersOnlyToItsOwnNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		listen  string
		allowed []string
		hosts   map[string]int
	}{
		"on loopback": {"127.0.0.1:0", nil, map[string]int{
			"localhost": 200, "localhost:7802": 200, "LocalHost.": 200, "127.0.0.1:99": 200, "127.1.2.3": 200, "[::1]:7802": 200, "[::1]": 200,
			"evil.example": 421, "evil.example:7802": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421, "10.0.0.1": 421, "[::2]": 421,
		}},
		"on loopback with another name": {"127.0.0.1:0", []string{"Jetmon.internal", "other:80"}, map[string]int{
			"jetmon.internal": 200, "JETMON.INTERNAL.:7802": 200, "other": 200, "localhost": 200, "x.jetmon.internal": 421,
		}},
		"on every address, over loopback": {"0.0.0.0:0", nil, map[string]int{"localhost": 200, "10.0.0.1:7802": 421, "evil.example": 421, "gateway": 421}},
		"for every name":                  {"127.0.0.1:0", []string{"*"}, map[string]int{"evil.example": 200, "10.0.0.1": 200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			send := at(t, c.listen, func(o *gateway.Options) { o.AllowedHosts = c.allowed })
			for host, want := range c.hosts {
				a := send("GET", "/v1/sites/7", "", "Host", host)
				if a.status != want {
					t.Errorf("Host %s: %d %s, want %d", host, a.status, a.body, want)
				}
				if want == 421 {
					checkRefusal(t, a, 421, "Host", "--allowed-host")
				}
				// Load balancers ask under any name, and learn nothing.
				if a := send("GET", "/healthz", "", "Host", host); a.status != 200 {
					t.Errorf("/healthz of %s: %d", host, a.status)
				}
			}
		})
	}
}

func TestAPageOfAnotherSiteChangesNothing(t *testing.T) {
	t.Parallel()
	send := at(t, "127.0.0.1:0", func(o *gateway.Options) { o.CORSOrigins = []string{"https://status.example"} })
	const good = `{"url":"http://127.0.0.1:81/"}`
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		status             int
	}{
		"a diagnosis from another site":           {"POST", "/v1/sites/7:diagnose", "", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"one from another host of the site":       {"POST", "/v1/sites/7:diagnose", "", []string{"Sec-Fetch-Site", "same-site"}, 403},
		"one by an older browser":                 {"POST", "/v1/sites/7:diagnose", "", []string{"Origin", "https://evil.example"}, 403},
		"one from a page without an origin":       {"POST", "/v1/sites/7:diagnose", "", []string{"Origin", "null"}, 403},
		"one by another port of this machine":     {"POST", "/v1/sites/7:diagnose", "", []string{"Origin", "http://localhost:1"}, 403},
		"one that claims both":                    {"POST", "/v1/sites/7:diagnose", "", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		"a deletion from another site":            {"DELETE", "/v1/sites/8", "", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"an edit from another site":               {"PATCH", "/v1/sites/7", `{"paused":true}`, []string{"Origin", "https://evil.example"}, 403},
		"a diagnosis by curl":                     {"POST", "/v1/sites/7:diagnose", "", nil, 200},
		"one from a page of ours":                 {"POST", "/v1/sites/7:diagnose", "", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		"one from an allowed origin":              {"POST", "/v1/sites/7:diagnose", "", []string{"Origin", "https://status.example", "Sec-Fetch-Site", "cross-site"}, 200},
		"reading from another site":               {"GET", "/v1/sites/7", "", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		"a diagnosis with a form for a body":      {"POST", "/v1/sites/7:diagnose", "a=b", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		"one with a text for a body":              {"POST", "/v1/sites/7:diagnose", "{}", []string{"Content-Type", "text/plain"}, 415},
		"one with a body of no type":              {"POST", "/v1/sites/7:diagnose", "{}", []string{"Content-Type", ""}, 415},
		"a site in the text that a form can send": {"POST", "/v1/sites", good, []string{"Content-Type", "text/plain"}, 415},
		"a deletion with a form for a body":       {"DELETE", "/v1/sites/8", "a=b", []string{"Content-Type", "multipart/form-data"}, 415},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := send(c.method, c.path, c.body, c.header...)
			switch {
			case a.status != c.status:
				t.Errorf("%d %s, want %d", a.status, a.body, c.status)
			case c.status >= 400:
				checkRefusal(t, a, c.status, "", "")
			}
		})
	}
}

func TestWhatTakesNoBodyGetsNone(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	for name, c := range map[string]struct{ method, path, body, message string }{
		"a diagnosis of fields":    {"POST", "/v1/sites/7:diagnose", `{"site_id":"8"}`, "site_id: unknown field"},
		"a deletion of a list":     {"DELETE", "/v1/sites/7", `[8]`, "body: must be a JSON object"},
		"reading with a condition": {"GET", "/v1/sites/7", `{"x":1}`, "x: unknown field"},
		"a diagnosis of no JSON":   {"POST", "/v1/sites/7:diagnose", `diagnose`, "body: is not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkRefusal(t, h.send(c.method, c.path, c.body), 400, "", c.message)
		})
	}
	if a := h.send("POST", "/v1/sites/7:diagnose", strings.Repeat(" ", gateway.MaxBodyBytes+1)); a.status != 413 {
		t.Errorf("a long body for what takes none: %d %s", a.status, a.body)
	}
}

func TestAnAllowedOriginMayUseTheAPIFromABrowser(t *testing.T) {
	t.Parallel()
	const origin = "https://status.example"
	f := newFake()
	f.access = rpc.NewAuthorizer(rpc.AuthorizerOptions{Keys: keys{"secret": {TokenID: 1, Scopes: access.SitesRead}}})
	send := before(t, f, "127.0.0.1:0", func(o *gateway.Options) { o.CORSOrigins = []string{origin, "http://localhost:3000"} })
	asked := send("OPTIONS", "/v1/sites/7", "", "Origin", origin, "Access-Control-Request-Method", "PATCH", "Access-Control-Request-Headers", "content-type")
	if asked.status != 204 || asked.body != "" {
		t.Errorf("the preflight: %d %s", asked.status, asked.body)
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Methods": "DELETE, GET, HEAD, PATCH", "Access-Control-Max-Age": "600",
	} {
		if got := asked.header.Get(name); got != want {
			t.Errorf("the preflight: %s is %q, want %q", name, got, want)
		}
	}
	if got := asked.header.Get("Access-Control-Allow-Headers"); !strings.Contains(got, "Content-Type") || !strings.Contains(got, "Authorization") {
		t.Errorf("the preflight allows the headers %q", got)
	}
	for name, c := range map[string]struct {
		header []string
		status int
		shared string
	}{
		"with a token":          {[]string{"Origin", origin, "Authorization", "Bearer secret"}, 200, origin},
		"another one":           {[]string{"Origin", "http://localhost:3000", "Authorization", "Bearer secret"}, 200, "http://localhost:3000"},
		"without a token":       {[]string{"Origin", origin}, 401, origin}, // an error is for the page, too
		"a stranger":            {[]string{"Origin", "https://evil.example", "Authorization", "Bearer secret"}, 200, ""},
		"one that begins alike": {[]string{"Origin", origin + ".evil.example", "Authorization", "Bearer secret"}, 200, ""},
		"no page":               {[]string{"Authorization", "Bearer secret"}, 200, ""},
	} {
		a := send("GET", "/v1/sites/7", "", c.header...)
		if a.status != c.status || a.header.Get("Access-Control-Allow-Origin") != c.shared {
			t.Errorf("%s: %d %v", name, a.status, a.header)
		}
		if !slices.Contains(a.header.Values("Vary"), "Origin") {
			t.Errorf("%s: a cache would mix the origins: %v", name, a.header)
		}
		if exposed := a.header.Get("Access-Control-Expose-Headers"); strings.Contains(exposed, "X-Request-Id") != (c.shared != "") {
			t.Errorf("%s: exposes %q", name, exposed)
		}
	}
	for name, header := range map[string][]string{
		"a stranger's preflight":     {"Origin", "https://evil.example", "Access-Control-Request-Method", "PATCH"},
		"one of an unknown method":   {"Origin", origin, "Access-Control-Request-Method", "PUT"},
		"one of a page of no origin": {"Origin", "null", "Access-Control-Request-Method", "GET"},
	} {
		checkRefusal(t, send("OPTIONS", "/v1/sites/7", "", header...), 403, "", "")
		_ = name
	}
	if a := send("OPTIONS", "/nothing", "", "Origin", origin, "Access-Control-Request-Method", "GET"); a.status != 404 {
		t.Errorf("the preflight of nothing: %d %s", a.status, a.body)
	}
}

func TestHostsAndOriginsThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"", "a/b", "https://a", "*.a", "a b"} {
		if _, err := gateway.New(gateway.Options{Coordinator: "x", AllowedHosts: []string{host}}); err == nil {
			t.Errorf("host %q was taken", host)
		}
	}
	for _, origin := range []string{"", "*", "null", "a.example", "https://", "https://a/", "https://a?b", "https://*.a", "ftp://a", "https://A", "https://u@a"} {
		if _, err := gateway.New(gateway.Options{Coordinator: "x", CORSOrigins: []string{origin}}); err == nil {
			t.Errorf("origin %q was taken", origin)
		}
	}
}
