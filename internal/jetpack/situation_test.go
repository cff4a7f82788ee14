package jetpack_test

import (
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
)

// blocked is what each obstacle before xmlrpc.php is called: the causes of GET and POST; ""
// is pass, as for blank lines, which callers do not notice.
func blocked() map[fakejetpack.Obstacle][2]string {
	same := func(c string) [2]string { return [2]string{c, c} }
	return map[fakejetpack.Obstacle][2]string{
		fakejetpack.MethodFilter:        {"method_filter", ""},
		fakejetpack.SecurityPlugin:      {"", "security_plugin"},
		fakejetpack.Wordfence:           same("firewall_wordfence"),
		fakejetpack.Sucuri:              same("firewall_sucuri"),
		fakejetpack.Cloudflare:          same("firewall_cloudflare"),
		fakejetpack.CloudflareChallenge: same("challenge_cloudflare"),
		fakejetpack.CloudflareNoOrigin:  same("origin_timeout"),
		fakejetpack.Imunify360:          same("challenge_imunify360"),
		fakejetpack.Imperva:             same("firewall_imperva"),
		fakejetpack.Akamai:              same("firewall_akamai"),
		fakejetpack.AWSWAF:              same("firewall_aws_waf"),
		fakejetpack.DDoSGuard:           same("firewall_ddos_guard"),
		fakejetpack.ModSecurity:         same("firewall_mod_security"),
		fakejetpack.SiteGroundChallenge: same("challenge_siteground"),
		fakejetpack.CookieChallenge:     same("challenge"),
		fakejetpack.ForbiddenByServer:   same("deny_rule_nginx"),
		fakejetpack.ForbiddenByApache:   same("deny_rule_apache"),
		fakejetpack.Deleted:             same("missing"),
		fakejetpack.PostRefused:         {"", "post_refused"},
		fakejetpack.RedirectToWWW:       same("redirected"),
		fakejetpack.BasicAuth:           same("basic_auth"),
		fakejetpack.LoginWall:           same("login_wall"),
		fakejetpack.TooManyRequests:     same("rate_limit"),
		fakejetpack.Overloaded:          same("overloaded"),
		fakejetpack.BadGateway:          same("php_down"),
		fakejetpack.GatewayTimeout:      same("php_slow"),
		fakejetpack.FatalError:          same("php_died"),
		fakejetpack.EmptyPage:           same("empty_answer"),
		fakejetpack.HTMLPage:            same("html_answer"),
		fakejetpack.JSONAnswer:          same("json_answer"),
		fakejetpack.ParkedDomain:        same("parked_domain"),
		fakejetpack.Suspended:           same("account_suspended"),
		fakejetpack.DefaultPage:         same("default_page"),
		fakejetpack.DirectoryListing:    same("directory_listing"),
		fakejetpack.SourceShown:         same("php_not_run"),
		fakejetpack.XMLRPCOff:           {"", "xmlrpc_disabled"},
		fakejetpack.TooLarge:            {"", "body_refused"},
		fakejetpack.Silence:             same("timeout"),
		fakejetpack.Hangup:              same("hung_up"),
		fakejetpack.ByteOrderMark:       same("byte_order_mark"),
		fakejetpack.PHPWarning:          same("output_before_xml"),
		fakejetpack.WarningAfter:        {"", "output_after_xml"},
		fakejetpack.UTF16:               same("utf16_answer"),
		fakejetpack.CutShort:            {"", "answer_cut_short"},
		fakejetpack.CutOff:              same("answer_cut_short"),
		fakejetpack.NotGzip:             same("broken_compression"),
		fakejetpack.BodyDropped:         {"", "call_unread"},
		fakejetpack.NoXMLModule:         {"", "xml_module_missing"},
		fakejetpack.BlankLines:          {"", ""},
	}
}

// patience shortens the steps where a site does not answer.
func patience(obstacle fakejetpack.Obstacle) func(*jetpack.Options, *jetpack.Target) {
	return func(o *jetpack.Options, _ *jetpack.Target) {
		if obstacle == fakejetpack.Silence {
			o.StepTimeout = 500 * time.Millisecond
		}
	}
}

