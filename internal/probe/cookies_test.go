package probe

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// beforeCookies is when the suite's cookies were young: some end in 2019.
func beforeCookies() time.Time { return time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC) }

func testdata(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func mustPlace(t testing.TB, url string) *place {
	t.Helper()
	p, f := firstPlace(url)
	if f != nil {
		t.Fatalf("%s: %+v", url, f)
	}
	return p
}

// setting is the head of a response that sets cookies.
func setting(lines ...string) head {
	return head{fields: []byte("Set-Cookie: " + strings.Join(lines, "\r\nSet-Cookie: ") + "\r\n\r\n")}
}

// otherwise are the cases in which RFC 6265bis and browsers differ from RFC 6265, with what is
// sent now.
func otherwise() map[string]string {
	return map[string]string{
		// A cookie without a name is one.
		"0004": "foo", "0021": "a=b; x; c=d", "0023": "foo", "0024": "foo", "0025": "foo", "0026": "foo", "0027": "bar", "0028": "foo",
		"CHROMIUM0009": "BLAHHH", "CHROMIUM0010": `"BLA\"HHH"`, "CHROMIUM0012": "ABC",
		"MOZILLA0012": `test="fubar! = foo; five`, "MOZILLA0014": "six", "MOZILLA0015": "seven", "MOZILLA0016": "eight", "MOZILLA0017": "eight; test=six",
		"NAME0017": "a=bar", "NAME0023": "foo", "NAME0025": "==a=bar", "NAME0028": "a", "NAME0031": `"foo`, "NAME0032": `"foo\"bar`, "NAME0033": "aaa",
		// Control characters end all trust in a cookie.
		"DISABLED_CHROMIUM0022": "", "DISABLED_CHROMIUM0023": "",
		// Paths are compared as they are written.
		"DISABLED_PATH0029": "",
		// The last of several domains counts, even an empty one.
		"OPTIONAL_DOMAIN0042": "foo=bar",
	}
}

// TestHTTPStateSuite runs the cases of the httpstate working group.
func TestHTTPStateSuite(t *testing.T) {
	t.Parallel()
	var cases []struct {
		Test     string
		Received []string
		Sent     []string
		SentTo   string `json:"sent_to"`
	}
	testdata(t, "cookies.json", &cases)
	now := beforeCookies()
	for _, c := range cases {
		var jar cookies
		jar.keep(mustPlace(t, "http://home.example.org/cookie-parser?"+c.Test), setting(c.Received...), now)
		to := mustPlace(t, "http://home.example.org/cookie-parser-result?"+c.Test)
		if c.SentTo != "" {
			u, err := to.url.Resolve(c.SentTo)
			if err != nil {
				t.Fatal(err)
			}
			to = (&place{url: u}).know()
		}
		want, changed := otherwise()[c.Test]
		if !changed {
			want = strings.Join(c.Sent, "; ")
		}
		if got := jar.header(to, now); got != want {
			t.Errorf("%s: %q to %s: got %q, want %q", c.Test, c.Received, to.url, got, want)
		}
	}
	if len(cases) < 200 {
		t.Errorf("only %d cases", len(cases))
	}
}

func TestCookieDates(t *testing.T) {
	t.Parallel()
	var cases []struct {
		Test     string
		Expected *string
	}
	testdata(t, "cookiedates.json", &cases)
	for _, c := range cases {
		got, ok := parseCookieDate(c.Test)
		switch {
		case c.Expected == nil && ok:
			t.Errorf("%q: got %v, want none", c.Test, got)
		case c.Expected != nil && (!ok || got.Format(http.TimeFormat) != *c.Expected):
			t.Errorf("%q: got %v, %v; want %s", c.Test, got, ok, *c.Expected)
		}
	}
}

// TestCookiesOfBrowsers tells what a cookie that one page sets means for another.
func TestCookiesOfBrowsers(t *testing.T) {
	t.Parallel()
	const secure, plain = "https://www.example.test/a/b", "http://www.example.test/a/b"
	for _, c := range []struct {
		name, from, set, to, want string
	}{
		{"JSON", plain, `state={"seen":1}; Path=/`, plain, `state={"seen":1}`},
		{"brackets in the name", plain, "a[b]=1", plain, "a[b]=1"},
		{"bytes of no encoding", plain, "a=\xe9\xff", plain, "a=\xe9\xff"},
		{"text beyond ASCII", plain, "é=ü", plain, "é=ü"},
		{"quotes stay", plain, `a="b c"`, plain, `a="b c"`},
		{"comma and backslash", plain, `a=b,c\d`, plain, `a=b,c\d`},
		{"no value", plain, "a=", plain, "a="},
		{"no name", plain, "=a", plain, "a"},
		{"no equals sign", plain, "a", plain, "a"},
		{"nothing", plain, "=", plain, ""},
		{"equals signs in the value", plain, "a=b=c==", plain, "a=b=c=="},
		{"spaces around", plain, " a = b c ;x", plain, "a=b c"},
		{"a tab inside", plain, "a=b\tc", plain, "a=b\tc"},
		{"a control byte", plain, "a=b\x01c", plain, ""},
		{"a DEL", plain, "a=b\x7f", plain, ""},
		{"of more than 4096 bytes", plain, "a=" + strings.Repeat("b", 4096), plain, ""},
		{"of 4096 bytes", plain, "a=" + strings.Repeat("b", 4095), plain, "a=" + strings.Repeat("b", 4095)},
		{"its folder", plain, "a=b", "http://www.example.test/a/", "a=b"},
		{"another folder", plain, "a=b", "http://www.example.test/ab", ""},
		{"a path that begins alike", plain, "a=b; path=/a", "http://www.example.test/ab", ""},
		{"a path that is none", plain, "a=b; path=b", "http://www.example.test/a/c", "a=b"},
		{"another host", plain, "a=b; path=/", "http://example.test/", ""},
		{"the domain", plain, "a=b; path=/; domain=.EXAMPLE.test", "http://example.test/", "a=b"},
		{"a host below", plain, "a=b; path=/; domain=example.test", "http://shop.example.test/", "a=b"},
		{"a domain that ends alike", plain, "a=b; path=/; domain=ample.test", plain, ""},
		{"another domain", plain, "a=b; domain=other.test", plain, ""},
		{"a domain that all share", "http://a.co.uk/", "a=b; domain=co.uk", "http://a.co.uk/", ""},
		{"a domain that is the host and shared", "http://github.io/", "a=b; domain=github.io", "http://github.io/", "a=b"},
		{"and does not reach below", "http://github.io/", "a=b; domain=github.io", "http://x.github.io/", ""},
		{"an address", "http://127.0.0.1/", "a=b; domain=127.0.0.1", "http://127.0.0.1/", "a=b"},
		{"part of an address", "http://127.0.0.1/", "a=b; domain=0.0.1", "http://127.0.0.1/", ""},
		{"another port", plain, "a=b; path=/", "http://www.example.test:8080/", "a=b"},
		{"secure", secure, "a=b; secure; path=/", secure, "a=b"},
		{"secure, asked for in plain", secure, "a=b; secure; path=/", plain, ""},
		{"secure, set in plain", plain, "a=b; secure; path=/", secure, ""},
		{"set by https, asked for in plain", secure, "a=b; path=/", plain, "a=b"},
		{"over already", plain, "a=b; expires=Thu, 01 Jan 1970 00:00:00 GMT", plain, ""},
		{"over in a day", plain, "a=b; expires=Mon, 02-Jan-2017 00:00:00 GMT", plain, "a=b"},
		{"age before date", plain, "a=b; max-age=9; expires=Thu, 01 Jan 1970 00:00:00 GMT", plain, "a=b"},
		{"no age", plain, "a=b; max-age=0", plain, ""},
		{"below no age", plain, "a=b; max-age=-1", plain, ""},
		{"an age that is none", plain, "a=b; max-age=soon", plain, "a=b"},
		{"an age without end", plain, "a=b; max-age=99999999999999999999", plain, "a=b"},
		{"a prefix that holds", secure, "__Host-a=b; secure; path=/", secure, "__Host-a=b"},
		{"a host prefix without a path", secure, "__Host-a=b; secure", secure, ""},
		{"a host prefix with a domain", secure, "__Host-a=b; secure; path=/; domain=example.test", secure, ""},
		{"a secure prefix", secure, "__secure-a=b; secure", secure, "__secure-a=b"},
		{"a secure prefix without it", secure, "__Secure-a=b", secure, ""},
		{"a prefix in the value of no name", secure, "=__Secure-a=b; secure", secure, ""},
	} {
		var jar cookies
		jar.keep(mustPlace(t, c.from), setting(c.set), beforeCookies())
		if got := jar.header(mustPlace(t, c.to), beforeCookies()); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestCookiesReplaceOneAnother(t *testing.T) {
	t.Parallel()
	now := beforeCookies()
	secure, plain := mustPlace(t, "https://www.example.test/a/b"), mustPlace(t, "http://www.example.test/a/b")
	var jar cookies
	jar.keep(secure, setting("a=1; path=/", "b=2", "c=3; secure; path=/", "a=4; path=/", "d=5; path=/; max-age=60"), now)
	if got, want := jar.header(secure, now), "b=2; a=4; c=3; d=5"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := jar.header(secure, now.Add(time.Hour)), "b=2; a=4; c=3"; got != want {
		t.Errorf("an hour later: got %q, want %q", got, want)
	}
	jar.keep(plain, setting("c=plain; path=/", "a=; path=/; max-age=0"), now)
	if got, want := jar.header(secure, now), "b=2; c=3; d=5"; got != want {
		t.Errorf("plain http replaces what https has set: got %q, want %q", got, want)
	}
	jar.keep(plain, setting(strings.Split(strings.Repeat("x=1,", 3*maxCookies), ",")...), now)
	if len(jar.all) > maxCookies {
		t.Errorf("%d cookies", len(jar.all))
	}
}

// TestSitesThatWaitForTheirCookie checks sites that send a visitor round until the cookie
// comes back byte by byte.
func TestSitesThatWaitForTheirCookie(t *testing.T) {
	t.Parallel()
	waits := func(set, want string) func(*fakesite.Site) {
		return handles(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Cookie") != want {
				w.Header()["Set-Cookie"] = []string{set}
				w.Header().Set("Location", "/")
				w.WriteHeader(http.StatusFound)
			}
		})
	}
	runStories(t, []story{
		{"JSON", waits(`state={"seen":1}; Path=/`, `state={"seen":1}`), check.Target{}, up(200)},
		{"brackets", waits("a[b]=1", "a[b]=1"), check.Target{}, up(200)},
		{"one byte beyond ASCII", waits("a=\xe9", "a=\xe9"), check.Target{}, up(200)},
		{"no name", waits("seen", "seen"), check.Target{}, up(200)},
		{"quotes and spaces", waits(`a="b c", d; path=/`, `a="b c", d`), check.Target{}, up(200)},
		{"one that never comes back", waits("a=b; path=/other", "a=b"), check.Target{}, fails(check.FailureRedirect, "loop", 302, check.PhaseResponse)},
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

// FuzzSetCookie shows that what is sent back was part of what came, in one line.
func FuzzSetCookie(f *testing.F) {
	for _, s := range []string{
		"a=b; Path=/; Domain=example.test; Secure; HttpOnly; Max-Age=5; Expires=Thu, 01 Jan 2037 00:00:00 GMT; SameSite=None", `state={"a":1}`, "=", "a", ";", "=a=b;;=;",
		"a\x00=b", "é=\xff", "__Host-x=y; path=/; secure", "a=b; max-age=-99999999999999999999", "a=b; expires=1:2:3 4 feb 5", "a=b; domain=..; path=x",
	} {
		f.Add(s)
	}
	p := mustPlace(f, "https://www.example.test/a/b?c")
	f.Fuzz(func(t *testing.T, line string) {
		var jar cookies
		if strings.Contains(line, "\n") {
			return
		}
		jar.keep(p, setting(line), beforeCookies())
		sent := jar.header(p, beforeCookies())
		if strings.ContainsFunc(sent, isControl) || len(jar.all) > 1 {
			t.Fatalf("%q: %q", line, sent)
		}
		for _, c := range jar.all {
			if !strings.Contains(line, c.name) || !strings.Contains(line, c.value) {
				t.Fatalf("%q: name %q, value %q", line, c.name, c.value)
			}
		}
	})
}
