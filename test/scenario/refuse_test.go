package scenario

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/test/fakesite"
)

// bad is a request that must be refused, with the text that the answer must contain.
type bad struct {
	name, method, path, kind, body string
	code                           int
	want                           string
}

func badURL(name, url, want string) bad {
	return bad{name, http.MethodPost, "/v1/sites", "application/json", fmt.Sprintf(`{"url":%q}`, url), 400, want}
}

func badSite(name, body, want string) bad {
	return bad{name, http.MethodPost, "/v1/sites", "application/json", body, 400, want}
}

func badURLs() []bad {
	return []bad{
		badURL("an empty URL", "", "url"),
		badURL("a URL without a scheme", "example.com", "url: must begin with http"),
		badURL("a URL of another scheme", "ftp://example.com/", "url: must begin with http"),
		badURL("a script", "javascript:alert(1)", "url: must begin with http"),
		badURL("a URL without a host", "http:///path", "url: must have a host"),
		badURL("a URL with user information", "http://user:secret@example.com/", "url: must not contain user information"),
		badURL("port 99999", "http://example.com:99999/", "url: port must be from 1 to 65535, is 99999"),
		badURL("port 0", "http://example.com:0/", "url: port must be from 1 to 65535, is 0"),
		badURL("a port that is no number", "http://example.com:http/", "url: "),
		badURL("an empty port", "http://example.com:/", "url: port must not be empty"),
		badURL("a space in the URL", "http://example.com/a b", "url: must not contain spaces"),
		badURL("a line break in the URL", "http://example.com/\r\nX-Evil: 1", "url: must not contain spaces or control"),
		badURL("a host that is none", "http://exa$mple.com/", "url: "),
		badURL("half an IPv6 address", "http://[::1/", "url: "),
		badURL("an empty label in the host", "http://example..com/", "url: host labels"),
		badURL("a wrong escape in the host", "http://example%zz.com/", "url: must have a host"),
		badURL("301 bytes of URL", "http://example.com/"+strings.Repeat("a", 301-19), "url: must be at most 300 bytes"),
		badSite("no URL", `{"blog_id":1}`, "url"),
		badSite("a number as URL", `{"url":5}`, "url: must be a string"),
	}
}

func badSites() []bad {
	const ok = `{"url":"http://example.com/",`
	return []bad{
		badSite("an unknown field", ok+`"colour":"red"}`, "colour"),
		badSite("an unknown field in the settings", ok+`"settings":{"colour":"red"}}`, "settings.colour"),
		badSite("a field twice", ok+`"url":"http://example.org/"}`, "url"),
		badSite("a negative interval", ok+`"check_interval":"-60s"}`, "check_interval"),
		badSite("an interval of 61 s", ok+`"check_interval":"61s"}`, "check_interval: must be whole minutes"),
		badSite("an interval of 0 s", ok+`"check_interval":"0s"}`, "check_interval"),
		badSite("an interval of 256 minutes", ok+`"check_interval":"15360s"}`, "check_interval"),
		badSite("an interval in words", ok+`"check_interval":"often"}`, "check_interval: must be a time span"),
		badSite("an interval as a number", ok+`"check_interval":60}`, "check_interval: must be a time span"),
		badSite("a negative blog", ok+`"blog_id":-1}`, "blog_id"),
		badSite("a blog beyond 64 bits", ok+`"blog_id":"9223372036854775808"}`, "blog_id"),
		badSite("a pause that is no truth", ok+`"paused":"yes"}`, "paused: must be true or false"),
		badSite("a method that does not exist", ok+`"settings":{"method":"METHOD_POST"}}`, "settings.method"),
		badSite("a method by a wrong number", ok+`"settings":{"method":77}}`, "settings.method"),
		badSite("a header without a name", ok+`"settings":{"headers":[{"value":"x"}]}}`, "settings.headers[0].name"),
		badSite("a header with a line break", ok+`"settings":{"headers":[{"name":"X-A","value":"a\r\nb: c"}]}}`, "settings.headers[0].value"),
		badSite("a header that is the check's own", ok+`"settings":{"headers":[{"name":"X-A","value":"b"},{"name":"Host","value":"x"}]}}`, "settings.headers[1].name"),
		badSite("nine headers", ok+`"settings":{"headers":[`+strings.Repeat(`{"name":"X-A","value":"b"},`, 8)+`{"name":"X-A","value":"b"}]}}`, "settings.headers"),
		badSite("an empty text", ok+`"settings":{"required_texts":[""]}}`, "settings.required_texts[0]"),
		badSite("a text of 201 bytes", ok+`"settings":{"forbidden_texts":["`+strings.Repeat("x", 201)+`"]}}`, "settings.forbidden_texts[0]"),
		badSite("slow after no time", ok+`"settings":{"slow_after":"0s"}}`, "settings.slow_after"),
		badSite("JSON cut short", `{"url":`, "body"),
		badSite("an array", `[]`, "body"),
		badSite("no JSON", `url=http://example.com/`, "body"),
		badSite("two objects", ok+`"blog_id":1} {}`, "body"),
		badSite("an empty body", ``, "body"),
		{"a wrong content type", "POST", "/v1/sites", "text/plain", `{"url":"http://example.com/"}`, 415, "Content-Type: must be application/json"},
		{"no content type", "POST", "/v1/sites", "", `{"url":"http://example.com/"}`, 415, "Content-Type: must be application/json"},
		hugeBody(),
	}
}

func hugeBody() bad {
	return bad{"a huge body", "POST", "/v1/sites", "application/json", `{"url":"` + strings.Repeat("x", 4<<20) + `"}`, 413, "body: must be at most"}
}

