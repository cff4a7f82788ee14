package gateway_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

// shown opens a gateway with a status page of the tag shop, whose coordinator asks for a token.
func shown(t *testing.T, f *fake) *house {
	t.Helper()
	const node = "0123456789abcdef0123456789abcdef"
	scopes, err := access.ParseScopes([]string{"sites:read", "outages:read"})
	if err != nil {
		t.Fatal(err)
	}
	f.access = rpc.NewAuthorizer(rpc.AuthorizerOptions{
		Roles: []access.RoleToken{{Role: access.Gateway, Token: node}},
		Keys:  keys{"jm_status": {TokenID: 5, Name: "status", Scopes: scopes}},
	})
	return open(t, f, func(o *gateway.Options) {
		o.Client.Token, o.StatusToken = node, "jm_status"
		o.StatusPages = []gateway.StatusPage{{Name: "shops", Tag: "shop", Title: `Shops & <b>more</b>`}}
	})
}

func TestAStatusPageShowsWhatSitesAgreedToAndNoMore(t *testing.T) {
	t.Parallel()
	f := newFake()
	day := time.Now().UTC().Truncate(24 * time.Hour)
	f.sites = map[int64]*monitorv1.Site{
		1: {SiteId: 1, BlogId: 770077, Url: `https://user@Shop.example/secret-path?key=secret#<script>`, PublicBadges: true, State: monitorv1.SiteState_SITE_STATE_DOWN, OutageId: 9},
		2: {SiteId: 2, Url: "https://shop.example/two", PublicBadges: true, State: monitorv1.SiteState_SITE_STATE_SUSPECT},
		3: {SiteId: 3, Url: "https://unseen.example/", State: monitorv1.SiteState_SITE_STATE_DOWN},
		4: {SiteId: 4, Url: `http://<img src=x onerror=alert(1)>.example`, PublicBadges: true, State: monitorv1.SiteState_SITE_STATE_PAUSED},
		5: {SiteId: 5, Url: "http://work.example/", PublicBadges: true, State: monitorv1.SiteState_SITE_STATE_DOWN, MaintenanceId: 3},
	}
	f.uptime = func(id int64) *monitorv1.SiteUptime {
		u := &monitorv1.SiteUptime{SiteId: id, Uptime: new(0.999999), DownTime: durationpb.New(time.Hour)}
		for i := range 90 {
			p := &monitorv1.HistoryPoint{StartTime: timestamppb.New(day.AddDate(0, 0, i-89)), Uptime: new(1.0), Coverage: new(1.0)}
			switch i {
			case 0:
				p.Coverage = new(0.0) // nobody looked
			case 88:
				p.DownTime = durationpb.New(time.Hour)
			}
			u.Days = append(u.Days, p)
		}
		return u
	}
	h := shown(t, f)
	a := h.get("/status/shops")
	if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.HasPrefix(a.header.Get("Cache-Control"), "public, max-age=60") {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	for _, want := range []string{
		"Shops &amp; &lt;b&gt;more&lt;/b&gt;", "One site is down.", "<h3>shop.example</h3>", "<h3>shop.example (2)</h3>", "99.99% up", "90 days",
		"paused", "in maintenance", "down for 60 min", "nobody looked", "&lt;img src=x onerror=alert(1)&gt;.example", "looked at on 89",
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("does not show %q", want)
		}
	}
	for _, never := range []string{"secret", "user", "unseen", "770077", "<script", "<img", "upgrade", "style="} {
		if strings.Contains(a.body, never) {
			t.Errorf("shows %q", never)
		}
	}
	if policy := a.header.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "style-src 'sha256-") {
		t.Errorf("the policy is %s", policy)
	}
	if again := h.send("GET", "/status/shops", "", "If-None-Match", a.header.Get("ETag")); again.status != http.StatusNotModified {
		t.Errorf("with its tag: %d", again.status)
	}
	for path, status := range map[string]int{"/status/other": 404, "/status/": 404, "/status/shops/": 404} {
		if a := h.get(path); a.status != status {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

func TestAStatusPageIsMadeOnceWhateverTheTraffic(t *testing.T) {
	t.Parallel()
	f := newFake()
	h := shown(t, f)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if a := h.get("/status/shops"); a.status != 200 || !strings.Contains(a.body, "No site is shown here yet.") {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	all.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.lists) != 1 || f.lists[0].GetTag() != "shop" {
		t.Errorf("the sites were listed %d times: %v", len(f.lists), f.lists)
	}
}

func TestStatusPagesAreOffByDefaultAndChecked(t *testing.T) {
	t.Parallel()
	if a := open(t, newFake()).get("/status/shops"); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, bad := range [][]gateway.StatusPage{{{Name: "", Tag: "a"}}, {{Name: "a/b", Tag: "a"}}, {{Name: "a"}}, {{Name: "a", Tag: "a"}, {Name: "a", Tag: "b"}}} {
		if _, err := gateway.New(gateway.Options{Coordinator: "c", StatusPages: bad}); err == nil {
			t.Errorf("takes %v", bad)
		}
	}
}

// lockedBuffer takes what many log.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// counting counts who asks, and knows nobody.
type counting struct{ asked *atomic.Int64 }

func (c counting) Caller(context.Context, string) (access.Caller, error) {
	c.asked.Add(1)
	return access.Caller{}, fault.New(fault.Unauthenticated, "not accepted")
}

func TestAStatusPageThatCannotBeMadeIsTriedNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		var log lockedBuffer
		f := newFake()
		const node = "0123456789abcdef0123456789abcdef"
		f.access = rpc.NewAuthorizer(rpc.AuthorizerOptions{
			Roles: []access.RoleToken{{Role: access.Gateway, Token: node}}, Keys: counting{&asked},
		})
		h := open(t, f, func(o *gateway.Options) {
			o.Client.Token, o.StatusToken, o.Log = node, "jm_status", slog.New(slog.NewTextHandler(&log, nil))
			o.StatusPages = []gateway.StatusPage{{Name: "shops", Tag: "shop"}}
		})
		storm := func(when string, status int, calls int64) {
			t.Helper()
			asked.Store(0)
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					if a := h.get("/status/shops"); a.status != status || (status == 200) == (a.header.Get("Cache-Control") == "no-store") {
						t.Errorf("%s: %d %s", when, a.status, a.body)
					}
				})
			}
			all.Wait()
			if n := asked.Load(); n != calls {
				t.Errorf("%s: the coordinator was asked %d times by 50 requests, want %d", when, n, calls)
			}
			h.client.CloseIdleConnections()
		}
		storm("from the beginning", http.StatusServiceUnavailable, 1)
		if text := log.String(); strings.Count(text, "status page not made") != 1 || !strings.Contains(text, "not accepted") {
			t.Errorf("the log does not say once why: %s", text)
		}
		time.Sleep(9 * time.Second)
		storm("a little later", http.StatusServiceUnavailable, 0)
		f.access.SetKeys(keys{"jm_status": {TokenID: 5, Scopes: access.SitesRead | access.OutagesRead}})
		time.Sleep(2 * time.Second)
		storm("mended", http.StatusOK, 0)
		f.access.SetKeys(counting{&asked})
		time.Sleep(61 * time.Second)
		storm("with an old page", http.StatusOK, 1)
		time.Sleep(10 * time.Minute)
		storm("with one that is too old", http.StatusServiceUnavailable, 1)
	})
}

