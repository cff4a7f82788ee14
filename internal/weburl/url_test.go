package weburl

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

func read[T any](t *testing.T, name string) (cases []T) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// TestStandard runs the cases of the URL Standard's own test suite.
func TestStandard(t *testing.T) {
	t.Parallel()
	cases := read[struct {
		Input, Base, Href string
		Failure, Other    bool
	}](t, "urls.json")
	for _, c := range cases {
		u, err := URL{}, error(nil)
		if c.Base == "" {
			u, err = Parse(c.Input)
		} else {
			base, failed := Parse(c.Base)
			if failed != nil {
				t.Fatalf("base %q: %v", c.Base, failed)
			}
			u, err = base.Resolve(c.Input)
		}
		_, other := errors.AsType[SchemeError](err)
		href, _, _ := strings.Cut(c.Href, "#")
		switch {
		case other != c.Other && !c.Failure:
			t.Errorf("%q on %q: %v", c.Input, c.Base, err)
		case (err != nil) != (c.Failure || c.Other):
			t.Errorf("%q on %q: got %s, %v; want %s", c.Input, c.Base, u, err, c.Href)
		case err == nil && u.String() != href:
			t.Errorf("%q on %q: got %s, want %s", c.Input, c.Base, u, href)
		}
	}
	if len(cases) < 400 {
		t.Errorf("only %d cases", len(cases))
	}
}

// TestStandardHosts runs the suite's cases about names in other scripts.
func TestStandardHosts(t *testing.T) {
	t.Parallel()
	for _, c := range read[struct {
		Input  string
		Output *string
	}](t, "hosts.json") {
		if strings.ContainsAny(c.Input, "/?#") {
			continue
		}
		u, err := Parse("https://" + c.Input + "/x")
		switch {
		case c.Output == nil && err == nil:
			t.Errorf("%q: got %s, want none", c.Input, u.Host)
		case c.Output != nil && (err != nil || string(u.AppendHost(nil)) != *c.Output):
			t.Errorf("%q: got %s, %v; want %s", c.Input, u.Host, err, *c.Output)
		}
	}
}

func TestBytesBeyondASCIIStandForThemselves(t *testing.T) {
	t.Parallel()
	base, err := Parse("http://example.test/a/b?c")
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"/caf\xe9":             "http://example.test/caf%E9",
		"/caf\xc3\xa9?\xe9":    "http://example.test/caf%C3%A9?%E9",
		"//b\xc3\xbccher.test": "http://xn--bcher-kva.test/",
		"/a%2Fb|c":             "http://example.test/a%2Fb|c",
		"/sale-100%":           "http://example.test/sale-100%",
		"/%zz%e9%E9":           "http://example.test/%zz%e9%E9",
		"/a\u00a0":             "http://example.test/a%C2%A0",
	} {
		if u, err := base.Resolve(in); err != nil || u.String() != want {
			t.Errorf("%q: got %s, %v; want %s", in, u, err, want)
		}
	}
	if u, err := base.Resolve("//b\xfccher.test/"); !errors.Is(err, ErrHost) {
		t.Errorf("a host that is not UTF-8: got %s, %v", u, err)
	}
}

func TestStd(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"http://example.test/", "https://example.test:8443/a%2Fb%20c?d=%26", "http://[::1]:80/?", "http://example.test:443/",
	} {
		u, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if std := u.Std().String(); std != u.String() {
			t.Errorf("%s: got %s, want %s", text, std, u)
		}
	}
	if u, err := Parse("http://example.test/100%"); err != nil || u.Std().Path != "/100%" {
		t.Errorf("got %v, %v", u, err)
	}
}

// FuzzURL shows that what was parsed parses to itself, and that nothing in it can break out
// of a request line.
func FuzzURL(f *testing.F) {
	for _, s := range []string{
		"http://example.test/a?b#c", "HTTPS://user:pass@B%C3%BCcher.test:8443/../a/./%2e%2e/b?'", `http:\\x\y`, "http:///x", "http:x", "//x/y", "/a b", "?q", "#f", "",
		"http://[::ffff:1.2.3.4]:0/", "http://0x7f.1/", "http://017700000001", "http://1.2.3.4.5/", "http://xn--/", "http://\u00ad/", "http://a..b./", "/\x00\t\n%", "a\\..\\b",
		"http://x/\xe9", "javascript:x", "http://x:99999", "http://%31/", "http://EX%41MPLE",
	} {
		f.Add(s)
	}
	base, err := Parse("https://example.test/dir/page?q")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := base.Resolve(s)
		if err != nil {
			return
		}
		text := u.String()
		if again, err := Parse(text); err != nil || again != u {
			t.Fatalf("%q: %s parses to %s, %v", s, text, again, err)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || strings.Contains(text, "#") {
			t.Fatalf("%q: %q", s, text)
		}
		segments := strings.Split(u.Path, "/")
		if segments[0] != "" || slices.ContainsFunc(segments, func(s string) bool { return dots(s) > 0 }) {
			t.Fatalf("%q: path %q", s, u.Path)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("https://www.example.com/blog/"); err != nil {
			b.Fatal(err)
		}
	}
}
