package gateway_test

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon"
	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestTheWholeLifeOfASiteOverREST(t *testing.T) {
	t.Parallel()
	f := newFake()
	h := open(t, f)

	made := h.send("POST", "/v1/sites", `{"url":"http://127.0.0.1:8080/x","blog_id":"12","check_interval":"60s"}`)
	if made.status != 200 || made.json["url"] != "http://127.0.0.1:8080/x" || made.json["blog_id"] != "12" || made.json["check_interval"] != "60s" {
		t.Fatalf("created: %d %s", made.status, made.body)
	}
	id, _ := made.json["site_id"].(string)

	got := h.get("/v1/sites/" + id)
	if got.status != 200 || got.body != made.body {
		t.Errorf("got: %d %s, want %s", got.status, got.body, made.body)
	}
	list := h.get("/v1/sites")
	if sites, _ := list.json["sites"].([]any); list.status != 200 || len(sites) != 2 {
		t.Errorf("listed: %d %s", list.status, list.body)
	}
	if a := h.send("DELETE", "/v1/sites/"+id, ""); a.status != 200 || a.body != "{}\n" {
		t.Errorf("deleted: %d %q", a.status, a.body)
	}
	if a := h.get("/v1/sites/" + id); a.status != 404 || a.message() != "there is no site "+id {
		t.Errorf("got after deletion: %d %s", a.status, a.body)
	}
}

func TestTheJSONIsOneLineInProtoNamesWithValuesThatAreZero(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	a := h.get("/v1/sites/7")
	for _, want := range []string{`"site_id":"7"`, `"status_id":0`, `"paused":false`, `"state":"SITE_STATE_DOWN"`, `"last_check_time":"20`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("%s is not in %s", want, a.body)
		}
	}
	// A field that the contract calls absent is absent, not null.
	for _, not := range []string{"last_observation", "null", "siteId"} {
		if strings.Contains(a.body, not) {
			t.Errorf("%s is in %s", not, a.body)
		}
	}
	if strings.Count(a.body, "\n") != 1 || !strings.HasSuffix(a.body, "}\n") {
		t.Errorf("not one line: %q", a.body)
	}
	o := h.get("/v1/outages/3")
	if !strings.Contains(o.body, `"outage_id":"3"`) || !strings.Contains(o.body, `"value":"VOTE_VALUE_DOWN"`) {
		t.Errorf("outage: %s", o.body)
	}
	if l := h.get("/v1/outages?open=true&site_id=7"); l.status != 200 || !strings.Contains(l.body, `"votes":[]`) {
		t.Errorf("outages: %d %s", l.status, l.body)
	}
	for site, want := range map[string]string{"up.example": `{"status":true}`, "12": `{"status":false}`} {
		if a := h.get("/wpcom/v2/sites/" + site + "/jetpack-monitor-status"); a.body != want+"\n" {
			t.Errorf("status of %s: %d %s", site, a.status, a.body)
		}
	}
}

func TestASiteIsDiagnosedByPOST(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	for _, body := range []string{"", "{}"} {
		a := h.send("POST", "/v1/sites/7:diagnose", body)
		if a.status != 200 || a.json["conclusion"] != "site 7 is well" || !strings.Contains(a.body, `"verdict":"FINDING_VERDICT_PASS"`) {
			t.Errorf("%q: %d %s", body, a.status, a.body)
		}
	}
	for path, want := range map[string]int{"/v1/sites/x:diagnose": 400, "/v1/sites/7:diagnose?deep=1": 400, "/v1/sites/7:heal": 404} {
		if a := h.send("POST", path, ""); a.status < 400 || a.status >= 500 {
			t.Errorf("%s: %d %s, want %d or another 4xx", path, a.status, a.body, want)
		}
	}
	if a := h.get("/v1/sites/7:diagnose"); a.status != 405 || a.header.Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", a.status, a.header)
	}
}

