package secondopinion

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"
)

const (
	// maxCookies and maxCookieBytes limit the cookies kept within one asking.
	maxCookies     = 100
	maxCookieBytes = 32 << 10
	// maxOneCookie is the length of name and value from which browsers ignore a cookie.
	maxOneCookie = 4096
)

// cookies keeps the cookies of one asking. The jar of net/http decides which belong where;
// but it would drop names and values that browsers send back as they came, so cookies are
// read and written here (RFC 6265bis, sections 5.6 and 5.8).
type cookies struct {
	jar         *cookiejar.Jar
	count, size int
}

func newCookies() *cookies {
	// New never fails.
	jar, _ := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	return &cookies{jar: jar}
}

// keep stores what a response from l sets.
func (c *cookies) keep(l location, lines []string) {
	var set []*http.Cookie
	for _, line := range lines {
		one, ok := parseCookie(line)
		if c.count++; c.count > maxCookies {
			break
		}
		if c.size += len(one.Name) + len(one.Value); ok && c.size <= maxCookieBytes {
			set = append(set, one)
		}
	}
	c.jar.SetCookies(l.origin(), set)
}

// header returns the value of the Cookie header for l, "" for none.
func (c *cookies) header(l location) string {
	var all []string
	for _, one := range c.jar.Cookies(l.origin()) {
		if one.Name == "" {
			all = append(all, one.Value)
		} else {
			all = append(all, one.Name+"="+one.Value)
		}
	}
	return strings.Join(all, "; ")
}

// origin is the location as the jar expects it.
func (l location) origin() *url.URL {
	return &url.URL{Scheme: l.scheme, Host: l.authorityText(), Path: l.path}
}

// parseCookie parses a Set-Cookie line. It is false for one that browsers ignore.
func parseCookie(line string) (*http.Cookie, bool) {
	c := &http.Cookie{}
	pair, attributes, _ := strings.Cut(line, ";")
	if name, value, ok := strings.Cut(pair, "="); ok {
		c.Name, c.Value = trimBlanks(name), trimBlanks(value)
	} else {
		c.Value = trimBlanks(pair)
	}
	size := len(c.Name) + len(c.Value)
	if size == 0 || size > maxOneCookie || strings.ContainsFunc(line, isCookieControl) {
		return c, false
	}
	for attribute := range strings.SplitSeq(attributes, ";") {
		name, value, _ := strings.Cut(attribute, "=")
		c.Domain, c.Path = orValue(c.Domain, name, "domain", value), orValue(c.Path, name, "path", value)
		switch strings.ToLower(trimBlanks(name)) {
		case "secure":
			c.Secure = true
		case "expires":
			c.Expires = parseExpires(trimBlanks(value))
		case "max-age":
			c.MaxAge = parseMaxAge(trimBlanks(value))
		}
	}
	return c, true
}

// orValue returns value if the attribute's name is wanted, or else what was there before.
func orValue(before, name, wanted, value string) string {
	if strings.EqualFold(trimBlanks(name), wanted) {
		return trimBlanks(value)
	}
	return before
}

func trimBlanks(s string) string { return strings.Trim(s, " \t") }

func isCookieControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// parseExpires returns a zero time for a date that cannot be read: the cookie then lives as
// long as the asking.
func parseExpires(s string) time.Time {
	for _, layout := range []string{
		time.RFC1123, "Mon, 02-Jan-2006 15:04:05 MST", "Mon, 02-Jan-06 15:04:05 MST", time.RFC850, time.ANSIC,
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	return time.Time{}
}

// parseMaxAge returns seconds as net/http has them: 0 is none, negative is over.
func parseMaxAge(s string) int {
	n, err := strconv.Atoi(s)
	switch {
	case err != nil:
		return 0
	case n <= 0:
		return -1
	}
	return n
}
