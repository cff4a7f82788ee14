package probe

import (
	"bufio"
	"fmt"
	"io"
	"net"
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
	hops := func(lines ...string) func(*fakesite.Site) {
		return says("HTTP/1.1 301 Moved\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n")
	}
	fail := check.Target{Settings: check.Settings{RedirectPolicy: check.RedirectFail}}
	runStories(t, []story{
		{"path", to(map[string]string{"/": "/a"}), check.Target{}, up(200)},
		{"relative path", to(map[string]string{"/": "a/b", "/a/b": "../c", "/c": "./d?e"}), check.Target{}, up(200)},
		{"query only", to(map[string]string{"/": "?a"}), check.Target{}, up(200)},
		{"fragment of another page", to(map[string]string{"/": "/a#b"}), check.Target{}, up(200)},
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
		{"the same Location twice", hops("Location: /", "Location: /"), check.Target{}, nowhere("loop")},
		{"no host", hops("Location: http:///"), check.Target{}, nowhere("bad_location")},
		{"host of nothing", hops("Location: http://.../"), check.Target{}, nowhere("bad_location")},
		{"port of nothing", hops("Location: http://example.test:99999/"), check.Target{}, nowhere("bad_location")},
		{"not a URL", hops("Location: http://[::1/"), check.Target{}, nowhere("bad_location")},
		{"port 0", hops("Location: http://example.test:0/"), check.Target{}, nowhere("bad_location")},
		{"address of five numbers", hops("Location: http://1.2.3.4.5/"), check.Target{}, nowhere("bad_location")},
		{"address with a zone", hops("Location: http://[fe80::1%25eth0]/"), check.Target{}, nowhere("bad_location")},
		{"endless Location", hops("Location: /" + strings.Repeat("a", 17000)), check.Target{}, nowhere("bad_location")},
		{"ftp", hops("Location: ftp://example.test/"), check.Target{}, nowhere("scheme")},
		{"script", hops("Location: javascript:alert(1)"), check.Target{}, nowhere("scheme")},
		{"file", hops("Location: file:///etc/passwd"), check.Target{}, nowhere("scheme")},
		{"data", hops("Location: data:text/html,hello"), check.Target{}, nowhere("scheme")},
		{"mail", hops("Location: mailto:a@example.test"), check.Target{}, nowhere("scheme")},
		{"blank page", hops("Location: about:blank"), check.Target{}, nowhere("scheme")},
		{"scheme in capitals and spaces", hops("Location:  \tJavaScript:alert(1)"), check.Target{}, nowhere("scheme")},
		{"scheme with a slip", hops("Location: htpp://example.test/"), check.Target{}, nowhere("scheme")},
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

// sends redirects / to a location, with ADDR in it replaced by the site's own address. It
// answers 200 to exactly the wanted request target, and 404 to others.
func sends(location, want string) func(*fakesite.Site) {
	return func(s *fakesite.Site) {
		location := strings.ReplaceAll(location, "ADDR", s.Addr().String())
		s.SetConn(func(c net.Conn) {
			answer := "HTTP/1.1 404 Not Found\r\n\r\n"
			// net/http, the reference, asks for the whole URL when the path begins with two slashes.
			switch strings.TrimPrefix(targetOf(c), "http://"+s.Addr().String()) {
			case "/dir/page?q":
				answer = "HTTP/1.1 302 Found\r\nLocation: " + location + "\r\n\r\n"
			case want:
				answer = "HTTP/1.1 200 OK\r\n\r\n"
			}
			_, _ = io.WriteString(c, answer)
		})
	}
}

// targetOf reads a request and returns its target, whatever that is.
func targetOf(c net.Conn) string {
	r := bufio.NewReader(c)
	first, err := r.ReadString('\n')
	for line := first; err == nil && strings.TrimSpace(line) != ""; {
		line, err = r.ReadString('\n')
	}
	if f := strings.Split(first, " "); len(f) == 3 {
		return f[1]
	}
	return ""
}

// TestLocationAsBrowsersReadIt checks that the site is asked for what a browser asks for.
func TestLocationAsBrowsersReadIt(t *testing.T) {
	t.Parallel()
	var stories []story
	for _, c := range []struct{ name, location, want string }{
		{"text beyond ASCII", "/\xc3\xa9", "/%C3%A9"},
		{"a byte of no encoding", "/caf\xe9?\xe9", "/caf%E9?%E9"},
		{"space", "/a b?c d", "/a%20b?c%20d"},
		{"spaces around", " \t /a ", "/a"},
		{"lone per cent sign", "/sale-100%", "/sale-100%"},
		{"per cent sign before letters", "/%zz?%", "/%zz?%"},
		{"what is percent-encoded stays so", "/a%2Fb|c", "/a%2Fb|c"},
		{"lower case in it as well", "/%c3%a9%7e", "/%c3%a9%7e"},
		{"quotes", `/a"<b>'?c"<d>'`, "/a%22%3Cb%3E'?c%22%3Cd%3E%27"},
		{"brackets and braces", "/a[b]{c}^`?{d}^`", "/a[b]%7Bc%7D%5E%60?{d}^`"},
		{"backslashes", `\a\b?\c`, `/a/b?\c`},
		{"tabs inside", "/a\tb", "/ab"},
		{"three slashes", "///ADDR/x", "/x"},
		{"many slashes and backslashes", `/\/\ADDR\x`, "/x"},
		{"one slash", "HTTP:/x", "/x"},
		{"no slash", "http:x?y", "/dir/x?y"},
		{"scheme and three slashes", "http:///ADDR/x", "/x"},
		{"user information", "http://user:secret@ADDR/x", "/x"},
		{"at signs in it", "http://a@b@ADDR/x", "/x"},
		{"dots", "/a/./b/../c/%2e%2E/d/.", "/a/d/"},
		{"more dots than folders", "../../../x", "/x"},
		{"three dots", ".../x", "/dir/.../x"},
		{"relative", "x", "/dir/x"},
		{"query only", "?x=%26", "/dir/page?x=%26"},
		{"empty query", "?", "/dir/page?"},
		{"two question marks", "/a?b?c", "/a?b?c"},
		{"fragment behind", "/a#b?c", "/a"},
		{"double slash in the path", "http://ADDR//a//b", "//a//b"},
		{"semicolon, comma, equals sign", "/a;b,c=d:e@f", "/a;b,c=d:e@f"},
		{"folded", "\r\n /x", "/x"},
		{"folded twice", "\r\n\t\r\n /x", "/x"},
		{"colon in the first segment", "./a:b", "/dir/a:b"},
	} {
		stories = append(stories, story{c.name, sends(c.location, c.want), check.Target{URL: "dir/page?q"}, up(200)})
	}
	runStories(t, stories)
}

// TestHostsAsBrowsersReadThem redirects to this machine under its odd names.
func TestHostsAsBrowsersReadThem(t *testing.T) {
	t.Parallel()
	for _, host := range []string{
		"127.1", "0x7f.1", "0X7F.0.0.1", "2130706433", "0x7f000001", "017700000001", "127.0.0.01", "127.0.0.1.", "%31%32%37.0.0.1", "１２７.0.0.1", "127。0。0。1", "lOCALHOST",
		"any.localhost.",
	} {
		site := fakesite.New(t)
		site.SetHandler(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				w.Header()["Location"] = []string{fmt.Sprintf("http://%s:%d/x", host, site.Port())}
				w.WriteHeader(http.StatusFound)
			}
		})
		o := probeInTime(t.Context(), t, newProber(t), check.Target{URL: site.URL()})
		if o.Outcome != check.OutcomeUp || len(o.Hops) != 1 {
			t.Errorf("%s: got %+v", host, o)
		}
	}
}

// TestNamePasswordInLocation checks a site that sends its visitors to a page behind a
// password and gives it to them.
func TestNamePasswordInLocation(t *testing.T) {
	t.Parallel()
	site := fakesite.New(t)
	site.SetHandler(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); r.URL.Path == "/in" && (user != "me" || password != "se:cr%et") {
			w.WriteHeader(http.StatusUnauthorized)
		}
		if r.URL.Path == "/" {
			w.Header().Set("Location", "http://me:se%3Acr%25et@"+site.Addr().String()+"/in")
			w.WriteHeader(http.StatusFound)
		}
	})
	o := probeInTime(t.Context(), t, newProber(t), check.Target{URL: site.URL()})
	if o.Outcome != check.OutcomeUp || len(o.Hops) != 1 || o.Hops[0].URL != site.URL()+"in" {
		t.Errorf("got %+v", o)
	}
	// The same page with name and password is another request.
	site.SetHandler(func(w http.ResponseWriter, r *http.Request) {
		if _, _, ok := r.BasicAuth(); !ok {
			w.Header().Set("Location", "//me@"+site.Addr().String())
			w.WriteHeader(http.StatusFound)
		}
	})
	if o := probeInTime(t.Context(), t, newProber(t), check.Target{URL: site.URL()}); o.Outcome != check.OutcomeUp {
		t.Errorf("got %+v", o)
	}
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
		h, err := parseHead([]byte("HTTP/1.1 302 Found\r\nLocation: " + strings.NewReplacer("\n", "", "\r", "", "\x00", "").Replace(location) + "\r\n\r\n"))
		if err != nil {
			t.Fatalf("%q: %v", location, err)
		}
		next, fail := nextPlace(here, h)
		if fail == nil {
			soundPlace(t, location, next)
			return
		}
		if fail.kind != check.FailureRedirect || fail.outcome != check.OutcomeDown {
			t.Fatalf("%q: failure %+v", location, fail)
		}
	})
}