func TestEachBlockIsNamedAndNoTwoAreAlike(t *testing.T) {
	t.Parallel()
	rows := blocked()
	var mu sync.Mutex
	texts := map[string]fakejetpack.Obstacle{}
	for _, obstacle := range fakejetpack.Obstacles() {
		want, ok := rows[obstacle]
		if !ok {
			t.Errorf("%s is not expected", obstacle)
		}
		t.Run(string(obstacle), func(t *testing.T) {
			t.Parallel()
			o := connected()
			o.Obstacle = obstacle
			if obstacle == fakejetpack.BodyDropped {
				// The file alone without bodies cannot be told from other reasons.
				want = [2]string{"", "xml_module_missing"}
			}
			r := diagnose(t, newWorld(t, fakejetpack.New(o)), patience(obstacle))
			for i, check := range []string{"xmlrpc_get", "xmlrpc_post"} {
				if f := r.Find(check); f == nil || f.Cause != want[i] || (want[i] == "") != (f.Verdict == jetpack.Pass) {
					t.Errorf("%s: %+v, want cause %q", check, f, want[i])
				}
			}
			if want == [2]string{} {
				if r.Worst() != jetpack.Pass {
					t.Errorf("%s", table(r))
				}
				return
			}
			if len(r.Causes) == 0 || r.Causes[0].Owner+r.Causes[0].Host == "" || !strings.Contains(r.Conclusion, strings.TrimSuffix(r.Causes[0].Means, ".")) {
				t.Fatalf("conclusion %q, causes %+v", r.Conclusion, r.Causes)
			}
			first := r.Causes[0]
			if post := want[1]; post != "" && first.Name != post || post == "" && first.Name != want[0] {
				t.Errorf("the first cause is %s:\n%s", first.Name, table(r))
			}
			// With the file closed the detour works, and Jetpack itself is healthy.
			if open := want[1] == "" || want[1] == "xmlrpc_disabled"; !open {
				expect(t, r, "detour", jetpack.Pass, "")
				expect(t, r, "signed_by_blog", jetpack.Pass, "")
			}
			mu.Lock()
			defer mu.Unlock()
			key := first.Means + first.Owner + first.Host
			if other, twice := texts[key]; twice && !(obstacle == fakejetpack.CutOff || other == fakejetpack.CutOff || obstacle == fakejetpack.BodyDropped || other == fakejetpack.BodyDropped) {
				t.Errorf("says the same as %s: %s", other, key)
			}
			texts[key] = obstacle
		})
	}
}

func TestAWholeSiteBehindABlockIsTold(t *testing.T) {
	t.Parallel()
	want := map[fakejetpack.Obstacle]string{}
	for obstacle, causes := range blocked() {
		want[obstacle] = causes[1]
	}
	maps.DeleteFunc(want, func(_ fakejetpack.Obstacle, post string) bool { return post == "" })
	want[fakejetpack.BodyDropped] = "body_dropped"
	want[fakejetpack.RedirectToWWW] = "redirect_bad_location"
	for obstacle, name := range want {
		t.Run(string(obstacle), func(t *testing.T) {
			t.Parallel()
			o := connected()
			o.Obstacle, o.Everywhere = obstacle, true
			r := diagnose(t, newWorld(t, fakejetpack.New(o)), patience(obstacle))
			if len(r.Causes) == 0 || r.Causes[0].Name != name || r.Worst() == jetpack.Pass {
				t.Errorf("want %s, causes %+v:\n%s", name, r.Causes, table(r))
			}
			if strings.Contains(r.Conclusion, "Nothing") {
				t.Errorf("%s", r.Conclusion)
			}
			for _, c := range r.Causes[min(1, len(r.Causes)):] {
				if c.Verdict == jetpack.Fail && c.Weight < cause.Partial && obstacle != fakejetpack.RedirectToWWW {
					t.Errorf("one fault is told as several, as %s:\n%s", c.Name, table(r))
				}
			}
		})
	}
}

