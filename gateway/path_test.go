package gateway_test

import (
	"strings"
	"testing"
)

func TestWhatIsEncodedSeparatesNothing(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	for name, c := range map[string]struct {
		method, path string
		status       int
		message      string
	}{
		"an encoded colon before a verb":    {"GET", "/v1/sites/7%3Aexplain", 400, "site_id: must be a whole number"},
		"one in lower case":                 {"GET", "/v1/sites/7%3aexplain", 400, "site_id: must be a whole number"},
		"one before an action":              {"POST", "/v1/sites/7%3Adiagnose", 405, "POST"},
		"one in a literal":                  {"GET", "/v1/sites%3AbatchGet?site_ids=7", 404, "there is nothing"},
		"an encoded slash":                  {"GET", "/v1/sites%2F7", 404, "there is nothing"},
		"one in lower case, at the end":     {"GET", "/v1%2fsites", 404, "there is nothing"},
		"one before a page":                 {"GET", "/%2Fopenapi.json", 404, "there is nothing"},
		"an encoded slash in a value":       {"GET", "/wpcom/v2/sites/a%2Fb/jetpack-monitor-status", 400, "site: must not contain slashes"},
		"an encoded backslash in a value":   {"GET", "/wpcom/v2/sites/a%5Cb/jetpack-monitor-status", 400, "site: must not contain slashes"},
		"a backslash for a slash":           {"GET", `/v1\sites\7`, 404, "there is nothing"},
		"a digit that needs no encoding":    {"GET", "/v1/sites/%37", 400, "path: must not encode 7"},
		"a letter that needs none":          {"GET", "/v1/%73ites/7", 400, "path: must not encode s"},
		"one of a page":                     {"GET", "/%68ealthz", 400, "path: must not encode h"},
		"one of a verb":                     {"GET", "/v1/sites/7:%65xplain", 400, "path: must not encode e"},
		"encoded dots":                      {"GET", "/v1/outages/%2e%2e/sites/7", 400, "path: must not encode ."},
		"a dot that is encoded":             {"GET", "/v1/%2E/sites", 400, "path: must not encode ."},
		"a way up":                          {"GET", "/v1/outages/../sites/7", 400, "path: must not contain . or .."},
		"a way nowhere":                     {"GET", "/v1/./sites/7", 400, "path: must not contain . or .."},
		"a way up at the end":               {"GET", "/v1/sites/..", 400, "path: must not contain . or .."},
		"two slashes":                       {"GET", "/v1//sites", 404, "there is nothing"},
		"two slashes at the beginning":      {"GET", "//v1/sites", 404, "there is nothing"},
		"a slash at the end":                {"GET", "/v1/sites/7/", 404, "there is nothing"},
		"a parameter of a segment":          {"GET", "/v1/sites;x=1", 404, "there is nothing"},
		"one of a value":                    {"GET", "/v1/sites/7;x=1", 400, "site_id: must be a whole number"},
		"an encoded one":                    {"GET", "/v1/sites/7%3Bx", 400, "site_id: must be a whole number"},
		"an encoded question mark":          {"GET", "/v1/sites%3Fpage_size=1", 404, "there is nothing"},
		"an encoded percent sign":           {"GET", "/v1/sites/%2537", 400, "site_id: must be a whole number"},
		"twice encoded, a slash in a value": {"GET", "/wpcom/v2/sites/a%252Fb/jetpack-monitor-status", 200, ""},
		"a colon in a value":                {"GET", "/wpcom/v2/sites/up.example:80/jetpack-monitor-status", 200, ""},
		"an encoded one of a value":         {"GET", "/wpcom/v2/sites/up.example%3A80/jetpack-monitor-status", 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := h.send(c.method, c.path, "")
			if c.status == 200 {
				if a.status != 200 {
					t.Errorf("%d %s", a.status, a.body)
				}
				return
			}
			checkRefusal(t, a, c.status, "", c.message)
		})
	}
	for site, want := range map[string]string{"up.example": "true", "UP%20example": "false", "%C3%BCber.example": "false"} {
		if a := h.get("/wpcom/v2/sites/" + site + "/jetpack-monitor-status"); a.status != 200 || !strings.Contains(a.body, want) {
			t.Errorf("site %s: %d %s", site, a.status, a.body)
		}
	}
}

func TestTimesAndSpansInAQueryAreRefusedByNameOfTheField(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	for _, at := range []string{
		"yesterday", "", "0", "1764493200", "2026-11-30", "2026-11-30T09:15:00", "2026-11-30%2009:15:00Z", "2026-13-01T00:00:00Z",
		"2026-02-30T00:00:00Z", "10000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "2026-11-30T25:00:00Z", "2026-11-30T09:15:00.0000000001Z",
		"2026-11-30T09:15:00%2B25:00", `"2026-11-30T09:15:00Z"`, "null", "%2B", "2026-11-30T09:15:00Z%20",
	} {
		a := h.get("/v1/sites/7:explain?at=" + at)
		checkRefusal(t, a, 400, "at", "at: must be a time")
		for _, word := range []string{"2006", "parsing", "layout", "out of range"} {
			if strings.Contains(a.body, word) {
				t.Errorf("%s: %q is Go's word: %s", at, word, a.body)
			}
		}
	}
	for _, at := range []string{"2026-11-30T09:15:00Z", "2026-11-30T09:15:00.123456789Z", "2026-11-30T09:15:00%2B01:00"} {
		if a := h.get("/v1/sites/7:explain?at=" + at); a.status != 200 {
			t.Errorf("%s: %d %s", at, a.status, a.body)
		}
	}
}
