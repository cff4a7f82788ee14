package secondopinion

import (
	"net/http"
	"strings"
	"testing"
)

// TestLocationsAreReadAsBrowsersReadThem has the URL Standard's own cases where they touch
// http and https; want is what a browser asks for, "" what it cannot go to.
func TestLocationsAreReadAsBrowsersReadThem(t *testing.T) {
	t.Parallel()
	tests := []struct{ base, raw, want string }{
		{"http://a.test/x/y?q", "/z", "http://a.test/z"},
		{"http://a.test/x/y?q", "z", "http://a.test/x/z"},
		{"http://a.test/x/y?q", "", "http://a.test/x/y?q"},
		{"http://a.test/x/y?q", "#top", "http://a.test/x/y?q"},
		{"http://a.test/x/y?q", "?", "http://a.test/x/y?"},
		{"http://a.test/x/y?q", "?r#s", "http://a.test/x/y?r"},
		{"http://a.test/x/y", "../../../z", "http://a.test/z"},
		{"http://a.test/x/y", "./z/.", "http://a.test/x/z/"},
		{"http://a.test/x/y", "%2e%2E/z", "http://a.test/z"},
		{"http://a.test/x/y", "..", "http://a.test/"},
		{"http://a.test/x", "//b.test", "http://b.test/"},
		{"http://a.test/x", "///b.test/x", "http://b.test/x"},
		{"http://a.test/x", "////b.test:81", "http://b.test:81/"},
		{"http://a.test/x", `\\b.test\x\y?a\b`, `http://b.test/x/y?a\b`},
		{"http://a.test/x", `/\b.test/x`, "http://b.test/x"},
		{"http://a.test/x", "http:y", "http://a.test/y"},
		{"http://a.test/x", "http:/y", "http://a.test/y"},
		{"http://a.test/x", "http:///b.test/y", "http://b.test/y"},
		{"http://a.test/x", "https:/b.test/y", "https://b.test/y"},
		{"http://a.test/x", "https:b.test", "https://b.test/"},
		{"https://a.test/x", "https:/b.test/y", "https://a.test/b.test/y"},
		{"http://a.test/x", "HTTPS://B.TEST:443/Y", "https://b.test/Y"},
		{"http://a.test/x", "http://b.test:80", "http://b.test/"},
		{"http://a.test/x", "http://b.test:", "http://b.test/"},
		{"http://a.test/x", "http://b.test:0080/", "http://b.test/"},
		{"http://a.test/x", " \t/z\r\n", "http://a.test/z"},
		{"http://a.test/x", "/a\tb\nc", "http://a.test/abc"},
		{"http://a.test/x", "/caf\xe9", "http://a.test/caf%E9"},
		{"http://a.test/x", "/café?é", "http://a.test/caf%C3%A9?%C3%A9"},
		{"http://a.test/x", "/a%2Fb|c", "http://a.test/a%2Fb|c"},
		{"http://a.test/x", "/sale-100%", "http://a.test/sale-100%"},
		{"http://a.test/x", "/%zz%4", "http://a.test/%zz%4"},
		{"http://a.test/x", `/a b"<>` + "`{}^", "http://a.test/a%20b%22%3C%3E%60%7B%7D%5E"},
		{"http://a.test/x", "/?a b'\"", "http://a.test/?a%20b%27%22"},
		{"http://a.test/x", "//b.test//y", "http://b.test//y"},
		{"http://a.test/x", "http://u:p@b.test/y", "http://b.test/y"},
		{"http://a.test/x", "http://u@c.test@b.test/y", "http://b.test/y"},
		{"http://a.test/x", "http://b.test./y", "http://b.test/y"},
		{"http://a.test/x", "http://i--.bücher.test/", "http://i--.xn--bcher-kva.test/"},
		{"http://a.test/x", "http://BÜCHER.test/", "http://xn--bcher-kva.test/"},
		{"http://a.test/x", "http://faß.test/", "http://xn--fa-hia.test/"},
		{"http://a.test/x", "http://b%C3%BCcher.test/", "http://xn--bcher-kva.test/"},
		{"http://a.test/x", "http://a_b.test/", "http://a_b.test/"},
		{"http://a.test/x", "http://0x7f.1/", "http://127.0.0.1/"},
		{"http://a.test/x", "http://2130706433/", "http://127.0.0.1/"},
		{"http://a.test/x", "http://0177.0.0.0x1/", "http://127.0.0.1/"},
		{"http://a.test/x", "http://127.1/", "http://127.0.0.1/"},
		{"http://a.test/x", "http://[::1]:81/", "http://[::1]:81/"},
		{"http://a.test/x", "http://[::FFFF:1.2.3.4]/", "http://[::ffff:1.2.3.4]/"},
		{"http://a.test/x", "http://１２７.0.0.1/", "http://127.0.0.1/"},

		{"http://a.test/x", "file:///etc/passwd", ""},
		{"http://a.test/x", "javascript:alert(1)", ""},
		{"http://a.test/x", "mailto:a@b.test", ""},
		{"http://a.test/x", "localhost:8080", ""},
		{"http://a.test/x", "http://", ""},
		{"http://a.test/x", "https://", ""},
		{"http://a.test/x", "http://b.test:0/", ""},
		{"http://a.test/x", "http://b.test:65536/", ""},
		{"http://a.test/x", "http://b.test:x/", ""},
		{"http://a.test/x", "http://b c.test/", ""},
		{"http://a.test/x", "http://b%20c.test/", ""},
		{"http://a.test/x", "http://b<c.test/", ""},
		{"http://a.test/x", "http://b%.test/", ""},
		{"http://a.test/x", "http://[::1/", ""},
		{"http://a.test/x", "http://[fe80::1%25eth0]/", ""},
		{"http://a.test/x", "http://[127.0.0.1]/", ""},
		{"http://a.test/x", "http://256.1.1.1/", ""},
		{"http://a.test/x", "http://1.2.3.4.5/", ""},
		{"http://a.test/x", "http://1.2.0x/", "http://1.2.0.0/"},
		{"http://a.test/x", "http://4294967296/", ""},
		{"http://a.test/x", "http://09.1/", ""},
		{"http://a.test/x", "http://b..test/", ""},
		{"http://a.test/x", "http://b\x00.test/", ""},
		{"http://a.test/x", "http://" + strings.Repeat("a", 64) + ".test/", ""},
		{"http://a.test/x", "/" + strings.Repeat("a", 9000), ""},
	}
	for _, tt := range tests {
		base, err := parseLocation(tt.base, nil)
		if err != nil {
			t.Fatalf("%s: %v", tt.base, err)
		}
		got, err := parseLocation(tt.raw, &base)
		if (err != nil) != (tt.want == "") || err == nil && got.String() != tt.want {
			t.Errorf("%q on %s leads to %s, %v, want %q", tt.raw, tt.base, got, err, tt.want)
		}
	}
}

