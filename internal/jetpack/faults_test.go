package jetpack_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/test/fakesite"
)

func causeNames(r *jetpack.Report) []string {
	var all []string
	for _, c := range r.Causes {
		all = append(all, c.Name)
	}
	return all
}

func TestTwoFaultsAreBothNamed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		edit          func(*fakejetpack.Options)
		first, second string
	}{
		"a fatal error, and a firewall before xmlrpc.php": {
			func(o *fakejetpack.Options) { o.State, o.Obstacle = fakejetpack.Broken, fakejetpack.Sucuri }, "fatal_error", "firewall_sucuri",
		},
		"maintenance, and a deny rule": {
			func(o *fakejetpack.Options) {
				o.State, o.Obstacle = fakejetpack.Maintenance, fakejetpack.ForbiddenByServer
			}, "maintenance", "deny_rule_nginx",
		},
		"a byte order mark, and a coming-soon page": {
			func(o *fakejetpack.Options) { o.State, o.Obstacle = fakejetpack.ComingSoon, fakejetpack.ByteOrderMark }, "byte_order_mark", "coming_soon",
		},
		"a blocked xmlrpc.php, and a closed REST API": {
			func(o *fakejetpack.Options) {
				o.Obstacle, o.RESTClosed, o.RESTStatus = fakejetpack.Wordfence, "rest_not_logged_in", 401
			}, "firewall_wordfence", "rest_closed",
		},
		"lost rewrites, and a filter of GET": {
			func(o *fakejetpack.Options) { o.LostRewrites, o.Obstacle = true, fakejetpack.MethodFilter }, "rest_rewrites_lost", "method_filter",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := connected()
			tt.edit(&o)
			r := diagnose(t, newWorld(t, fakejetpack.New(o)), nil)
			all := causeNames(r)
			first, second := slices.Index(all, tt.first), slices.Index(all, tt.second)
			if first != 0 || second < 1 {
				t.Fatalf("causes %q:\n%s", all, table(r))
			}
			if !strings.Contains(r.Conclusion, r.Causes[0].Means) || !strings.Contains(r.Conclusion, r.Causes[second].Means) && !strings.Contains(r.Conclusion, tt.second) {
				t.Errorf("%s", r.Conclusion)
			}
		})
	}
}

func TestAClosedRESTAPIIsNamedAndSignedCallsGoOn(t *testing.T) {
	t.Parallel()
	for code, says := range map[string]string{
		"rest_not_logged_in": "handbook", "itsec_rest_api_access_restricted": "Solid Security", "some_other_code": "some_other_code",
	} {
		o := connected()
		o.RESTClosed, o.RESTStatus = code, 401
		r := diagnose(t, newWorld(t, fakejetpack.New(o)), nil)
		expect(t, r, "rest_index", jetpack.Warn, "rest_closed")
		expect(t, r, "signed_by_blog", jetpack.Pass, "")
		expect(t, r, "sync_health", jetpack.Pass, "")
		if f := r.Find("rest_index"); !strings.Contains(f.Means, says) || !strings.Contains(f.Seen, code) {
			t.Errorf("%+v", f)
		}
	}
}

func TestAListOfMethodsThatSomethingRefusesHasThatCause(t *testing.T) {
	t.Parallel()
	site := fakejetpack.New(connected())
	r := diagnose(t, newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if bytes.Contains(body, []byte("system.listMethods")) && r.URL.RawQuery == "" {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		site.ServeHTTP(w, r)
	})), nil)
	expect(t, r, "xmlrpc_post", jetpack.Pass, "")
	expect(t, r, "xmlrpc_methods", jetpack.Warn, "rate_limit")
}

func TestARESTAPIThatIsClosedToSignedCallsAsWellIsOneCause(t *testing.T) {
	t.Parallel()
	o := connected()
	o.RESTClosed, o.RESTStatus, o.RESTForUsers = "rest_cannot_access", 403, true
	r := diagnose(t, newWorld(t, fakejetpack.New(o)), nil)
	expect(t, r, "rest_index", jetpack.Warn, "rest_closed")
	expect(t, r, "sync_allowed", jetpack.Fail, "rest_closed")
	if all := causeNames(r); !slices.Equal(all, []string{"rest_closed"}) {
		t.Errorf("causes %q", all)
	}
}