func TestAPatchChangesWhatItsBodyHolds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path, body string
		mask       []string
	}{
		"one field":                 {"/v1/sites/7", `{"paused":true}`, []string{"paused"}},
		"a zero value":              {"/v1/sites/7", `{"paused":false,"blog_id":0}`, []string{"blog_id", "paused"}},
		"a nested field":            {"/v1/sites/7", `{"settings":{"method":"METHOD_GET"}}`, []string{"settings.method"}},
		"a nested list":             {"/v1/sites/7", `{"settings":{"required_texts":["a"],"slow_after":"2s"}}`, []string{"settings.required_texts", "settings.slow_after"}},
		"a time span":               {"/v1/sites/7", `{"check_interval":"120s"}`, []string{"check_interval"}},
		"JSON names become proto's": {"/v1/sites/7", `{"checkInterval":"120s"}`, []string{"check_interval"}},
		"null resets a field":       {"/v1/sites/7", `{"settings":null}`, []string{"settings"}},
		"an explicit mask wins":     {"/v1/sites/7?update_mask=url,paused", `{"paused":true}`, []string{"url", "paused"}},
		"a mask may reset what the body does not hold": {"/v1/sites/7?update_mask=settings", `{}`, []string{"settings"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			h := open(t, f)
			if a := h.send("PATCH", c.path, c.body); a.status != 200 || a.json["site_id"] != "7" {
				t.Fatalf("%d %s", a.status, a.body)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			if len(f.masks) != 1 || !slices.Equal(f.masks[0], c.mask) {
				t.Errorf("masks are %q, want %q", f.masks, c.mask)
			}
		})
	}
}

func TestQueryParametersReachTheCoordinator(t *testing.T) {
	t.Parallel()
	f := newFake()
	h := open(t, f)
	if a := h.get("/v1/sites?page_size=5&blogId=70&page_token=a%20b"); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if q := f.lists[0]; q.GetPageSize() != 5 || q.GetBlogId() != 70 || q.GetPageToken() != "a b" {
		t.Errorf("got %v", q)
	}
}

func TestABatchOfSitesIsReadByIDs(t *testing.T) {
	t.Parallel()
	f := newFake()
	h := open(t, f)
	made := h.send("POST", "/v1/sites", `{"url":"http://127.0.0.1:8080/x"}`)
	id, _ := made.json["site_id"].(string)
	a := h.get("/v1/sites:batchGet?site_ids=" + id + "&site_ids=999&site_ids=7")
	sites, _ := a.json["sites"].([]any)
	if a.status != 200 || len(sites) != 2 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for i, want := range []string{id, "7"} {
		if site, _ := sites[i].(map[string]any); site["site_id"] != want {
			t.Errorf("site %d is %v, want %s", i, site["site_id"], want)
		}
	}
	for path, field := range map[string]string{
		"/v1/sites:batchGet":                                                       "site_ids",
		"/v1/sites:batchGet?site_ids=":                                             "site_ids",
		"/v1/sites:batchGet?site_ids=1,2":                                          "site_ids",
		"/v1/sites:batchGet?site_ids=0":                                            "site_ids[0]",
		"/v1/sites:batchGet?site_ids=7&site_ids=-1":                                "site_ids[1]",
		"/v1/sites:batchGet?site_ids=7&siteIds=8":                                  "site_ids",
		"/v1/sites:batchGet?site_ids=7&page_size=1":                                "page_size",
		"/v1/sites:batchGet?site_ids=99999999999999999999":                         "site_ids",
		"/v1/sites:batchGet?" + strings.Repeat("site_ids=7&", 1000) + "site_ids=8": "site_ids",
	} {
		if a := h.get(path); a.status != 400 || a.field() != field {
			t.Errorf("%.60s: %d %.200s, want 400 naming %s", path, a.status, a.body, field)
		}
	}
	if a := h.get("/v1/sites:batchGet?" + strings.Repeat("site_ids=7&", 999) + "site_ids=8"); a.status != 200 {
		t.Errorf("a thousand: %d %.200s", a.status, a.body)
	}
	if a := h.send("POST", "/v1/sites:batchGet", `{}`); a.status != 405 || a.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d %v", a.status, a.header)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	for _, path := range []string{"/", "/healthz", "/readyz", "/openapi.json", "/v1/sites", "/v1/sites/7", "/v1/sites/8", "/v1/sites/x", "/nothing"} {
		a := h.get(path)
		cache := "no-store"
		if a.header.Get("ETag") != "" {
			cache = "private, no-cache"
		}
		for name, want := range map[string]string{
			"Content-Type": "application/json", "X-Content-Type-Options": "nosniff", "Cache-Control": cache,
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		head := h.send("HEAD", path, "")
		if head.status != a.status || head.body != "" || head.header.Get("Content-Length") != a.header.Get("Content-Length") {
			t.Errorf("HEAD %s is %d, %q, %v; GET is %d, %v", path, head.status, head.body, head.header, a.status, a.header)
		}
		for name := range a.header {
			if strings.HasPrefix(name, "Grpc-") {
				t.Errorf("%s: header %s shows the machinery", path, name)
			}
		}
	}
}

