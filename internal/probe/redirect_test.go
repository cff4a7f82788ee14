package probe

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// to redirects every path that is in the map, and answers 200 to others.
func to(paths map[string]string) func(*fakesite.Site) {
	return handles(func(w http.ResponseWriter, r *http.Request) {
		if target, ok := paths[r.URL.RequestURI()]; ok {
			w.Header()["Location"] = []string{target}
			w.WriteHeader(http.StatusMovedPermanently)
		}
	})
}

func chain(n int) map[string]string {
	paths := map[string]string{"/": "/1"}
	for i := 1; i < n; i++ {
		paths[fmt.Sprintf("/%d", i)] = fmt.Sprintf("/%d", i+1)
	}
	return paths
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	nowhere := func(reason string) finding { return fails(check.FailureRedirect, reason, 301, check.PhaseResponse) }
	refuses := func(reason string) finding {
		return finding{check.OutcomeUnknown, check.FailurePolicy, reason, 301, check.PhaseResponse, nil}
	}
	hops := func(lines ...string) func(*fakesite.Site) {
		return says("HTTP/1.1 301 Moved\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n")
	}
	fail := check.Target{Settings: check.Settings{RedirectPolicy: check.RedirectFail}}
	runStories(t, []story{
		{"path", to(map[string]string{"/": "/a"}), check.Target{}, up(200)},
		{"relative path", to(map[string]string{"/": "a/b", "/a/b": "../c", "/c": "./d?e"}), check.Target{}, up(200)},
		{"query only", to(map[string]string{"/": "?a"}), check.Target{}, up(200)},
		{"fragment of another page", to(map[string]string{"/": "/a#b"}), check.Target{}, up(200)},
		{"text beyond ASCII", to(map[string]string{"/": "/\xc3\xa9"}), check.Target{}, up(200)},
		{"space", to(map[string]string{"/": "/a b"}), check.Target{}, up(200)},
		{"lone per cent sign", to(map[string]string{"/": "/100%"}), check.Target{}, up(200)},
		{"backslashes", to(map[string]string{"/": `\a\b`}), check.Target{}, up(200)},
		{"as many as allowed", to(chain(10)), check.Target{}, up(200)},
		{"one too many", to(chain(11)), check.Target{}, nowhere("too_many")},
		{"to itself", to(map[string]string{"/": "/"}), check.Target{}, nowhere("loop")},
		{"to its own fragment", to(map[string]string{"/": "#a"}), check.Target{}, nowhere("loop")},
		{"ping-pong", to(map[string]string{"/": "/a", "/a": "/"}), check.Target{}, nowhere("loop")},
		{"circle of three", to(map[string]string{"/": "/a", "/a": "/b", "/b": "/a"}), check.Target{}, nowhere("loop")},
		{"no Location", hops("X-Location: /a", "Content-Location: /b"), check.Target{}, nowhere("no_location")},
		{"empty Location", hops("Location:"), check.Target{}, nowhere("no_location")},
		{"blank Location", hops("Location:  \t "), check.Target{}, nowhere("no_location")},
		{"no blank after the colon", hops("lOCATION:/"), check.Target{}, nowhere("loop")},
		{"two Locations, the first counts", hops("Location: /", "Location: ftp://x/"), check.Target{}, nowhere("loop")},
		{"no host", hops("Location: http:///a"), check.Target{}, nowhere("bad_location")},
		{"host of nothing", hops("Location: http://.../"), check.Target{}, nowhere("bad_location")},
		{"port of nothing", hops("Location: http://example.test:99999/"), check.Target{}, nowhere("bad_location")},
		{"not a URL", hops("Location: http://[::1/"), check.Target{}, nowhere("bad_location")},
		{"ambiguous address", hops("Location: http://2130706433/"), check.Target{}, nowhere("bad_location")},
		{"endless Location", hops("Location: /" + strings.Repeat("a", 9000)), check.Target{}, nowhere("bad_location")},
		{"other scheme", hops("Location: ftp://example.test/"), check.Target{}, refuses("scheme")},
		{"script", hops("Location: javascript:alert(1)"), check.Target{}, refuses("scheme")},
		{"user information", hops("Location: http://user:secret@example.test/"), check.Target{}, refuses("userinfo")},
		{"not followed", to(map[string]string{"/": "/a"}), fail, nowhere("not_allowed")},
		{"not followed, none there", status(200), fail, up(200)},
		{"not followed, but no redirect", status(304), fail, up(304)},
		{"failure at the end", handles(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				http.Redirect(w, r, "/a", http.StatusTemporaryRedirect)
				return
			}
			w.WriteHeader(http.StatusBadGateway)
		}), check.Target{}, fails(check.FailureServer, "http_502", 502, check.PhaseResponse)},
		{"closed port at the end", hops("Location: http://127.0.0.1:1/"), check.Target{}, fails(check.FailureConnect, "refused", 301, check.PhaseConnect)},
	})
}

