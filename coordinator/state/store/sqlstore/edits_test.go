package sqlstore

import (
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// Where jetpack_monitor_sites is only read, callers change nothing in it; what is in tables of
// ours stays theirs to edit.
func TestEditsLeaveATableAloneThatIsOnlyRead(t *testing.T) {
	t.Parallel()
	const untaken, taken = 3, 40 // buckets: of a shard that is v1's, and of one that was taken over
	for name, tt := range map[string]struct {
		o     Options
		names string // what a refusal names
		may   map[check.BucketID]bool
	}{
		"edits are switched off":  {Options{NoEdits: true}, "--db-edits", map[check.BucketID]bool{}},
		"off, and status written": {Options{NoEdits: true, LegacyWrites: true}, "--db-edits", map[check.BucketID]bool{}},
		"on trial":                {Options{Trial: true, LegacyWrites: true}, "--trial", map[check.BucketID]bool{taken: true}},
		"off on trial":            {Options{Trial: true, NoEdits: true}, "--db-edits", map[check.BucketID]bool{}},
		"neither":                 {Options{}, "", map[check.BucketID]bool{taken: true, untaken: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, dsn string) {
				free, s := open(t, dsn, Options{}), open(t, dsn, tt.o)
				if err := free.HandOver(t.Context(), taken/16, time.Now()); err != nil {
					t.Fatal(err)
				}
				for _, bucket := range []check.BucketID{untaken, taken} {
					row, err := free.CreateSite(t.Context(), record.Site{BlogID: 5, URL: "http://old.example/", Interval: time.Minute, Bucket: bucket})
					if err != nil {
						t.Fatal(err)
					}
					tryEdits(t, s, row, func(what string, err error) {
						if tt.may[bucket] {
							if err != nil {
								t.Errorf("%s in bucket %d: %v", what, bucket, err)
							}
						} else if !fault.Is(err, fault.Fenced) || !strings.Contains(err.Error(), tt.names) {
							t.Errorf("%s in bucket %d: %v, want a refusal that names %s", what, bucket, err, tt.names)
						}
					})
					_, err = free.Site(t.Context(), row.ID)
					if gone := fault.Is(err, fault.NotFound); gone != tt.may[bucket] {
						t.Errorf("the site of bucket %d is gone: %v", bucket, gone)
					}
					if err := free.DeleteSite(t.Context(), row.ID, time.Now(), nil); err != nil && !fault.Is(err, fault.NotFound) {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

// tryEdits edits a site in every way. Edits of the legacy row are reported; those of our own
// tables must work.
func tryEdits(t *testing.T, s store.Store, row record.Site, report func(what string, err error)) {
	t.Helper()
	update := func(edit func(*record.Site)) (record.Site, error) {
		return s.UpdateSite(t.Context(), row.ID, time.Now(), func(x record.Site) (record.Site, error) { edit(&x); return x, nil })
	}
	after, err := update(func(x *record.Site) { x.Settings.Method = check.MethodGet })
	if err != nil || after.Settings.Method != check.MethodGet {
		t.Errorf("settings cannot be edited: %v", err)
	}
	if after, err = update(func(x *record.Site) { x.Tags = []string{"a"} }); err != nil || len(after.Tags) != 1 {
		t.Errorf("tags cannot be edited: %v", err)
	}
	if _, err = update(func(*record.Site) {}); err != nil {
		t.Errorf("an edit of nothing: %v", err)
	}
	for what, edit := range map[string]func(*record.Site){
		"a pause":              func(x *record.Site) { x.Paused = true },
		"a URL":                func(x *record.Site) { x.URL = "http://new.example/" },
		"a blog":               func(x *record.Site) { x.BlogID = 6 },
		"interval and setting": func(x *record.Site) { x.Interval, x.Settings.Method = time.Hour, check.MethodHead },
	} {
		_, err := update(edit)
		report(what, err)
		if now, readErr := s.Site(t.Context(), row.ID); readErr == nil && err != nil && now.Settings.Method == check.MethodHead {
			t.Errorf("%s was refused, and done in part", what)
		}
	}
	created, err := s.CreateSite(t.Context(), record.Site{BlogID: 9, URL: "http://third.example/", Interval: time.Minute, Bucket: row.Bucket})
	report("a site", err)
	if err == nil {
		report("its end", s.DeleteSite(t.Context(), created.ID, time.Now(), nil))
	}
	report("the end", s.DeleteSite(t.Context(), row.ID, time.Now(), nil))
}

// On trial, an import adds the sites of buckets that were taken over, and refuses the others alone.
func TestAnImportOnTrialRefusesRowsAndNoFile(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, dsn string) {
		const untaken, taken = 3, 40
		free, s := open(t, dsn, Options{}), open(t, dsn, Options{Trial: true, LegacyWrites: true})
		if err := free.HandOver(t.Context(), taken/16, time.Now()); err != nil {
			t.Fatal(err)
		}
		there := record.Site{BlogID: 5, URL: "http://there.example/", Interval: time.Minute, Bucket: untaken}
		if _, err := free.CreateSite(t.Context(), there); err != nil {
			t.Fatal(err)
		}
		site := func(url string, bucket check.BucketID) record.Site {
			return record.Site{BlogID: 5, URL: url, Interval: time.Minute, Bucket: bucket}
		}
		added, err := s.AddSites(t.Context(), []record.Site{
			site("http://a.example/", untaken), site("http://b.example/", taken), there, site("http://a.example/", untaken), site("http://c.example/", taken),
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, wantRefused := range []bool{true, false, false, true, false} {
			a := added[i]
			if refused := fault.Is(a.Err, fault.Fenced); refused != wantRefused || a.Err != nil && !refused || refused == (a.Site.ID != 0) || a.Existed != (i == 2) {
				t.Errorf("site %d: %+v, %v", i, a, a.Err)
			}
		}
		if rows, err := free.ListSites(t.Context(), store.SiteQuery{Limit: 10}); err != nil || len(rows) != 3 {
			t.Errorf("%d sites are there, %v", len(rows), err)
		}
	})
}
