package record_test

import (
	"strings"
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/weburl"
)

func TestURLsAreWhereBrowsersGo(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]record.Location{
		"https://example.com":                       {Host: "example.com", Port: 443, Page: "https://example.com/"},
		"HTTPS://Example.COM.:443/a/../b?q#f":       {Host: "example.com", Port: 443, Page: "https://example.com/b?q"},
		" http://example.com:8080/x ":               {Host: "example.com", Port: 8080, Page: "http://example.com:8080/x"},
		"http://user:pass@example.com/":             {Host: "example.com", Port: 80, Page: "http://user:pass@example.com/"},
		"https://M\u00fcller.example/":              {Host: "xn--mller-kva.example", Port: 443, Page: "https://xn--mller-kva.example/"},
		"https://xn--MLLER-kva.example/":            {Host: "xn--mller-kva.example", Port: 443, Page: "https://xn--mller-kva.example/"},
		"http://0x7f.1/":                            {Host: "127.0.0.1", Port: 80, Page: "http://127.0.0.1/"},
		"https://[::0001]:80/":                      {Host: "::1", Port: 80, Page: "https://[::1]:80/"},
		"https://ex_mple.com/":                      {Host: "ex_mple.com", Port: 443, Page: "https://ex_mple.com/"},
		"example.com/bare":                          {Host: "example.com", Port: 80},
		"example.com:8080/bare":                     {Host: "example.com", Port: 8080},
		"ftp://example.com/file":                    {Host: "example.com", Port: 80},
		"":                                          {},
		"http://":                                   {},
		"https://exa mple.com/":                     {},
		"https://example.com:99999/":                {},
		"https://" + strings.Repeat("a", 254) + "/": {},
	} {
		if got := record.Locate(raw); got != want {
			t.Errorf("%q leads to %+v, want %+v", raw, got, want)
		}
	}
}

func TestHostsThatAreLookedFor(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]record.Location{
		"example.com":         {Host: "example.com"},
		"EXAMPLE.com.":        {Host: "example.com"},
		"example.com:8080":    {Host: "example.com", Port: 8080},
		"example.com:":        {Host: "example.com"},
		"M\u00dcLLER.example": {Host: "xn--mller-kva.example"},
		"[::1]":               {Host: "::1"},
		"[0::1]:443":          {Host: "::1", Port: 443},
		"0x7f.1":              {Host: "127.0.0.1"},
	} {
		got, err := record.LocateHost(raw)
		if err != nil || got != want {
			t.Errorf("%q is %+v, %v, want %+v", raw, got, err, want)
		}
	}
	for _, raw := range []string{"", ".", "%", "a/b", "https://example.com/", "user@example.com", "a b", "example.com:0", "example.com:65536",
		"example.com:x", "::1", "[::1", "1.2.3.4.5", strings.Repeat("a", 254)} {
		if got, err := record.LocateHost(raw); err == nil {
			t.Errorf("%q is %+v, want an error", raw, got)
		}
	}
}

func TestALocationFitsWhatIsLookedFor(t *testing.T) {
	t.Parallel()
	l := record.Locate("http://example.com:8080/x")
	for wanted, want := range map[record.Location]bool{
		{}:                                true,
		{Host: "example.com"}:             true,
		{Host: "example.com", Port: 8080}: true,
		{Host: "example.com", Port: 80}:   false,
		{Host: "other.example"}:           false,
		record.Locate("HTTP://EXAMPLE.com:8080/./x#y"): true,
		record.Locate("http://example.com:8080/X"):     false,
	} {
		if got := l.Fits(wanted); got != want {
			t.Errorf("%+v fits %+v: %v", l, wanted, got)
		}
	}
	if (record.Location{}).Fits(record.Location{Host: "x"}) {
		t.Error("what leads nowhere is found by a host")
	}
}

func FuzzLocate(f *testing.F) {
	for _, seed := range []string{"http://a:80/x", "a", "://", "x@y:1?z", "http://[::1]:80", ":", "http://M\u00fcller./"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		l := record.Locate(raw)
		if len(l.Host) > record.MaxHostBytes || strings.ContainsFunc(l.Host, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Errorf("%q has the host %q", raw, l.Host)
		}
		if l.Host == "" && l != (record.Location{}) {
			t.Errorf("%q has no host, and %+v", raw, l)
		}
		if wanted, err := record.LocateHost(raw); err == nil && (wanted.Host == "" || !record.Locate("http://"+weburl.Trim(raw)+"/").Fits(record.Location{Host: wanted.Host})) {
			t.Errorf("%q is the host %+v, and in a URL %+v", raw, wanted, record.Locate("http://"+raw+"/"))
		}
		if l.Page != "" && record.Locate(l.Page) != l {
			t.Errorf("%q is %+v, and its page %+v", raw, l, record.Locate(l.Page))
		}
	})
}