func TestAStatusPageTellsOfAllWorkThatTouchesItsSites(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.sites = map[int64]*monitorv1.Site{
		1: {SiteId: 1, Url: "https://shop.example/", Tags: []string{"shop", "eu"}, PublicBadges: true, State: monitorv1.SiteState_SITE_STATE_UP},
		2: {SiteId: 2, Url: "http://other.example:8080/", Tags: []string{"shop"}, PublicBadges: true, State: monitorv1.SiteState_SITE_STATE_UP},
		3: {SiteId: 3, Url: "https://hidden.example/", Tags: []string{"shop", "secret"}, State: monitorv1.SiteState_SITE_STATE_UP},
	}
	day := time.Now().UTC().Truncate(24 * time.Hour)
	work := func(days int, m *monitorv1.Maintenance) {
		start := day.AddDate(0, 0, days)
		m.Window = &monitorv1.MaintenanceWindow{StartTime: timestamppb.New(start), EndTime: timestamppb.New(start.Add(time.Hour))}
		f.works = append(f.works, m)
	}
	work(1, &monitorv1.Maintenance{Tag: "eu"})
	work(2, &monitorv1.Maintenance{SiteId: 2})
	work(3, &monitorv1.Maintenance{Host: "shop.example"})
	work(4, &monitorv1.Maintenance{Host: "other.example:8080"})
	work(5, &monitorv1.Maintenance{Host: "shop.example:443"})
	work(5, &monitorv1.Maintenance{Tag: "shop"}) // the same time once more
	for i, m := range []*monitorv1.Maintenance{{Tag: "secret"}, {SiteId: 3}, {Host: "other.example:80"}, {Host: "example"}, {Tag: "us"}} {
		work(10+i, m)
	}
	work(-2, &monitorv1.Maintenance{Tag: "shop"}) // over
	h := shown(t, f)
	body := h.get("/status/shops").body
	_, planned, _ := strings.Cut(body, "Planned work")
	planned, _, _ = strings.Cut(planned, "<h2>")
	for i := range 5 {
		if at := day.AddDate(0, 0, i+1).Format(time.RFC3339); strings.Count(planned, at) != 1 {
			t.Errorf("work of %s is not there once: %s", at, planned)
		}
	}
	if n := strings.Count(planned, "<li>"); n != 5 {
		t.Errorf("%d works: %s", n, planned)
	}
}

func TestStatusPagesChangeWhileTheGatewayRuns(t *testing.T) {
	t.Parallel()
	f := newFake()
	h := shown(t, f)
	if a := h.get("/status/shops"); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	lists := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.lists)
	}
	shops := gateway.StatusPage{Name: "shops", Tag: "shop", Title: `Shops & <b>more</b>`}
	if err := h.gateway.SetStatusPages([]gateway.StatusPage{shops, {Name: "blogs", Tag: "blog"}}, "jm_status"); err != nil {
		t.Fatal(err)
	}
	if a := h.get("/status/blogs"); a.status != 200 || h.get("/status/shops").status != 200 || lists() != 2 {
		t.Errorf("the new page: %d; the sites were listed %d times, want that the old page stays as it was made", a.status, lists())
	}
	if err := h.gateway.SetStatusPages([]gateway.StatusPage{{Name: "x"}}, ""); err == nil || h.get("/status/blogs").status != 200 {
		t.Errorf("a page without a tag: %v, and those before are gone", err)
	}
	if err := h.gateway.SetStatusPages([]gateway.StatusPage{shops}, "jm_other"); err != nil {
		t.Fatal(err)
	}
	if a := h.get("/status/blogs"); a.status != 404 {
		t.Errorf("a page that is gone: %d", a.status)
	}
	if a := h.get("/status/shops"); a.status != 503 {
		t.Errorf("with a token that is not accepted: %d", a.status)
	}
}