func TestARESTAPIThatAnswersAtItsOtherAddressAloneSaysWhy(t *testing.T) {
	t.Parallel()
	nginx := func(status int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Server", "nginx")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, tt := range map[string]struct {
		obstacle fakejetpack.Obstacle
		answer   func(http.ResponseWriter)
		causes   []string
	}{
		"a rule of the server":  {"", nginx(403, "<center><h1>403 Forbidden</h1></center>"), []string{"rest_denied"}},
		"a limit":               {"", nginx(429, "slow down"), []string{"rest_denied"}},
		"a dropped connection":  {"", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, []string{"rest_denied"}},
		"a cached page":         {"", nginx(200, "<html><body>Hello world!</body></html>"), []string{"rest_page"}},
		"no file of that name":  {"", nginx(404, "<center><h1>404 Not Found</h1></center>"), []string{"rest_rewrites_lost"}},
		"a rule, and text late": {fakejetpack.WarningAfter, nginx(403, "<center><h1>403 Forbidden</h1></center>"), []string{"output_after_xml", "rest_denied"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := connected()
			o.Obstacle, o.Everywhere = tt.obstacle, tt.obstacle != ""
			site := fakejetpack.New(o)
			r := diagnose(t, newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/wp-json/") {
					tt.answer(w)
					return
				}
				site.ServeHTTP(w, r)
			})), nil)
			if all := causeNames(r); !slices.Equal(all, tt.causes) {
				t.Errorf("causes %q, want %q:\n%s", all, tt.causes, table(r))
			}
		})
	}
}

func TestTextAroundTheJSONIsToldAndTheIndexIsReadAllTheSame(t *testing.T) {
	t.Parallel()
	o := connected()
	o.RESTNotice = "<br />\n<b>Warning</b>:  Undefined variable $x in <b>/srv/www/x.php</b> on line <b>3</b><br />\n"
	r := diagnose(t, newWorld(t, fakejetpack.New(o)), nil)
	expect(t, r, "rest_index", jetpack.Warn, "output_around_json")
	expect(t, r, "xmlrpc_post", jetpack.Pass, "")
	if f := r.Find("rest_index"); !strings.Contains(f.Seen, "/srv/www/x.php") {
		t.Errorf("%+v", f)
	}
	// The same text before everything is one fault.
	o = connected()
	o.Obstacle, o.Everywhere = fakejetpack.ByteOrderMark, true
	r = diagnose(t, newWorld(t, fakejetpack.New(o)), nil)
	expect(t, r, "rest_index", jetpack.Warn, "byte_order_mark")
	expect(t, r, "xmlrpc_post", jetpack.Fail, "byte_order_mark")
	if r.Causes[0].Name != "byte_order_mark" {
		t.Errorf("%s", table(r))
	}
}

