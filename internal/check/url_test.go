package check_test

import (
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	long := "http://example.com/" + strings.Repeat("x", 281) // 300 bytes
	tests := []struct {
		name, raw string
		want      string // the URL as it is asked for, or
		wrong     string // a part of what is wrong with it
	}{
		{"a plain one", "http://example.com/", "http://example.com/", ""},
		{"no path", "https://example.com", "https://example.com/", ""},
		{"a query without a path", "http://example.com?x=1", "http://example.com/?x=1", ""},
		{"a fragment is never sent", "http://example.com/a?b#c", "http://example.com/a?b", ""},
		{"upper case", "HTTP://EXAMPLE.com/Path", "http://example.com/Path", ""},
		{"a port", "https://example.com:8443/", "https://example.com:8443/", ""},
		{"IPv6", "http://[2001:db8::1]:80/", "http://[2001:db8::1]:80/", ""},
		{"a name beyond ASCII", "http://müller.example/", "http://müller.example/", ""},
		{"an underscore", "http://my_shop.example.com/", "http://my_shop.example.com/", ""},
		{"a final dot", "http://example.com./", "http://example.com./", ""},
		{"300 bytes", long, long, ""},
		{"301 bytes", long + "x", "", "at most 300 bytes"},
		{"nothing", "", "", "empty"},
		{"no scheme", "example.com", "", "http:// or https://"},
		{"another scheme", "ftp://example.com/", "", "http:// or https://"},
		{"javascript", "javascript:alert(1)", "", "http:// or https://"},
		{"no host", "http:///path", "", "host"},
		{"only a port", "http://:80/", "", "host"},
		{"opaque", "http:example.com", "", "host"},
		{"user information", "http://me:pw@example.com/", "", "user information"},
		{"port 99999", "http://example.com:99999/", "", "from 1 to 65535"},
		{"port 0", "http://example.com:0/", "", "from 1 to 65535"},
		{"an empty port", "http://example.com:/", "", "port"},
		{"a port that is no number", "http://example.com:http/", "", "port"},
		{"a space", "http://example.com/a b", "", "spaces"},
		{"a newline", "http://example.com/\r\nX: y", "", "control"},
		{"NUL", "http://example.com/\x00", "", "control"},
		{"an empty label", "http://example..com/", "", "1 to 63 bytes"},
		{"a label of 64 bytes", "http://" + strings.Repeat("a", 64) + ".com/", "", "1 to 63 bytes"},
		{"a host of 254 bytes", "http://" + strings.Repeat("abcdefg.", 31) + "abcdef/", "", "253 bytes"},
		{"a strange host", "http://exa$mple.com/", "", "must not contain"},
		{"no IPv6 address", "http://[example]/", "", "unable to parse IP"},
		{"an IPv6 zone", "http://[fe80::1%25eth0]/", "", "zone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, err := check.ParseURL(tt.raw)
			switch {
			case tt.wrong == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.wrong == "" && u.String() != strings.ReplaceAll(tt.want, "ü", "%C3%BC") && u.Scheme+"://"+u.Host+u.RequestURI() != tt.want:
				t.Errorf("read as %s", u)
			case tt.wrong != "" && err == nil:
				t.Errorf("accepted as %s", u)
			case tt.wrong != "" && !strings.Contains(err.Error(), tt.wrong):
				t.Errorf("%q, want %q in it", err, tt.wrong)
			}
		})
	}
}

func TestCompleteURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"example.com/a": "http://example.com/a", "https://example.com": "https://example.com", "": "http://",
	} {
		if got := check.CompleteURL(raw); got != want {
			t.Errorf("%q is completed to %q, want %q", raw, got, want)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"http://example.com/", "https://[::1]:443/?a#b", "HTTP://x:1", "http://%41/", "http://a/%zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := check.ParseURL(raw)
		if err != nil {
			return
		}
		again, err := check.ParseURL(u.String())
		if len(u.String()) <= check.MaxURLBytes && (err != nil || again.String() != u.String()) {
			t.Errorf("%q is read as %q, which is read as %v, %v", raw, u, again, err)
		}
	})
}