func TestTheIndexListsWhatThereIsAndItIsThere(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	paths, _ := h.get("/").json["paths"].(map[string]any)
	for _, want := range []string{"/v1/sites", "/v1/sites/{site_id}", "/v1/outages", "/v1/fleet", "/healthz", "/readyz", "/openapi.json", "/wpcom/v2/sites/{site}/jetpack-monitor-status"} {
		if paths[want] == nil {
			t.Errorf("%s is not listed in %v", want, paths)
		}
	}
	for path, methods := range paths {
		if strings.Contains(path, ":") && slices.Equal(methods.([]any), []any{"POST"}) {
			continue // a verb, tested where it is carried out
		}
		if path == "/v1/probes" {
			continue // which are not kept
		}
		path = strings.NewReplacer("{site_id}", "7", "{badge}", "status.svg", "{outage_id}", "3", "{incident_id}", "3", "{token_id}", "3", "{site}", "7", "{maintenance_id}", "3", "{subscription_id}", "3", "{notification_id}", "3").Replace(path)
		if strings.Contains(path, ":batchGet") {
			path += "?site_ids=7" // it needs to know of whom
		}
		if strings.HasSuffix(path, "/jetpack-agency/sites") {
			path += "?blog_ids=7"
		}
		list, _ := methods.([]any)
		if !slices.Contains(list, any("GET")) {
			t.Errorf("%s cannot be read: %v", path, list)
		}
		if a := h.get(path); a.status != 200 {
			t.Errorf("GET %s: %d %s", path, a.status, a.body)
		}
	}
}

func TestTheOpenAPIDocumentIsThatOfTheRoutes(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	a := h.get("/openapi.json")
	if a.body != string(jetmon.OpenAPI) || a.json["openapi"] != "3.1.0" {
		t.Error("not the document that was generated")
	}
	without := open(t, newFake(), func(o *gateway.Options) { o.OpenAPI = nil })
	if a := without.get("/openapi.json"); a.status != 404 {
		t.Errorf("without a document: %d", a.status)
	}
}

func TestReadinessIsTheCoordinators(t *testing.T) {
	t.Parallel()
	var ill atomic.Bool
	h := openReady(t, newFake(), unless(&ill))
	if a := h.get("/readyz"); a.status != 200 || a.json["status"] != "ok" {
		t.Errorf("serving: %d %s", a.status, a.body)
	}
	ill.Store(true)
	eventually(t, "the gateway says so", func() bool { return h.get("/readyz").status == 503 })
	if a := h.get("/readyz"); a.message() != "no coordinator is ready" {
		t.Errorf("not serving: %d %s", a.status, a.body)
	}
	if err := h.gateway.Ready(); err == nil || err.Error() != "no coordinator is ready" {
		t.Errorf("not serving: %v", err)
	}
	if a := h.get("/v1/sites/7"); a.status != 200 {
		t.Errorf("the only coordinator is not asked: %d %s", a.status, a.body)
	}
	ill.Store(false)
	eventually(t, "the gateway is ready again", func() bool { return h.get("/readyz").status == 200 && h.gateway.Ready() == nil })
	alone := openAlone(t, rpc.NewMemory())
	if a := alone.get("/readyz"); a.status != 503 || !strings.Contains(a.message(), "cannot be reached") {
		t.Errorf("away: %d %s", a.status, a.body)
	}
	if a := alone.get("/readyz"); strings.Contains(a.body, coordinatorAddr) {
		t.Errorf("away: the answer names the coordinator's address: %s", a.body)
	}
	if err := alone.gateway.Ready(); err == nil || !strings.Contains(err.Error(), coordinatorAddr) {
		t.Errorf("away: an operator does not read where: %v", err)
	}
	if a := alone.get("/healthz"); a.status != 200 {
		t.Errorf("the gateway itself lives: %d", a.status)
	}
}

func TestACoordinatorThatIsAwayIsA503InTime(t *testing.T) {
	t.Parallel()
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		a := openAlone(t, rpc.NewMemory()).get("/v1/sites")
		if a.status != 503 || !strings.Contains(a.message(), "the coordinator cannot be reached") || a.header.Get("Retry-After") == "" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("the host swallows everything", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			n := rpc.NewMemory()
			l, err := n.Listen(coordinatorAddr)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			h := openAlone(t, n)
			start := time.Now()
			a := h.get("/v1/sites")
			if took := time.Since(start); a.status != 503 || !strings.Contains(a.message(), "cannot be reached") || took > gateway.CallTimeout {
				t.Errorf("%d %s after %v", a.status, a.body, took)
			}
			h.client.CloseIdleConnections()
			h.stop()
			if err := h.ended(); err != nil {
				t.Error(err)
			}
		})
	})
}

