package jetpack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
	"github.com/Automattic/jetmon/internal/jetpack/xmlrpc"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/test/fakesite"
)

func TestAHealthySiteGivesNoWarning(t *testing.T) {
	t.Parallel()
	r := diagnose(t, newWorld(t, fakejetpack.New(connected())), nil)
	for _, f := range r.Findings {
		if f.Verdict == jetpack.Warn || f.Verdict == jetpack.Fail {
			t.Errorf("%s: %+v", f.Verdict, f)
		}
	}
	for _, check := range []string{
		"dns", "tcp", "redirects", "head_and_get", "firewall_page", "ipv6", "xmlrpc_get", "xmlrpc_post", "xmlrpc_methods", "detour",
		"rest_index", "rsd", "jetpack_connected", "clock", "signed_by_blog", "signed_by_user", "known", "known_home", "known_jetpack",
		"known_xmlrpc", "sync_allowed", "sync_health", "sync_queue", "sync_lock", "sync_sender", "full_sync", "wp_cron",
	} {
		expect(t, r, check, jetpack.Pass, "")
	}
	if len(r.Causes) > 0 || r.Worst() != jetpack.Pass || r.Conclusion != "Nothing wrong was found." {
		t.Errorf("causes %v: %s", r.Causes, r.Conclusion)
	}
	if !slices.IsSortedFunc(r.Findings, func(a, b jetpack.Finding) int { return int(a.Section - b.Section) }) {
		t.Error("the sections are not in order")
	}
}

func TestWhatWordPressComKnowsIsComparedWithWhatIsSeen(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		know  func(w *world)
		check string
		want  jetpack.Verdict
		cause string
	}{
		"an unknown site": {func(w *world) { clear(w.com.Sites) }, "known", jetpack.Fail, "unknown_blog"},
		"a private site":  {func(w *world) { w.know(fakejetpack.Metadata{Private: true}) }, "known", jetpack.Pass, ""},
		"another address": {func(w *world) { w.know(fakejetpack.Metadata{ID: 7, URL: "https://old.example", Jetpack: true}) }, "known_home", jetpack.Fail, "address_differs"},
		"another scheme": {func(w *world) {
			w.know(fakejetpack.Metadata{ID: 7, URL: strings.Replace(w.site, "http:", "https:", 1), Jetpack: true})
		}, "known_home", jetpack.Fail, "scheme_differs"},
		"one of the smaller plugins": {func(w *world) {
			w.know(fakejetpack.Metadata{ID: 7, URL: w.site, ConnectionOnly: true})
		}, "known_jetpack", jetpack.Pass, ""},
		"a blog there": {func(w *world) { w.know(fakejetpack.Metadata{ID: 7, URL: w.site}) }, "known_jetpack", jetpack.Fail, "not_jetpack"},
		"another xmlrpc.php": {func(w *world) {
			w.know(fakejetpack.Metadata{ID: 7, URL: w.site, Jetpack: true, XMLRPC: w.site + "wp/xmlrpc.php"})
		}, "known_xmlrpc", jetpack.Fail, "xmlrpc_differs"},
		"an API that is away":   {func(w *world) { w.api = w.site }, "known", jetpack.Skipped, ""},
		"no link to the door":   {func(w *world) { w.know(fakejetpack.Metadata{ID: 7, URL: w.site, Jetpack: true}) }, "known_xmlrpc", jetpack.Skipped, ""},
		"nobody is to be asked": {func(w *world) { w.api = jetpack.NoMetadata }, "known", jetpack.Skipped, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, fakejetpack.New(connected()))
			tt.know(w)
			expect(t, diagnose(t, w, nil), tt.check, tt.want, tt.cause)
		})
	}
}