func TestATargetsOwnURLIsAbsoluteAndHasNoUser(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"http://host/sale-100%": "http://host/sale-100%", " https://a.test\n": "https://a.test/", "HTTP://A.test#x": "http://a.test/", "http://@a.test/": "http://a.test/", "http://:@a.test/": "http://a.test/",
		"": "", "a.test": "", "/x": "", "ftp://a.test/": "", "http://u@a.test/": "", "http://u:p@a.test/": "",
	} {
		got, err := parseLocation(raw, nil)
		if (err != nil) != (want == "") || err == nil && got.String() != want {
			t.Errorf("%q is %s, %v, want %q", raw, got, err, want)
		}
	}
}

// FuzzLocation checks that whatever a server sends as Location, net/http can ask for it in
// one line, by its path or whole, or it is refused.
func FuzzLocation(f *testing.F) {
	for _, seed := range []string{"/x", "//b.test//y?z", "///b.test", `\\b`, "http://2130706433/", "?", "%2e%2e//x", "http://[::1]:1/", "/a\x80b", "http:x", "%2e%2e//%"} {
		f.Add(seed)
	}
	base, err := parseLocation("http://a.test/x/y?q", nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		l, err := parseLocation(raw, &base)
		if err != nil || len(l.String()) > maxLocationBytes {
			return
		}
		again, err := parseLocation(l.String(), nil)
		if err != nil || again.String() != l.String() {
			t.Errorf("%q is %s, which is %s, %v", raw, l, again, err)
		}
		r := &http.Request{Method: http.MethodGet, URL: l.url(), Host: l.authorityText()}
		var wire strings.Builder
		if err := r.Write(&wire); err != nil {
			t.Fatalf("%q is %s, which cannot be sent: %v", raw, l, err)
		}
		line, _, _ := strings.Cut(wire.String(), "\r\n")
		want := l.path
		if l.hasQuery {
			want += "?" + l.query
		}
		if whole := l.String(); line != "GET "+want+" HTTP/1.1" && line != "GET "+whole+" HTTP/1.1" {
			t.Errorf("%q is asked for with %q, want %q", raw, line, want)
		}
	})
}
