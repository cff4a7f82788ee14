package api

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// The etag of a site without tags is the one that earlier versions gave it: a checksum of this
// JSON. Coordinators of both versions may answer at once.
func TestAnETagIsOfTheJSONOfEarlierVersions(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "http://a.example/", "http://a.example/?a=1&b=<x>", `http://a.example/"\'`, "http://m\u00fcller.example/\x7f\x00\u2028", "\xff"} {
		for _, settings := range []check.Settings{{}, {Headers: []check.Header{}}, {Method: check.MethodGet, RequiredTexts: []string{"<&>"}}} {
			row := record.Site{ID: 7, BlogID: 1 << 60, URL: url, Interval: 5 * time.Minute, Paused: url == "", Settings: settings}
			for i, tags := range [][]string{nil, {"a", "b"}, nil} {
				row.Tags, row.PublicBadges = tags, i == 2
				all := []any{row.ID, row.BlogID, row.URL, row.Interval, row.Paused, row.Settings}
				if tags != nil {
					all = append(all, tags)
				}
				if row.PublicBadges {
					all = append(all, "badges")
				}
				want, err := json.Marshal(all)
				if got := editableText(row); err != nil || string(got) != string(want) {
					t.Errorf("%s, want %s, %v", got, want, err)
				}
			}
		}
	}
}
