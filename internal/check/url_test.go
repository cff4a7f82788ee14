package check

import (
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"HTTP://Example.COM":             "http://example.com/",
		"https://example.com:8443/a?b#c": "https://example.com:8443/a?b",
		"http://[::1]:80/":               "http://[::1]:80/",
		"http://[2001:DB8::1]/":          "http://[2001:db8::1]/",
		"http://my_shop.example.com./":   "http://my_shop.example.com./",
		"http://bücher.example/é":        "http://bücher.example/%C3%A9",
	} {
		u, err := ParseURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got := u.String(); got != want && u.Scheme+"://"+u.Host+u.EscapedPath() != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
	for raw, want := range map[string]string{
		"":                         "empty",
		"ftp://example.com/":       "http://",
		"http://user@example.com/": "user information",
		"http://[fe80::1%25eth0]/": "zone",
		"http://[127.0.0.1]/":      "IP-literal",
		"http://[::g]/":            "host",
		"http://example.com:0/":    "port",
		"http://example.com:/":     "port",
		"http://a..b/":             "labels",
		"http://a b/":              "spaces",
		"http://" + strings.Repeat("a", 300) + "/": "bytes",
	} {
		if u, err := ParseURL(raw); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v; want an error about %q", raw, u, err, want)
		}
	}
}
