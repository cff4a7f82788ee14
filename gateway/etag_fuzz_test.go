package gateway_test

import (
	"net/http"
	"strings"
	"testing"
)

// Whatever stands in If-Match, an edit is made only if the site's etag stands there in
// quotation marks, or a star alone.
func FuzzIfMatch(f *testing.F) {
	for _, seed := range []string{`"now"`, `"now.x"`, `W/"now"`, `*`, `"*"`, "\"\xce\"", `"old", "now"`, `"now`, ``, `,,"",`, `"a"b"`, `* , *`, "\t\"now\"\t,", `"now" "now"`, `w/"now"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if strings.ContainsFunc(header, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) || strings.TrimSpace(header) == "" {
			t.Skip("net/http does not send it")
		}
		fake := newFake()
		fake.sites[7].Etag = "now"
		h := open(t, fake)
		a := h.send(http.MethodDelete, "/v1/sites/7", "", "If-Match", header)
		switch star := strings.Trim(header, " \t") == "*"; {
		case a.status == 200 && !star && !strings.Contains(header, `"now"`) && !strings.Contains(header, `"now.`):
			t.Errorf("%q deletes the site", header)
		case a.status != 200 && (star || header == `"now"`):
			t.Errorf("%q deletes nothing: %d %s", header, a.status, a.body)
		case a.status != 200 && a.status != 400 && a.status != 412:
			t.Errorf("%q: %d %s", header, a.status, a.body)
		}
		if gone := fake.sites[7] == nil; gone != (a.status == 200) {
			t.Errorf("%q: %d, and the site is gone: %t", header, a.status, gone)
		}
	})
}
