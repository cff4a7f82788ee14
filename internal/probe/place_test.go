package probe

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

func TestInputThatCannotBeProbed(t *testing.T) {
	t.Parallel()
	p := newProber(t)
	for _, raw := range []string{
		"", " ", "example.com", "//example.com/", "ftp://example.com/", "file:///etc/passwd", "javascript:alert(1)",
		"gopher://127.0.0.1/", "http://", "http:///", "http://?a", "https://:80/", "http://user@example.com/",
		"http://user:secret@example.com/", "http://exa mple.com/", "http://example.com/\r\nHost: x", "http://example.com/\x00x", "http://example.com/\tx",
		"http://example.com:0/", "http://example.com:65536/", "http://example.com:-1/", "http://example.com:http/",
		"http://[::1", "http://[::1]x/", "http://[::g]/", "http://127.0.0.1.1/", "http://256.1.1.1/", "http://1.2.3.08/", "http://[fe80::1%25lo]/", "http://example.0x1/", "http://a..b/", "http://.example.com/", "http://" + strings.Repeat("a", 64) + ".test/",
		"http://" + strings.Repeat("a.", 130) + "test/", "http://example.com/" + strings.Repeat("a", 300),
		"http://ex%20ample.com/", "http://ex|ample.com/", "http://%zz/", "http://example.com\u2028.test/", "http://\xff.test/",
	} {
		o := probeInTime(t.Context(), t, p, check.Target{URL: raw})
		if o.Outcome != check.OutcomeUnknown || o.Failure != check.FailurePolicy {
			t.Errorf("%q: got %+v", raw, o)
		}
		if strings.Contains(o.Detail, "secret") {
			t.Errorf("%q: detail contains the password: %q", raw, o.Detail)
		}
	}
}

func TestHeadersThatMayNotBeSent(t *testing.T) {
	t.Parallel()
	site := fakesite.New(t)
	p := newProber(t)
	for _, h := range []check.Header{
		{Name: "Host", Value: "x"}, {Name: "connection", Value: "keep-alive"}, {Name: "Content-Length", Value: "5"},
		{Name: "Transfer-Encoding", Value: "chunked"}, {Name: "Proxy-Authorization", Value: "x"}, {Name: "Upgrade", Value: "h2c"},
		{Name: "", Value: "x"}, {Name: "X Y", Value: "x"}, {Name: "X:Y", Value: "x"}, {Name: "X\r\nY", Value: "x"}, {Name: "é", Value: "x"},
		{Name: "X", Value: "a\r\nHost: b"}, {Name: "X", Value: "a\nb"}, {Name: "X", Value: "a\x00b"}, {Name: "X", Value: strings.Repeat("x", maxHeaderBytes)},
	} {
		o := probeInTime(t.Context(), t, p, check.Target{URL: site.URL(), Settings: check.Settings{Headers: []check.Header{h}}})
		if o.Outcome != check.OutcomeUnknown || o.Failure != check.FailurePolicy || o.Reason != "bad_header" {
			t.Errorf("%q: got %+v", h, o)
		}
	}
	if n := site.Requests(""); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestRequestOnTheWire(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, url, host, target string }{
		{"plain", "http://Example.COM", "example.com", "/"},
		{"default port", "http://example.com:80/a", "example.com", "/a"},
		{"default port of https", "https://example.com:443/a", "example.com", "/a"},
		{"other port", "http://example.com:8080/a", "example.com:8080", "/a"},
		{"port of the other scheme", "http://example.com:443/", "example.com:443", "/"},
		{"upper-case scheme", "HTTPS://example.com/", "example.com", "/"},
		{"fragment", "http://example.com/a#b?c", "example.com", "/a"},
		{"fragment with a host in it", "http://example.com#@evil.test:99999/\n", "example.com", "/"},
		{"spaces and line breaks around", " \r\n\thttp://example.com/a \n", "example.com", "/a"},
		{"spaces inside", "http://example.com/a b?c d", "example.com", "/a%20b?c%20d"},
		{"lone per cent sign", "http://example.com/sale-100%", "example.com", "/sale-100%"},
		{"backslashes", `http:\\example.com\a`, "example.com", "/a"},
		{"no slashes", "http:example.com", "example.com", "/"},
		{"empty port", "http://example.com:/a", "example.com", "/a"},
		{"query only", "http://example.com?a=b#c", "example.com", "/?a=b"},
		{"empty query", "http://example.com/a?", "example.com", "/a?"},
		{"escapes stay", "http://example.com/a%2Fb%20c?d=%26", "example.com", "/a%2Fb%20c?d=%26"},
		{"text beyond ASCII", "http://example.com/é?ü", "example.com", "/%C3%A9?%C3%BC"},
		{"quotes", `http://example.com/a"<b>?c"<d>`, "example.com", "/a%22%3Cb%3E?c%22%3Cd%3E"},
		{"signs that stay", "http://example.com/|[]a?|[]{}", "example.com", "/|[]a?|[]{}"},
		{"double slash", "http://example.com//a//b", "example.com", "//a//b"},
		{"dots", "http://example.com/a/../b", "example.com", "/b"},
		{"final dot", "http://example.com./", "example.com.", "/"},
		{"name beyond ASCII", "http://BÜCHER.example/", "xn--bcher-kva.example", "/"},
		{"hyphens where punycode has them", "http://i--.bücher.test/", "i--.xn--bcher-kva.test", "/"},
		{"percent-encoded name", "http://ex%41mple.com/", "example.com", "/"},
		{"full-width name", "http://ｅxample。com/", "example.com", "/"},
		{"sharp s", "http://straße.test/", "xn--strae-oqa.test", "/"},
		{"underscore", "http://my_shop.example.com/", "my_shop.example.com", "/"},
		{"IPv4", "http://127.0.0.1:81/", "127.0.0.1:81", "/"},
		{"IPv4 in hexadecimal", "http://0x7f.1/", "127.0.0.1", "/"},
		{"IPv6", "http://[::1]/", "[::1]", "/"},
		{"IPv6 with a port", "http://[2001:DB8::1]:81/", "[2001:db8::1]:81", "/"},
	} {
		p, f := firstPlace(c.url)
		if f != nil {
			t.Errorf("%s: %+v", c.name, f)
			continue
		}
		want := "HEAD " + c.target + " HTTP/1.1\r\nHost: " + c.host + "\r\n" +
			"User-Agent: jetmon/3.0 (Jetpack Site Uptime Monitor by WordPress.com)\r\n" +
			"Accept: */*\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
		if got := string(wire("HEAD", p, nil, "")); got != want {
			t.Errorf("%s: got %q", c.name, got)
		}
	}
}