// The coordinator decides about the tokens of callers; the gateway only passes them on, and
// its own beside them.
func TestTheCoordinatorDecidesAboutTokens(t *testing.T) {
	t.Parallel()
	const node = "0123456789abcdef0123456789abcdef"
	f := newFake()
	f.access = rpc.NewAuthorizer(rpc.AuthorizerOptions{
		Roles: []access.RoleToken{{Role: access.Gateway, Token: node}},
		Keys:  keys{"jm_read": {TokenID: 1, Scopes: access.SitesRead}, "jm_fleet": {TokenID: 2, Scopes: access.FleetRead}},
		Rate:  rpc.Rate{PerSecond: 0.001, Burst: 100},
	})
	h := open(t, f, func(o *gateway.Options) { o.Client.Token = node })
	for path, public := range map[string]bool{
		"/healthz": true, "/readyz": true, "/": true, "/openapi.json": true, "/v1/sites": false, "/v1/sites/7": false,
	} {
		for header, want := range map[string]int{
			"": 401, "Bearer three": 401, "Bearer " + strings.Repeat("x", 9000): 401, "Bearer \xff": 401, "Bearer three\t": 401, "Bearer\tjm_read": 401,
			"Basic jm_read": 401, "Bearer jm_fleet": 403, "Bearer jm_read": 200, "Bearer " + node: 403,
		} {
			a := h.send("GET", path, "", "Authorization", header)
			if public {
				want = 200
			}
			if a.status != want {
				t.Errorf("%s with %.50q: %d, want %d", path, header, a.status, want)
			}
			if a.status == 401 && (a.header.Get("WWW-Authenticate") == "" || a.message() == "") {
				t.Errorf("%s with %q: %v %s", path, header, a.header, a.body)
			}
			if known := strings.HasPrefix(header, "Bearer jm_"); !public && known && a.header.Get("RateLimit-Policy") != `"caller";q=100;w=100000` {
				t.Errorf("%s with %q: headers %v", path, header, a.header)
			}
		}
	}
	a := h.get("/nothing")
	if a.status != 404 {
		t.Errorf("/nothing: %d", a.status)
	}
}

// A proxy before the gateway might look at the other one.
func TestTwoTokensAreRefused(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.access = rpc.NewAuthorizer(rpc.AuthorizerOptions{Keys: keys{"jm_read": {TokenID: 1, Scopes: access.SitesRead}}})
	h := open(t, f)
	for _, two := range [][]string{{"Bearer jm_read", "Bearer jm_x"}, {"Bearer jm_read", "Bearer jm_read"}, {"Bearer jm_read", ""}, {"", "Bearer jm_read"}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.base+"/v1/sites", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header["Authorization"] = two
		resp, err := h.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != 401 {
			t.Errorf("with %q: %d", two, resp.StatusCode)
		}
	}
}

// keys are tokens of the API.
type keys map[string]access.Caller

func (k keys) Caller(_ context.Context, token string) (access.Caller, error) {
	if c, ok := k[token]; ok {
		return c, nil
	}
	return access.Caller{}, fault.New(fault.Unauthenticated, "not accepted")
}

func TestRequestsAreCountedByRoute(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	h := open(t, newFake(), func(o *gateway.Options) { o.Metrics = reg })
	h.get("/v1/sites/7")
	h.get("/v1/sites/8")
	h.get("/whatever/7")
	h.send("BREW", "/healthz", "")
	h.client.CloseIdleConnections()
	h.stop()
	if err := h.ended(); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() != "jetmon_gateway_requests_total" {
				continue
			}
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			got = append(got, strings.Join(labels, " "))
		}
	}
	want := []string{"GET /v1/sites/{site_id} 200", "GET /v1/sites/{site_id} 404", "GET other 404", "other /healthz 405"}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("counted %q, want %q", got, want)
	}
}

func TestAGatewayOverTCPEndsInOrder(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := openAlone(t, rpc.NewMemory(), func(o *gateway.Options) { o.Listeners = append(o.Listeners, l) })
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Get("http://" + l.Addr().String() + "/healthz")
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(err, resp)
	}
	_ = resp.Body.Close()
	client.CloseIdleConnections()
	h.stop()
	if err := h.ended(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("still listening")
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]gateway.Options{
		"no coordinator":            {},
		"a description not in JSON": {Coordinator: "x", OpenAPI: []byte("{")},
	} {
		if _, err := gateway.New(o); err == nil || !strings.HasPrefix(err.Error(), "gateway: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	g, err := gateway.New(gateway.Options{Coordinator: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Run(t.Context()); err == nil {
		t.Error("ran without a listener")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	g, err = gateway.New(gateway.Options{Coordinator: "x", Listeners: []net.Listener{l}})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Run(t.Context()); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("on a closed listener: %v", err)
	}
}