func TestRedirectStatuses(t *testing.T) {
	t.Parallel()
	for _, code := range []int{301, 302, 303, 307, 308} {
		site := fakesite.New(t)
		site.SetHandler(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				w.Header().Set("Location", "/a?b=c")
				w.WriteHeader(code)
			}
		})
		o := probeInTime(t.Context(), t, newProber(t), check.Target{URL: site.URL()})
		want := check.Hop{Status: code, URL: site.URL() + "a?b=c"}
		if o.Outcome != check.OutcomeUp || len(o.Hops) != 1 || o.Hops[0] != want {
			t.Errorf("%d: got %+v", code, o)
		}
	}
}

// TestRedirectsBetweenHosts follows redirects that change scheme and host.
func TestRedirectsBetweenHosts(t *testing.T) {
	t.Parallel()
	onEngines(t, redirectsBetweenHostsOn, fast, portable, reference)
}

func redirectsBetweenHostsOn(t *testing.T, newProber maker) {
	names := fakesite.NewDNS(t)
	names.Host("a.example.test", "127.0.0.1")
	names.Host("b.example.test", "127.0.0.1")
	secure, plain := fakesite.NewTLS(t, fakesite.Valid).At("a.example.test"), fakesite.New(t).At("b.example.test")
	p := newProber(t, func(o *Options) { o.Resolver, o.RootCAs = names.Addr(), secure.Roots() })
	send := func(from *fakesite.Site, location string) {
		from.SetHandler(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Location"] = []string{location}
			w.WriteHeader(http.StatusFound)
		})
	}
	for _, c := range []struct {
		name, location string
		from, to       *fakesite.Site
		detail         string
	}{
		{"http to https", "HTTPS" + strings.TrimPrefix(secure.URL(), "https"), plain, secure, ""},
		{"https to http", plain.URL(), secure, plain, "redirected from https to http"},
	} {
		t.Run(c.name, func(t *testing.T) {
			send(c.from, c.location)
			c.to.SetStatus(200)
			o := probeInTime(t.Context(), t, p, check.Target{URL: c.from.URL()})
			if o.Outcome != check.OutcomeUp || o.Detail != c.detail || o.Hops[0].URL != c.to.URL() {
				t.Errorf("got %+v", o)
			}
		})
	}
	t.Run("protocol-relative keeps https", func(t *testing.T) {
		other := fmt.Sprintf("//b.example.test:%d/x", secure.Port())
		secure.SetHandler(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				w.Header()["Location"] = []string{other}
				w.WriteHeader(http.StatusFound)
			}
		})
		o := probeInTime(t.Context(), t, p, check.Target{URL: secure.URL()})
		if o.Outcome != check.OutcomeUp || o.Hops[0].URL != "https:"+other {
			t.Errorf("got %+v", o)
		}
	})
}

