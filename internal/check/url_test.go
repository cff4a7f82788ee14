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
		"http://[::1]:80/":               "http://[::1]/",
		"http://[2001:DB8::1]/":          "http://[2001:db8::1]/",
		"http://my_shop.example.com./":   "http://my_shop.example.com./",
		"http://bücher.example/é":        "http://xn--bcher-kva.example/%C3%A9",
		"http://i--.bücher.test/":        "http://i--.xn--bcher-kva.test/",
		"http://example.com/sale-100%":   "http://example.com/sale-100%",
		" http://example.com/a b \n":     "http://example.com/a%20b",
		"http://example.com:/":           "http://example.com/",
		"http:\\\\example.com":           "http://example.com/",
	} {
		u, err := ParseURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got := u.String(); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
	for raw, want := range map[string]string{
		"":                         "empty",
		"ftp://example.com/":       "http://",
		"http://user@example.com/": "user information",
		"http://[fe80::1%25eth0]/": "host",
		"http://[127.0.0.1]/":      "host",
		"http://[::g]/":            "host",
		"http://example.com:0/":    "port",
		"http://example.com:x/":    "port",
		"http://example.com/a\tb":  "control",
		"http://1.2.3.4.5/":        "host",
		" \n":                      "empty",
		"http://a`b/":              "contain",
		"http://a..b/":             "labels",
		"http://a b/":              "host",
		"http://" + strings.Repeat("a", 300) + "/": "bytes",
	} {
		if u, err := ParseURL(raw); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v; want an error about %q", raw, u, err, want)
		}
	}
}

func TestValidateURL(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"http://example.com", "HTTPS://Example.COM:8443/a?b#c", "http://bücher.example/é", "http://my_shop.example.com./", "http://[::1]:80/",
		"http://example.com/sale-100%", "http://example.com/a|b", "http://i--.bücher.test/",
	} {
		if err := ValidateURL(raw); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
	for raw, want := range map[string]string{
		" http://example.com/":    "spaces or control",
		"http://example.com/\n":   "spaces or control",
		"http://example.com/a b":  "spaces or control",
		"http://example.com/\x00": "spaces or control",
		"http://exa mple.com/":    "spaces or control",
		"example.com":             "must begin with http",
		"http:example.com":        "must begin with http",
		"http:///path":            "must have a host",
		"http://":                 "must have a host",
		"http://example.com:/":    "port must not be empty",
		"http://example.com:0/":   "port must be from 1 to 65535, is 0",
		"http://exa$mple.com/":    `host must not contain "$"`,
		"http://u@example.com/":   "user information",
	} {
		if err := ValidateURL(raw); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v; want an error about %q", raw, err, want)
		}
	}
}

func TestTrimURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		" http://example.com/": "http://example.com/", "\t\r\nhttp://example.com/\f \n": "http://example.com/",
		"http://example.com/a b ": "http://example.com/a b", "\x00http://example.com/": "\x00http://example.com/",
		"\u00a0http://example.com/": "\u00a0http://example.com/", " \n": "", "": "",
	} {
		if got := TrimURL(raw); got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}

func TestCompleteURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"example.com":               "http://example.com",
		"example.com/a?u=http://x/": "http://example.com/a?u=http://x/",
		"example.com:8080/a":        "http://example.com:8080/a",
		"localhost:8080":            "http://localhost:8080",
		"//example.com/a":           "http://example.com/a",
		" example.com\n":            "http://example.com",
		"HTTPS://example.com":       "HTTPS://example.com",
		"http:example.com":          "http:example.com",
		"ftp://example.com/":        "ftp://example.com/",
		"[::1]:80/":                 "http://[::1]:80/",
		"":                          "http://",
	} {
		if got := CompleteURL(raw); got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}
