package gateway_test

import (
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

// compare refuses an etag that is not the site's, as a coordinator does.
func (f *fake) compare(id int64, etag string) error {
	f.tried = append(f.tried, etag)
	if etag == "" || etag == f.sites[id].GetEtag() {
		return nil
	}
	return fault.New(fault.Conflict, "site %d was edited", id).With(&errdetails.ErrorInfo{Reason: "ETAG_MISMATCH"})
}

// tagged serves site 7 under an etag.
func tagged(t *testing.T) (*house, *fake) {
	t.Helper()
	f := newFake()
	f.sites[7].Etag = "now"
	return open(t, f), f
}

func TestEditsAreMadeOnlyIfTheSiteMatches(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		header, body string
		want         int
		tried        string // the etags that reached the coordinator
	}{
		"no condition":                       {"", `{"paused":true}`, 200, ""},
		"any":                                {"*", `{"paused":true}`, 200, ""},
		"the tag of a GET":                   {"GET", `{"paused":true}`, 200, "now"},
		"the etag alone":                     {`"now"`, `{"paused":true}`, 200, "now"},
		"its hash is of an earlier body":     {`"now.Ej5ErfD3xq12"`, `{"paused":true}`, 200, "now"},
		"an old tag":                         {`"old.Ej5ErfD3xq12"`, `{"paused":true}`, 412, "old"},
		"of several one":                     {`"old.a", "now.b","older"`, `{"paused":true}`, 200, "old now"},
		"of several none":                    {`"old", "older"`, `{"paused":true}`, 412, "old older"},
		"a weak tag matches nothing":         {`W/"now"`, `{"paused":true}`, 412, "-"},
		"a weak tag and a strong one":        {`W/"now", "now"`, `{"paused":true}`, 200, "- now"},
		"a tag of nothing":                   {`""`, `{"paused":true}`, 412, "-"},
		"bytes that are no UTF-8":            {"\"\xce\"", `{"paused":true}`, 412, "-"},
		"a star in quotation marks":          {`"*"`, `{"paused":true}`, 412, "-"},
		"a comma in a tag":                   {`"a,b"`, `{"paused":true}`, 412, "a,b"},
		"a tag that is too long for an etag": {`"` + strings.Repeat("x", 65) + `"`, `{"paused":true}`, 412, "-"},
		"the body's own":                     {"", `{"paused":true,"etag":"now"}`, 200, "now"},
		"the body's own is old":              {"", `{"paused":true,"etag":"old"}`, 412, "old"},
		"the body's own and the header's":    {`"old", "now"`, `{"paused":true,"etag":"now"}`, 200, "now"},
		"the two differ":                     {`"old"`, `{"paused":true,"etag":"now"}`, 412, "-"},
		"without quotation marks":            {`now`, `{"paused":true}`, 400, "none"},
		"half a tag":                         {`"now`, `{"paused":true}`, 400, "none"},
		"two tags without a comma":           {`"now" "old"`, `{"paused":true}`, 400, "none"},
		"a star among tags":                  {`*, "now"`, `{"paused":true}`, 400, "none"},
		"no tag at all":                      {`,`, `{"paused":true}`, 400, "none"},
		"too many":                           {strings.Repeat(`"old",`, 9), `{"paused":true}`, 400, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for method, path := range map[string]string{"PATCH": "/v1/sites/7", "DELETE": "/v1/sites/7", "POST": "/v1/sites/7:pause"} {
				if method != "PATCH" && strings.Contains(tt.body, "etag") {
					continue
				}
				h, f := tagged(t)
				header := []string{"If-Match", tt.header}
				if tt.header == "" {
					header = nil
				} else if tt.header == "GET" {
					header[1] = h.get("/v1/sites/7").header.Get("ETag")
				}
				body := map[string]string{"PATCH": tt.body}[method]
				a := h.send(method, path, body, header...)
				tried := strings.Join(f.tried, " ")
				if len(f.tried) == 0 {
					tried = "none"
				}
				if a.status != tt.want || tried != tt.tried {
					t.Errorf("%s: %d %s, want %d; tried %q, want %q", method, a.status, a.body, tt.want, tried, tt.tried)
				}
				if a.status == 400 && a.field() != "If-Match" {
					t.Errorf("%s: the field at fault is %q", method, a.field())
				}
			}
		})
	}
}