// TestCookiesOnTheWay checks a site that redirects visitors until they send its cookie.
func TestCookiesOnTheWay(t *testing.T) {
	t.Parallel()
	site := fakesite.New(t)
	site.SetHandler(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("seen"); err != nil || c.Value != "yes" {
			w.Header().Add("Set-Cookie", "seen=yes; Path=/; HttpOnly")
			w.Header().Add("Set-Cookie", "other=1; Domain=evil.test")
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		if _, err := r.Cookie("other"); err == nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	p := newProber(t)
	for range 2 { // nothing is kept from one check to the next
		o := probeInTime(t.Context(), t, p, check.Target{URL: site.URL()})
		if o.Outcome != check.OutcomeUp || len(o.Hops) != 1 {
			t.Errorf("got %+v", o)
		}
	}
}

func TestSecretsStayWithTheirHost(t *testing.T) {
	t.Parallel()
	names := fakesite.NewDNS(t)
	for _, n := range []string{"home.test", "sub.home.test", "other.test"} {
		names.Host(n, "127.0.0.1")
	}
	home, other, sub := fakesite.New(t).At("home.test"), fakesite.New(t).At("other.test"), fakesite.New(t).At("sub.home.test")
	home.SetHandler(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "session=secret; Path=/")
		if r.URL.Path == "/" {
			http.Redirect(w, r, sub.URL(), http.StatusFound)
		}
	})
	sub.SetHandler(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL(), http.StatusFound) })
	other.SetHandler(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, home.URL()+"end", http.StatusFound) })
	p := newProber(t, func(o *Options) { o.Resolver = names.Addr() })
	o := probeInTime(t.Context(), t, p, check.Target{URL: home.URL(), Settings: check.Settings{
		Headers: []check.Header{{Name: "Authorization", Value: "Basic secret"}, {Name: "X-Pass", Value: "secret"}},
	}})
	if o.Outcome != check.OutcomeUp || len(o.Hops) != 3 {
		t.Fatalf("got %+v", o)
	}
	for _, s := range []*fakesite.Site{sub, other} {
		for _, r := range s.Log() {
			if r.Header.Get("Authorization")+r.Header.Get("X-Pass")+r.Header.Get("Cookie") != "" {
				t.Errorf("%s got %v", s.URL(), r.Header)
			}
		}
	}
	log := home.Log()
	last := log[len(log)-1]
	if last.Header.Get("Authorization") == "" || last.Header.Get("Cookie") != "session=secret" {
		t.Errorf("home did not get its own back: %v", last.Header)
	}
	if strings.Contains(fmt.Sprintf("%+v", o), "secret") {
		t.Errorf("the evidence contains secrets: %+v", o)
	}
}

func FuzzLocation(f *testing.F) {
	for _, s := range []string{
		"/a", "a", "?b", "#c", "//other.test/x", "HTTP://OTHER.test", "https://other.test:444/%zz?%", `\\other.test\x`, "http:x", "http:/x", "",
		"http://user@other.test/", "ftp://x/", "javascript:x", "http://[::1]:80/", "http://127.1/", "/\xff\xfe", "/a b\tc", "http://x:0/", "mailto:a@b", ".",
		"..", "http://other.test/\r\nSet-Cookie: x", "://", "%", "http://%31%32%37.0.0.1/",
	} {
		f.Add("http://site.test/dir/page?q", s)
	}
	f.Fuzz(func(t *testing.T, from, location string) {
		here, fail := firstPlace(from)
		if fail != nil {
			return
		}
		h, err := parseHead([]byte("HTTP/1.1 302 Found\r\nLocation: " + strings.NewReplacer("\n", "", "\r", "").Replace(location) + "\r\n\r\n"))
		if err != nil {
			t.Fatalf("%q: %v", location, err)
		}
		next, fail := nextPlace(here, h)
		if fail == nil {
			soundPlace(t, location, next)
			return
		}
		if fail.kind != check.FailureRedirect && (fail.kind != check.FailurePolicy || fail.outcome != check.OutcomeUnknown) {
			t.Fatalf("%q: failure %+v", location, fail)
		}
	})
}
