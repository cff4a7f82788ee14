package sqlstore

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

func TestScannersOfLegacyColumnsAcceptAnyValue(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		src  any
		n    number
		s    text
		when time.Time
	}{
		"NULL":             {nil, 0, "", time.Time{}},
		"an integer":       {int64(7), 7, "7", time.Time{}},
		"an unsigned one":  {uint64(7), 7, "", time.Time{}},
		"a huge one":       {uint64(1) << 63, 0, "", time.Time{}},
		"digits":           {[]byte("-8"), -8, "-8", time.Time{}},
		"more digits":      {"99999999999999999999", 0, "99999999999999999999", time.Time{}},
		"words":            {"seven", 0, "seven", time.Time{}},
		"a float":          {1.5, 0, "", time.Time{}},
		"a time":           {at.In(time.FixedZone("", 3600)), 0, "", at},
		"a time in words":  {[]byte("2026-05-13 12:00:00"), 0, "2026-05-13 12:00:00", at},
		"no time in words": {"0000-00-00 00:00:00", 0, "0000-00-00 00:00:00", time.Time{}},
	} {
		n, s, when := number(99), text("old"), moment{at.AddDate(1, 0, 0)}
		for _, err := range []error{n.Scan(tt.src), s.Scan(tt.src), when.Scan(tt.src)} {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n != tt.n || s != tt.s || when.Time != tt.when {
			t.Errorf("%s: %d, %q, %v; want %d, %q, %v", name, n, s, when, tt.n, tt.s, tt.when)
		}
	}
}

func TestAScanOfManyBucketsReadsPageByPage(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, dsn string) {
		s := open(t, dsn, Options{})
		const sites = 5*scanPage + 1500
		fill(t, s, 300, sites)
		fill(t, s, 2, 500) // beyond what is read
		seen := map[check.SiteID]bool{}
		if err := s.ScanBuckets(t.Context(), 3, 511, func(chunk []record.Site) error {
			for _, site := range chunk {
				if seen[site.ID] || site.Bucket != 300 {
					t.Fatalf("site %d of bucket %d, twice: %t", site.ID, site.Bucket, seen[site.ID])
				}
				seen[site.ID] = true
			}
			return nil
		}); err != nil || len(seen) != sites {
			t.Errorf("%d sites of %d, %v", len(seen), sites, err)
		}
	})
}

func FuzzClip(f *testing.F) {
	f.Add("aü🙂\xff", 3)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(0, min(limit, 1000))
		got := clip(s, limit)
		if len(got) > limit || !utf8.ValidString(got) {
			t.Errorf("clip(%q, %d) = %q", s, limit, got)
		}
		if utf8.ValidString(s) && !strings.HasPrefix(s, got) {
			t.Errorf("clip(%q, %d) = %q", s, limit, got)
		}
	})
}

func TestReadingASiteFromARowDoesNotAllocate(t *testing.T) {
	for _, legacyWrites := range []bool{true, false} {
		s := &Store{legacyWrites: legacyWrites}
		row := siteRow{id: 1, bucket: 7, blog: 2, url: "https://example.com/", active: 1, status: 1, interval: 5, ours: new(ours)}
		var site record.Site
		if n := testing.AllocsPerRun(100, func() { site = s.site(&row) }); n != 0 || site.URL != "https://example.com/" {
			t.Errorf("%v allocations for %+v", n, site)
		}
	}
}
