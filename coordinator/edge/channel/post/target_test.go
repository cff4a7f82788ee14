package post_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/coordinator/edge/channel/post"
)

func TestWhatCanBeAnEndpoint(t *testing.T) {
	t.Parallel()
	allowed := []netip.AddrPort{netip.MustParseAddrPort("10.0.0.5:9093"), netip.MustParseAddrPort("[fd00::5]:443")}
	for raw, why := range map[string]string{
		"https://example.com/hook?a=b":         "",
		"http://example.com:8080":              "",
		"https://192.0.43.7/":                  "",
		"http://10.0.0.5:9093/":                "", // an exception
		"https://[fd00::5]/":                   "",
		"":                                     "given",
		"example.com/hook":                     "begin with",
		"ftp://example.com/":                   "begin with",
		"https:///hook":                        "no host",
		"https://:443/":                        "no host",
		"https://user@example.com/":            "user information",
		"https://example.com/#x":               "fragment",
		"https://example.com/\x7f":             "no URL",
		"https://" + strings.Repeat("a", 2000): "at most 2000",
		"http://10.0.0.5:9094/":                "10.0.0.5",
		"http://10.0.0.5/":                     "10.0.0.5",
		"https://127.0.0.1/":                   "127.0.0.1",
		"https://[::1]/":                       "::1",
		"https://[::ffff:10.1.2.3]/":           "10.1.2.3",
		"https://[64:ff9b::a9fe:a9fe]/":        "64:ff9b",
		"https://169.254.169.254/latest/":      "169.254",
		"https://0.0.0.0/":                     "0.0.0.0",
		"https://[fe80::1%25eth0]/":            "fe80",
		"https://example.com:99999/":           "port",
		"https://example.com:0/":               "port",
	} {
		err := post.Options{Allowed: allowed}.Check(raw, false)
		if why == "" && err != nil || why != "" && (err == nil || !strings.Contains(err.Error(), why)) {
			t.Errorf("%s: %v, want %q", raw, err, why)
		}
	}
	for raw, ok := range map[string]bool{"http://example.com/": false, "https://example.com/": true} {
		if err := (post.Options{}).Check(raw, true); (err == nil) != ok {
			t.Errorf("a secret to %s: %v", raw, err)
		}
	}
	for raw, ok := range map[string]bool{"http://127.0.0.1:80/": true, "http://LOCALHOST./": true, "http://169.254.169.254/": false} {
		if err := (post.Options{AllowPrivate: true}).Check(raw, true); (err == nil) != ok {
			t.Errorf("with private addresses, %s: %v", raw, err)
		}
	}
	if err := (post.Options{}).Check("https://a.localhost:1/", false); err == nil {
		t.Error("this machine, by its name")
	}
}

func TestSecretsOfURLsAreNotShown(t *testing.T) {
	t.Parallel()
	const raw = "https://hooks.example/services/T000/B0000000/sesame-path?token=sesame-query&x=%73esame-other&flag"
	for _, pathIsSecret := range []bool{false, true} {
		shown := post.Masked(raw, pathIsSecret)
		hidden := []string{"sesame-query", "esame-other"}
		if pathIsSecret {
			hidden = append(hidden, "sesame-path", "B0000000")
		}
		for _, secret := range hidden {
			if strings.Contains(shown, secret) {
				t.Errorf("%s is in %s", secret, shown)
			}
		}
		if !strings.HasPrefix(shown, "https://hooks.example/") || post.Masked(shown, pathIsSecret) != shown {
			t.Errorf("shown as %s", shown)
		}
		secrets := post.SecretsOf(raw, pathIsSecret)
		if !slices.Contains(secrets, "sesame-query") || !slices.Contains(secrets, "sesame-other") || slices.Contains(secrets, "sesame-path") != pathIsSecret {
			t.Errorf("secrets %q", secrets)
		}
	}
	if got := post.Masked("https://example.com/hook", false); got != "https://example.com/hook" {
		t.Errorf("what has no secret is shown as %s", got)
	}
	if got := post.Masked("%zz sesame", false); got != "" {
		t.Errorf("what is no URL is shown as %s", got)
	}
}