func TestAStateOfWordPressExplainsWhatXMLRPCDoesNotSay(t *testing.T) {
	t.Parallel()
	for state, want := range map[fakejetpack.State]struct{ cause, says string }{
		fakejetpack.Maintenance:  {"maintenance", "maintenance mode"},
		fakejetpack.DatabaseAway: {"database_away", "cannot reach its database"},
		fakejetpack.Broken:       {"fatal_error", "fatal error"},
		fakejetpack.ComingSoon:   {"coming_soon", "coming soon"},
	} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			o := connected()
			o.State = state
			r := diagnose(t, newWorld(t, fakejetpack.New(o)), nil)
			if len(r.Causes) == 0 || r.Causes[0].Name != want.cause || !strings.Contains(r.Conclusion, want.says) {
				t.Fatalf("want %s:\n%s", want.cause, table(r))
			}
			expect(t, r, "head_and_get", jetpack.Fail, want.cause)
			if state == fakejetpack.ComingSoon {
				expect(t, r, "xmlrpc_post", jetpack.Pass, "")
				expect(t, r, "signed_by_blog", jetpack.Pass, "")
				return
			}
			expect(t, r, "xmlrpc_get", jetpack.Fail, want.cause)
			expect(t, r, "xmlrpc_post", jetpack.Fail, want.cause)
			if len(r.Causes) > 1 {
				t.Errorf("one fault is told as several:\n%s", table(r))
			}
		})
	}
}

func TestAHealthySiteOfEachLayoutGivesNoWarning(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		edit  func(*fakejetpack.Options)
		paths []string // what may be given
		home  string   // where the site is
	}{
		"at the root":                 {func(*fakejetpack.Options) {}, []string{""}, ""},
		"wholly in a directory":       {func(o *fakejetpack.Options) { o.Dir = "/blog" }, []string{"blog", "blog/", "blog/wp-admin/"}, "blog/"},
		"in its own directory":        {func(o *fakejetpack.Options) { o.Dir, o.HomeAbove = "/blog", true }, []string{"", "blog/", "blog/xmlrpc.php"}, ""},
		"with plain permalinks":       {func(o *fakejetpack.Options) { o.PlainPermalinks = true }, []string{"", "?p=1"}, ""},
		"plain, in a directory":       {func(o *fakejetpack.Options) { o.Dir, o.PlainPermalinks = "/blog", true }, []string{"blog/"}, "blog/"},
		"plain, in its own directory": {func(o *fakejetpack.Options) { o.Dir, o.HomeAbove, o.PlainPermalinks = "/wp", true, true }, []string{"", "wp/"}, ""},
		"behind a proxy":              {func(o *fakejetpack.Options) { o.ProxyDate = true }, []string{""}, ""},
	} {
		for _, path := range tt.paths {
			t.Run(name+" "+path, func(t *testing.T) {
				t.Parallel()
				o := connected()
				tt.edit(&o)
				w := newWorld(t, fakejetpack.New(o))
				home := strings.TrimSuffix(w.site+tt.home, "/")
				key := "127.0.0.1"
				if tt.home != "" {
					key += "::" + strings.Trim(tt.home, "/")
				}
				files := home
				if o.HomeAbove {
					files += o.Dir
				}
				w.com.Sites[key] = fakejetpack.Metadata{ID: 7, URL: home, Jetpack: true, XMLRPC: files + "/xmlrpc.php"}
				r := diagnose(t, w, func(_ *jetpack.Options, target *jetpack.Target) { target.URL = w.site + path })
				if r.Worst() != jetpack.Pass || r.URL != home+"/" || r.Find("signed_by_blog").Verdict != jetpack.Pass || r.Find("rest_index").Verdict != jetpack.Pass {
					t.Errorf("%s:\n%s", r.URL, table(r))
				}
			})
		}
	}
}

func TestAPageFromACacheDoesNotHideTheStateOfWordPress(t *testing.T) {
	t.Parallel()
	for state, name := range map[fakejetpack.State]string{
		fakejetpack.Maintenance: "maintenance", fakejetpack.DatabaseAway: "database_away", fakejetpack.Broken: "fatal_error",
	} {
		o := connected()
		o.State = state
		site := fakejetpack.New(o)
		w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" && r.Method != http.MethodPost && r.URL.RawQuery == "" {
				_, _ = w.Write([]byte("<!DOCTYPE html><html><head><title>A site</title></head><body><h1>From the cache</h1></body></html>"))
				return
			}
			site.ServeHTTP(w, r)
		}))
		r := diagnose(t, w, nil)
		expect(t, r, "head_and_get", jetpack.Pass, "")
		expect(t, r, "xmlrpc_post", jetpack.Fail, name)
		if len(r.Causes) != 1 || r.Causes[0].Name != name {
			t.Errorf("%s: causes %+v:\n%s", state, r.Causes, table(r))
		}
	}
}