func TestAConditionThatCannotBeKeptIsRefused(t *testing.T) {
	t.Parallel()
	h, f := tagged(t)
	for what, a := range map[string]answer{
		"If-Match: a new site":       h.send("POST", "/v1/sites", `{"url":"http://127.0.0.1/new"}`, "If-Match", `"now"`),
		"If-None-Match: an edit":     h.send("PATCH", "/v1/sites/7", `{"paused":true}`, "If-None-Match", `"now"`),
		"If-None-Match: a deletion":  h.send("DELETE", "/v1/sites/7", "", "If-None-Match", "*"),
		"If-Match: what has no etag": h.send("POST", "/v1/sites/7:diagnose", "{}", "If-Match", "*"),
	} {
		if name, _, _ := strings.Cut(what, ":"); a.status != 400 || a.field() != name {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	if len(f.sites) != 1 || len(f.tried) != 0 {
		t.Errorf("something was done: %v, %v", f.sites, f.tried)
	}
	if a := h.send("PATCH", "/v1/sites/8", `{"paused":true}`, "If-Match", `"now"`); a.status != 404 {
		t.Errorf("a site that is not there: %d %s", a.status, a.body)
	}
}

func TestWhatAReaderHasIsNotSentAgain(t *testing.T) {
	t.Parallel()
	h, f := tagged(t)
	for _, path := range []string{"/v1/sites/7", "/v1/sites", "/v1/sites:batchGet?site_ids=7", "/v1/outages", "/v1/outages/3", "/v1/fleet",
		"/v1/sites/7:explain", "/wpcom/v2/sites/up.example/jetpack-monitor-status", "/openapi.json", "/"} {
		first := h.get(path)
		tag := first.header.Get("ETag")
		if first.status != 200 || !strings.HasPrefix(tag, `"`) || strings.HasPrefix(tag, `"now.`) != (path == "/v1/sites/7") {
			t.Errorf("%s: %d, tag %s", path, first.status, tag)
		}
		for _, known := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
			for _, method := range []string{"GET", "HEAD"} {
				a := h.send(method, path, "", "If-None-Match", known)
				if a.status != 304 || a.body != "" || a.header.Get("ETag") != tag || a.header.Get("Cache-Control") != "private, no-cache" {
					t.Errorf("%s %s, If-None-Match: %s: %d %q %v", method, path, known, a.status, a.body, a.header)
				}
			}
		}
		for _, other := range []string{`"other"`, `"now"`, "now", tag[:len(tag)-2] + `"`} {
			if a := h.send("GET", path, "", "If-None-Match", other); a.status != 200 || a.body != first.body {
				t.Errorf("%s, If-None-Match: %s: %d", path, other, a.status)
			}
		}
	}
	before := h.get("/v1/sites/7").header.Get("ETag")
	f.mu.Lock()
	f.sites[7].State = monitorv1.SiteState_SITE_STATE_UP
	f.mu.Unlock()
	a := h.send("GET", "/v1/sites/7", "", "If-None-Match", before)
	if a.status != 200 || a.header.Get("ETag") == before || !strings.HasPrefix(a.header.Get("ETag"), `"now.`) {
		t.Errorf("its state has changed: %d, %s, was %s", a.status, a.header.Get("ETag"), before)
	}
	for _, path := range []string{"/v1/sites/8", "/healthz", "/nothing", "/v1/sites/x"} {
		if a := h.send("GET", path, "", "If-None-Match", "*"); a.status == 304 || a.header.Get("ETag") != "" {
			t.Errorf("%s: %d, tag %s", path, a.status, a.header.Get("ETag"))
		}
	}
}

// What an edit answers is tagged, so that another can follow; a deletion leaves nothing to tag.
func TestEditsAnswerWithTheTagOfWhatTheyMade(t *testing.T) {
	t.Parallel()
	h, f := tagged(t)
	patched := h.send("PATCH", "/v1/sites/7", `{"paused":true,"etag":"now"}`)
	if tag := patched.header.Get("ETag"); patched.status != 200 || !strings.HasPrefix(tag, `"now.`) {
		t.Errorf("PATCH: %d, tag %q", patched.status, tag)
	}
	if a := h.send("DELETE", "/v1/sites/7", ""); a.status != 200 || a.header.Get("ETag") != "" {
		t.Errorf("DELETE: %d, tag %q", a.status, a.header.Get("ETag"))
	}
	if len(f.sites) != 0 {
		t.Error("the site is still there")
	}
}
