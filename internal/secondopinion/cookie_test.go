package secondopinion

import "testing"

func TestCookiesComeBackAsTheyCame(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		set  []string
		page string
		want string
	}{
		{"a plain one", []string{"a=b"}, "http://x.test/", "a=b"},
		{"JSON", []string{`state={"seen":1}; Path=/`}, "http://x.test/", `state={"seen":1}`},
		{"a name that is no token", []string{"a[b]=1"}, "http://x.test/", "a[b]=1"},
		{"quotes, commas, blanks and backslashes", []string{`q="a, b\c d" ; Path=/`}, "http://x.test/", `q="a, b\c d"`},
		{"bytes that are not ASCII", []string{"ü=\xe9"}, "http://x.test/", "ü=\xe9"},
		{"a value with a sign of equality", []string{"a=b=c"}, "http://x.test/", "a=b=c"},
		{"no name", []string{"=b"}, "http://x.test/", "b"},
		{"no sign of equality", []string{"b"}, "http://x.test/", "b"},
		{"no value", []string{"a="}, "http://x.test/", "a="},
		{"nothing", []string{"", "=", ";Path=/"}, "http://x.test/", ""},
		{"a control character", []string{"a=b\x01", "c=d; Path=/\x7f"}, "http://x.test/", ""},
		{"two, the longer path first", []string{"a=1; Path=/", "b=2; Path=/x"}, "http://x.test/x", "b=2; a=1"},
		{"the same name again", []string{"a=1", "a=2"}, "http://x.test/", "a=2"},
		{"one that is over", []string{"a=1; Max-Age=0", "b=2; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "c=3; Expires=Thu, 01-Jan-1970 00:00:00 GMT"}, "http://x.test/", ""},
		{"one that lives", []string{"a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}, "http://x.test/", "a=1"},
		{"a date that nobody can read", []string{"a=1; Expires=tomorrow"}, "http://x.test/", "a=1"},
		{"another path", []string{"a=1; Path=/y"}, "http://x.test/x", ""},
		{"for https only", []string{"a=1; Secure"}, "http://x.test/", ""},
		{"for https", []string{"a=1; secure ; HttpOnly"}, "https://x.test/", "a=1"},
		{"for a domain", []string{"a=1; Domain=.x.test"}, "http://www.x.test/", "a=1"},
		{"for one host", []string{"a=1"}, "http://www.x.test/", ""},
		{"for a domain that is not the host's", []string{"a=1; Domain=y.test"}, "http://y.test/", ""},
	}
	for _, tt := range tests {
		from, err := parseLocation("http://x.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		to, err := parseLocation(tt.page, nil)
		if err != nil {
			t.Fatal(err)
		}
		if to.scheme == "https" {
			from.scheme = "https"
		}
		c := newCookies()
		c.keep(from, tt.set)
		if got := c.header(to); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestCookiesAreBounded(t *testing.T) {
	t.Parallel()
	l, err := parseLocation("http://x.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := newCookies()
	for range 10 {
		var lines []string
		for i := range 50 {
			lines = append(lines, string(rune('a'+i))+"="+string(make([]byte, 0))+"0123456789")
		}
		c.keep(l, lines)
	}
	if c.count > 10*50 || len(c.jar.Cookies(l.origin())) > maxCookies {
		t.Errorf("%d cookies", len(c.jar.Cookies(l.origin())))
	}
}

func FuzzCookie(f *testing.F) {
	for _, seed := range []string{`state={"seen":1}; Path=/`, "a[b]=1", "=", "a=b; Domain=x.test; Max-Age=1; Expires=x; Secure", ";;;"} {
		f.Add(seed)
	}
	l, err := parseLocation("https://x.test/a/b", nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c := newCookies()
		c.keep(l, []string{line})
		if got := c.header(l); len(got) > maxOneCookie+1 {
			t.Errorf("%d bytes of a cookie", len(got))
		}
	})
}