// badRequests are about an existing site, whose id replaces ID.
func badRequests() []bad {
	const json = "application/json"
	return []bad{
		{"an unknown site", "GET", "/v1/sites/999999", "", "", 404, "999999"},
		{"a patch of an unknown site", "PATCH", "/v1/sites/999999", json, `{"paused":true}`, 404, "999999"},
		{"an end of an unknown site", "DELETE", "/v1/sites/999999", "", "", 404, "999999"},
		{"an unknown outage", "GET", "/v1/outages/999999", "", "", 404, "999999"},
		{"a site that is no number", "GET", "/v1/sites/abc", "", "", 400, "site_id"},
		{"site 0", "GET", "/v1/sites/0", "", "", 400, "site_id"},
		{"site -1", "GET", "/v1/sites/-1", "", "", 400, "site_id"},
		{"a site beyond 64 bits", "GET", "/v1/sites/9223372036854775808", "", "", 400, "site_id"},
		{"outage 0", "GET", "/v1/outages/0", "", "", 400, "outage_id"},
		{"an unknown parameter", "GET", "/v1/sites?colour=red", "", "", 400, "colour"},
		{"an unknown parameter of one site", "GET", "/v1/sites/ID?colour=red", "", "", 400, "colour"},
		{"a wrong page token", "GET", "/v1/sites?page_token=!!", "", "", 400, "page_token"},
		{"a wrong page token of outages", "GET", "/v1/outages?page_token=-5", "", "", 400, "page_token"},
		{"a page of 1001", "GET", "/v1/sites?page_size=1001", "", "", 400, "page_size"},
		{"a page of -1", "GET", "/v1/outages?page_size=-1", "", "", 400, "page_size"},
		{"a negative blog in a list", "GET", "/v1/sites?blog_id=-1", "", "", 400, "blog_id"},
		{"a truth that is none", "GET", "/v1/outages?open=perhaps", "", "", 400, "open"},
		{"a parameter twice", "GET", "/v1/sites?page_size=1&page_size=2", "", "", 400, "page_size"},
		{"a broken query", "GET", "/v1/sites?page_size=%zz", "", "", 400, "query"},
		{"a wrong method", "PUT", "/v1/sites", json, `{}`, 405, "GET"},
		{"a wrong method on one site", "POST", "/v1/sites/ID", json, `{}`, 405, "PATCH"},
		{"a method that nobody knows", "BREW", "/v1/sites", "", "", 405, "BREW"},
		{"an unknown path", "GET", "/v2/sites", "", "", 404, "/v2/sites"},
		{"a path too deep", "GET", "/v1/sites/ID/secrets", "", "", 404, "/v1/sites/"},
		{"a path that climbs", "GET", "/v1/../../etc/passwd", "", "", 400, "path: must not contain . or .."},
		{"a patch of nothing", "PATCH", "/v1/sites/ID", json, `{}`, 400, "body"},
		{"a patch to a bad URL", "PATCH", "/v1/sites/ID", json, `{"url":"ftp://x/"}`, 400, "url: must begin with http"},
		{"a patch of an unknown field", "PATCH", "/v1/sites/ID", json, `{"colour":1}`, 400, "colour"},
		{"a patch to a bad interval", "PATCH", "/v1/sites/ID", json, `{"check_interval":"90s"}`, 400, "check_interval"},
		{"a site that is there already", "POST", "/v1/sites", json, `{"url":"URL","blog_id":5}`, 409, "blog 5 has that"},
		{"a blog that nobody has", "GET", "/wpcom/v2/sites/424242/jetpack-monitor-status", "", "", 404, "site"},
		{"blog 0", "GET", "/wpcom/v2/sites/0/jetpack-monitor-status", "", "", 400, "site"},
		{"a host that nobody has", "GET", "/wpcom/v2/sites/nowhere.example/jetpack-monitor-status", "", "", 404, "site"},
	}
}

func TestBadRequestsAreRefusedInWordsAndDoNoHarm(t *testing.T) {
	t.Parallel()
	s := begin(t, asRoles(), setup{})
	target := fakesite.New(t)
	id := s.rest.create(t, target.URL(), 5).SiteID
	s.rest.awaitState(t, id, "UP")
	before := s.rest.site(t, id)
	fill := strings.NewReplacer("ID", id, "URL", target.URL())
	// Whoever sends too much is answered, and not cut off in the middle; that takes
	// more than one try to see.
	huge := slices.Repeat([]bad{hugeBody()}, 50)
	for _, all := range [][]bad{badURLs(), badSites(), badRequests(), huge} {
		for _, b := range all {
			path := strings.Replace(b.path, "ID", id, 1)
			code, text, err := s.rest.do(t, b.method, path, b.kind, fill.Replace(b.body))
			if err != nil {
				t.Errorf("%s: %v", b.name, err)
				continue
			}
			if code != b.code || !strings.Contains(text, fill.Replace(b.want)) || !strings.Contains(text, `"message":`) {
				t.Errorf("%s: status %d, want %d and %q in: %.300s", b.name, code, b.code, b.want, text)
			}
		}
	}
	if now := s.rest.site(t, id); now.URL != before.URL || now.CheckInterval != before.CheckInterval || now.Paused {
		t.Errorf("refused requests made %+v of %+v", now, before)
	}
	for _, n := range []node{coordinator, gateway} {
		if log := s.log(n); strings.Contains(log, "panic") {
			t.Errorf("the %s logged a panic:\n%s", n, log)
		}
	}
	target.SetStatus(http.StatusServiceUnavailable)
	s.hurry(t, id)
	s.inbox.awaitTold(t, target.URL(), patience, 0)
}