func TestASiteThatMovedIsFollowedAndSaidSo(t *testing.T) {
	t.Parallel()
	site := fakejetpack.New(connected())
	w := newWorld(t, site)
	old := serve(t, http.RedirectHandler(w.site, http.StatusMovedPermanently))
	r := diagnose(t, w, func(_ *jetpack.Options, target *jetpack.Target) { target.URL = old })
	expect(t, r, "redirects", jetpack.Warn, "address_redirects")
	expect(t, r, "xmlrpc_post", jetpack.Pass, "")
	expect(t, r, "known_home", jetpack.Pass, "")
	if r.URL != w.site || len(r.Causes) == 0 || !strings.Contains(r.Conclusion, "a redirected POST becomes a GET") {
		t.Errorf("%s: %s", r.URL, r.Conclusion)
	}
	loop := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }))
	r = diagnose(t, w, func(_ *jetpack.Options, target *jetpack.Target) { target.URL = loop })
	if f := r.Find("redirects"); f.Verdict != jetpack.Fail || !strings.HasPrefix(f.Cause, "redirect_") {
		t.Errorf("a loop: %+v", f)
	}
	nowhere := serve(t, http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound))
	r = diagnose(t, w, func(_ *jetpack.Options, target *jetpack.Target) { target.URL = nowhere })
	expect(t, r, "tcp", jetpack.Pass, "")
	expect(t, r, "redirects", jetpack.Fail, "redirect_target")
}

func TestPastedAddressesLeadToTheSite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakejetpack.New(connected()))
	for _, path := range []string{"xmlrpc.php", "wp-admin/options-general.php?page=x", "wp-json/jetpack/v4", "?p=3", "wp-login.php", "index.php"} {
		r := diagnose(t, w, func(_ *jetpack.Options, target *jetpack.Target) { target.URL = w.site + path })
		if r.URL != w.site || r.Worst() != jetpack.Pass {
			t.Errorf("%s leads to %s:\n%s", path, r.URL, table(r))
		}
	}
}

func TestAPageOfASiteLeadsToTheSiteAndADirectoryStays(t *testing.T) {
	t.Parallel()
	site := fakejetpack.New(connected())
	var mu sync.Mutex
	var asked []string
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.URL.Path)
		mu.Unlock()
		if r.URL.Path == "/hello-world" {
			return
		}
		site.ServeHTTP(w, r)
	}))
	r := diagnose(t, w, func(_ *jetpack.Options, target *jetpack.Target) { target.URL = w.site + "hello-world" })
	if r.URL != w.site || r.Worst() != jetpack.Pass {
		t.Errorf("%s:\n%s", r.URL, table(r))
	}
	mu.Lock()
	if slices.Contains(asked, "/hello-world/") {
		t.Error("the page is asked for by another address than was given")
	}
	mu.Unlock()
	options := connected()
	options.Dir = "/blog"
	below := newWorld(t, fakejetpack.New(options))
	r = diagnose(t, below, func(_ *jetpack.Options, target *jetpack.Target) { target.URL = below.site + "blog/wp-admin/" })
	if r.URL != below.site+"blog/" || r.Find("xmlrpc_post").Verdict != jetpack.Pass {
		t.Errorf("%s:\n%s", r.URL, table(r))
	}
}

func TestNoAnswerAtAllSkipsTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakejetpack.New(connected()))
	for name, tt := range map[string]struct{ url, check, cause string }{
		"a port where nobody listens": {"http://127.0.0.1:1/", "tcp", "tcp_refused"},
		"packets that are dropped":    {"http://" + fakesite.Blackhole(t, netip.MustParseAddrPort("127.0.0.1:0")).String() + "/", "tcp", "tcp_timeout"},
		"TLS where there is none":     {strings.Replace(w.site, "http:", "https:", 1), "tls", "tls_not_tls"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := diagnose(t, w, func(o *jetpack.Options, target *jetpack.Target) {
				target.URL, o.StepTimeout = tt.url, time.Second
			})
			expect(t, r, tt.check, jetpack.Fail, tt.cause)
			expect(t, r, "xmlrpc_post", jetpack.Skipped, "")
			expect(t, r, "signed_by_blog", jetpack.Skipped, "")
			if len(r.Causes) == 0 || r.Causes[0].Checks[0] != tt.check {
				t.Errorf("causes %+v", r.Causes)
			}
		})
	}
}

func TestThePolicyOfTheEngineHoldsForCallsToo(t *testing.T) {
	t.Parallel()
	var calls []string
	var mu sync.Mutex
	w := newWorld(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, r.Method+" "+r.URL.Path)
	}))
	strict, err := probe.New(probe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := diagnose(t, w, func(o *jetpack.Options, _ *jetpack.Target) { o.Prober = strict })
	if f := r.Find("tcp"); f.Verdict != jetpack.Fail || f.Cause != "private_address" {
		t.Errorf("%s", table(r))
	}
	mu.Lock()
	defer mu.Unlock()
	if len(calls) > 0 {
		t.Errorf("called %q", calls)
	}
}