func TestOwnHeadersReplaceOurs(t *testing.T) {
	t.Parallel()
	p, _ := firstPlace("http://example.com/")
	got := string(wire("GET", p, []check.Header{{Name: "user-agent", Value: "me"}, {Name: "Cookie", Value: "a=b"}, {Name: "X", Value: "1"}}, "c=d"))
	want := "GET / HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n" +
		"user-agent: me\r\nX: 1\r\nCookie: a=b; c=d\r\nConnection: close\r\n\r\n"
	if got != want {
		t.Errorf("got %q", got)
	}
}

// FuzzHeaders shows that no headers that pass the policy change the shape of the request.
func FuzzHeaders(f *testing.F) {
	for _, h := range [][2]string{
		{"X", "1"}, {"Cookie", "a=b"}, {"user-agent", "me"}, {"Host", "x"}, {"X Y", "z"}, {"X", "a\r\nB: c"}, {"Transfer-Encoding", "chunked"},
		{"Content-Length ", "5"}, {"", ""}, {":authority", "x"}, {"X", "\x00"}, {"X", " \t"}, {"é", "é"}, {"X", "é\u2028"}, {"PROXY-x", ""}, {"Accept", ""},
	} {
		f.Add(h[0], h[1])
	}
	p, _ := firstPlace("http://example.com/a?b")
	f.Fuzz(func(t *testing.T, name, value string) {
		headers := []check.Header{{Name: name, Value: value}}
		if fail := checkHeaders(headers); fail != nil {
			if fail.outcome != check.OutcomeUnknown || fail.kind != check.FailurePolicy || fail.reason != "bad_header" {
				t.Fatalf("%q: %q: %+v", name, value, fail)
			}
			return
		}
		raw := wire("GET", p, headers, "c=d")
		q, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		if q.Host != "example.com" || q.RequestURI != "/a?b" || q.ContentLength != 0 || len(q.TransferEncoding) > 0 || !q.Close {
			t.Fatalf("%q: read as %+v", raw, q)
		}
		if n := bytes.Count(raw, []byte("\n")); n > 9 || n != bytes.Count(raw, []byte("\r\n")) {
			t.Fatalf("%q has %d lines", raw, n)
		}
	})
}

func FuzzURLPolicy(f *testing.F) {
	for _, s := range []string{
		"http://example.com/", "HTTPS://EXAMPLE.com:8443/a?b#c", "http://[::1]:80/", "http://[fe80::1%25eth0]/", "http://user@h/",
		"http://bücher.example/ü?ü", "http://127.1/", "http://0x7f.1/", "//x", "http:/x", "http://a b/", "http://x/%zz", "http://１２７.0.0.1/", "http://a。b/",
		"http://xn--/", "http://x\\@y/", "http://x/a b", "http://x?a\tb", "http://x:99999/",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		p, fail := firstPlace(raw)
		if fail != nil {
			if fail.outcome != check.OutcomeUnknown || fail.kind != check.FailurePolicy || fail.reason == "" {
				t.Fatalf("%q: failure %+v", raw, fail)
			}
			return
		}
		soundPlace(t, raw, p)
	})
}

// soundPlace checks the invariants of a place that passed the policy.
func soundPlace(t *testing.T, raw string, p *place) {
	t.Helper()
	if p.port == 0 || p.host == "" || strings.ContainsFunc(p.host, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		t.Fatalf("%q: place %+v", raw, p)
	}
	if last := p.host[strings.LastIndexByte(p.host, '.')+1:]; isDigits([]byte(last)) && !p.literal.IsValid() {
		t.Fatalf("%q: host %q may be an address", raw, p.host)
	}
	lines := strings.Split(string(wire("GET", p, nil, "")), "\r\n")
	if len(lines) != 8 || strings.ContainsAny(strings.Join(lines, ""), "\r\n\x00") {
		t.Fatalf("%q: request %q", raw, lines)
	}
	if target := strings.Fields(lines[0]); len(target) != 3 || !strings.HasPrefix(target[1], "/") || strings.Contains(target[1], "#") {
		t.Fatalf("%q: request line %q", raw, lines[0])
	}
	if u, err := url.Parse("http://" + p.hostHeader() + "/"); err != nil || u.User != nil || u.Path != "/" {
		t.Fatalf("%q: Host header %q: %v", raw, p.hostHeader(), err)
	}
}