func TestOurOwnTroubleIsNotTheSites(t *testing.T) {
	t.Parallel()
	closed, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := closed.LocalAddr().String()
	_ = closed.Close()
	p, err := probe.New(probe.Options{AllowPrivate: true, Resolver: addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	r := diagnose(t, newWorld(t, http.NotFoundHandler()), func(o *jetpack.Options, target *jetpack.Target) {
		o.Prober, o.StepTimeout, o.MetadataURL, target.URL = p, 3*time.Second, jetpack.NoMetadata, "http://shop.example.test/"
	})
	expect(t, r, "dns", jetpack.Warn, "our_resolver_unreachable")
	if len(r.Causes) != 1 || r.Causes[0].Weight != cause.Ours || !strings.HasPrefix(r.Conclusion, "Nothing can be said about the site: ") {
		t.Errorf("%s", table(r))
	}
}

func TestACertificateWithSomeDaysLeftIsBelowEverythingElse(t *testing.T) {
	t.Parallel()
	for obstacle, first := range map[fakejetpack.Obstacle]string{"": "tls_expiring", fakejetpack.Sucuri: "firewall_sucuri", fakejetpack.MethodFilter: "method_filter"} {
		server, prober := secure(t, fakesite.Expiring, http.NotFoundHandler())
		o := connected()
		o.Home, o.Obstacle = server.URL(), obstacle
		if obstacle == fakejetpack.MethodFilter {
			o.LostRewrites, first = true, "rest_rewrites_lost"
		}
		site := fakejetpack.New(o)
		server.SetHandler(site.ServeHTTP)
		w := newWorld(t, site)
		r := diagnose(t, w, func(o *jetpack.Options, target *jetpack.Target) {
			o.Prober, o.RootCAs, target.URL, o.MetadataURL = prober, server.Roots(), server.URL(), jetpack.NoMetadata
		})
		if all := causeNames(r); len(all) == 0 || all[0] != first || !slices.Contains(all, "tls_expiring") {
			t.Errorf("%q: causes %q:\n%s", obstacle, causeNames(r), table(r))
		}
	}
}

func TestARedirectOfPagesAloneLosesNoCalls(t *testing.T) {
	t.Parallel()
	o := connected()
	o.Canonical = true
	server := httptest.NewUnstartedServer(nil)
	server.Start()
	t.Cleanup(server.Close)
	// The same server has two addresses, and WordPress believes in one of them.
	o.Home = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	site := fakejetpack.New(o)
	server.Config.Handler = site
	w := newWorld(t, site)
	w.com.Sites["localhost"] = fakejetpack.Metadata{ID: 7, URL: o.Home, Jetpack: true, XMLRPC: o.Home + "/xmlrpc.php"}
	r := diagnose(t, w, func(_ *jetpack.Options, target *jetpack.Target) { target.URL = server.URL + "/" })
	expect(t, r, "redirects", jetpack.Pass, "")
	if r.Worst() != jetpack.Pass || r.URL != o.Home+"/" {
		t.Errorf("%s:\n%s", r.URL, table(r))
	}
}

func TestASiteThatIsWrongAboutItsFilesIsDiagnosedWhereItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, http.StripPrefix("/blog", fakejetpack.New(connected())))
	r := diagnose(t, w, func(_ *jetpack.Options, target *jetpack.Target) { target.URL = w.site + "blog/" })
	if r.URL != w.site+"blog/" || r.Find("xmlrpc_post").Verdict != jetpack.Pass {
		t.Errorf("%s:\n%s", r.URL, table(r))
	}
	expect(t, r, "rest_index", jetpack.Warn, "home_differs")
}

func TestASiteThatIsNoWordPressIsToldSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte("<!DOCTYPE html><html><head><title>A shop</title></head><body><h1>Made with something else</h1></body></html>"))
	}))
	r := diagnose(t, w, func(o *jetpack.Options, _ *jetpack.Target) { o.MetadataURL = jetpack.NoMetadata })
	if all := causeNames(r); len(all) == 0 || all[0] != "not_wordpress" {
		t.Errorf("causes %q:\n%s", all, table(r))
	}
}

func TestAWholeIndexIsReadWhenTheQueryIsLost(t *testing.T) {
	t.Parallel()
	site := fakejetpack.New(connected())
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawQuery, r.RequestURI = "", r.URL.Path // as a rewrite rule does that forgets the query
		site.ServeHTTP(w, r)
	}))
	r := diagnose(t, w, nil)
	expect(t, r, "rest_index", jetpack.Pass, "")
	expect(t, r, "jetpack_connected", jetpack.Fail, "query_lost")
	if r.Causes[0].Name != "query_lost" {
		t.Errorf("%s", table(r))
	}
}

func TestAHomePageThatIsMissingIsNotAMissingFile(t *testing.T) {
	t.Parallel()
	site := fakejetpack.New(connected())
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && r.Method != http.MethodPost && r.URL.RawQuery == "" {
			http.NotFound(w, r)
			return
		}
		site.ServeHTTP(w, r)
	}))
	r := diagnose(t, w, nil)
	expect(t, r, "head_and_get", jetpack.Fail, "home_missing")
	expect(t, r, "xmlrpc_post", jetpack.Pass, "")
	if all := causeNames(r); len(all) != 1 || strings.Contains(r.Conclusion, "xmlrpc.php") {
		t.Errorf("causes %q: %s", all, r.Conclusion)
	}
}