func TestSignedCallsNeverFollowRedirects(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var leaked []string
	elsewhere := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		leaked = append(leaked, r.URL.String())
	}))
	site := fakejetpack.New(connected())
	redirected := 0
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("signature") {
			mu.Lock()
			redirected++
			mu.Unlock()
			http.Redirect(w, r, elsewhere+r.URL.RequestURI()[1:], http.StatusTemporaryRedirect)
			return
		}
		site.ServeHTTP(w, r)
	}))
	r := diagnose(t, w, nil)
	expect(t, r, "signed_by_blog", jetpack.Fail, "redirected")
	expect(t, r, "signed_by_user", jetpack.Fail, "redirected")
	expect(t, r, "sync_allowed", jetpack.Fail, "sync_unreadable")
	mu.Lock()
	defer mu.Unlock()
	if len(leaked) > 0 || redirected < 3 {
		t.Errorf("%d signed calls were redirected, and %q followed", redirected, leaked)
	}
}

func TestNoSecretIsInAReport(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.Handler{
		"a healthy site": fakejetpack.New(connected()),
		// A site whose XML-RPC works and repeats the URL of the call in its answers.
		"a talkative site": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Server", r.URL.RequestURI())
			answer, err := xmlrpc.EncodeAnswer("called by " + r.URL.RequestURI())
			if r.URL.Query().Has("signature") {
				answer, err = xmlrpc.EncodeFault(&xmlrpc.Fault{Code: 1, Text: "called by " + r.URL.RequestURI()})
			}
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(answer)
		}),
		// A site that echoes header and body of the request.
		"an echo": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1/x?"+r.URL.RawQuery)
			if r.URL.Query().Has("signature") {
				w.WriteHeader(http.StatusMovedPermanently)
			}
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "<html>The requested URL %s was not found. %s</html>", r.URL.RequestURI(), body)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := jetpack.Target{}
			r := diagnose(t, newWorld(t, h), func(_ *jetpack.Options, given *jetpack.Target) { target = *given })
			asJSON, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			slog.New(slog.NewJSONHandler(&log, nil)).Info("diagnosed", "report", r, "target", target)
			all := string(asJSON) + log.String() + fmt.Sprintf("%+v %#v %v", r, target, target) + table(r)
			for _, secret := range append(secrets(), "signature=", "nonce=", "blogkey", "userkey") {
				if strings.Contains(all, secret) {
					t.Errorf("%q is shown in:\n%s", secret, all)
				}
			}
		})
	}
}

func TestADiagnosisEndsInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	start := time.Now()
	r := diagnose(t, w, func(o *jetpack.Options, _ *jetpack.Target) { o.Timeout = 2 * time.Second })
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("took %v", took)
	}
	if r.Find("head_and_get").Verdict == jetpack.Pass || len(r.Causes) == 0 {
		t.Errorf("%s", table(r))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d, err := jetpack.New(jetpack.Options{Prober: newProber(t), MetadataURL: w.api})
	if err != nil {
		t.Fatal(err)
	}
	if r, err = d.Diagnose(ctx, jetpack.Target{URL: w.site}); err != nil || r.Find("xmlrpc_post").Verdict != jetpack.Skipped {
		t.Errorf("cancelled: %v", err)
	}
}

func TestBadOptionsAndTargetsAreErrors(t *testing.T) {
	t.Parallel()
	if _, err := jetpack.New(jetpack.Options{}); err == nil {
		t.Error("no prober")
	}
	if _, err := jetpack.New(jetpack.Options{Prober: newProber(t), MetadataURL: "ftp://x/"}); err == nil {
		t.Error("a bad API")
	}
	d, err := jetpack.New(jetpack.Options{Prober: newProber(t)})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "example.com", "ftp://example.com/", "http://u:p@example.com/", "http://example.com:99999/"} {
		if _, err := d.Diagnose(t.Context(), jetpack.Target{URL: bad}); err == nil || !strings.HasPrefix(err.Error(), "url ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
