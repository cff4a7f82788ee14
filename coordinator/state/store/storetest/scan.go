package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func scanTests() []test {
	return []test{
		{"a scan reads the same sites as pages", scanAsPages},
		{"a scan hands over a large bucket in chunks by rising id", scanChunks},
		{"a scan of many buckets reads the same sites as a scan of each", scanMany},
		{"a scan of a large table reads each site once, and stops on request", scanLarge},
		{"a scan ends with the error of its caller", scanEnds},
		{"a scan under commits shows each site as it was at some moment", func(t *testing.T, db Database) { raceScan(t, db, true) }},
		{"a scan under commits without legacy writes does so too", func(t *testing.T, db Database) { raceScan(t, db, false) }},
	}
}

// scan reads a bucket whole.
func scan(t testing.TB, s store.Store, bucket check.BucketID) (all []record.Site) {
	t.Helper()
	must(t, s.ScanBuckets(t.Context(), bucket, bucket, func(chunk []record.Site) error {
		all = append(all, chunk...)
		clear(chunk) // it is ours during the call
		return nil
	}))
	return all
}

// sitesIn reads the active and paused sites of a bucket by their ids.
func sitesIn(t testing.TB, s store.Store, bucket check.BucketID) []record.Site {
	t.Helper()
	all := get[[]record.Site](t)(s.ListSites(t.Context(), store.SiteQuery{Limit: 10000}))
	return slices.DeleteFunc(all, func(site record.Site) bool { return site.Bucket != bucket })
}

func wantScanned(t testing.TB, s store.Store, bucket check.BucketID) []record.Site {
	t.Helper()
	want := slices.DeleteFunc(sitesIn(t, s, bucket), func(site record.Site) bool { return site.Paused })
	wantEqual(t, scan(t, s, bucket), want)
	return want
}

func scanAsPages(t *testing.T, db Database) {
	for _, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		p := fmt.Sprint(legacyWrites)
		for i := range 12 {
			site := aSite(fmt.Sprintf("https://%s-%d.example/Ü", p, i))
			site.Interval = time.Duration(13-i) * time.Minute // which is how an index has them
			if i%3 == 1 {
				site.Settings = check.Settings{RequiredTexts: []string{p + "'\"🙂"}}
			}
			site.Paused = i == 5
			site = create(t, s, site)
			if i%4 == 2 {
				get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, fmt.Sprint(p, "-open-", i))))
			}
			if i%4 == 3 {
				get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, fmt.Sprint(p, "-was-", i))))
				get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, fmt.Sprint(p, "-over-", i))))
			}
		}
		const insert = `INSERT INTO jetpack_monitor_sites
	(blog_id, bucket_no, monitor_url, monitor_active, site_status, last_status_change, check_interval) VALUES (?, 7, ?, ?, ?, ?, ?)`
		for _, status := range []int{0, 1, 2, 7} { // of somebody else
			db.Exec(t, insert, 1, "no-scheme.example.com", 1, status, nil, 0)
			db.Exec(t, insert, 0, "", 1, status, "2026-05-13 12:00:00", 255)
			db.Exec(t, insert, 0, "paused", 0, status, "2026-05-13 12:00:00", 1)
		}
		db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = 1 WHERE monitor_url LIKE '%-6.example%'") // reset behind our back
		if got := len(wantScanned(t, s, 7)); got < 19 {
			t.Errorf("%d sites", got)
		}
		wantEqual(t, scan(t, s, 8), []record.Site(nil))
	}
}

func scanChunks(t *testing.T, db Database) {
	s := db.Open(t, true)
	someSites(t, db, s, 7, 1300)
	someSites(t, db, s, 8, 3)
	db.Exec(t, "UPDATE jetpack_monitor_sites SET check_interval = 1 + jetpack_monitor_site_id % 5")
	sizes := 0
	must(t, s.ScanBuckets(t.Context(), 7, 7, func(chunk []record.Site) error {
		if len(chunk) == 0 || len(chunk) > 1000 {
			t.Errorf("a chunk of %d", len(chunk))
		}
		sizes++
		return nil
	}))
	if sizes < 2 {
		t.Errorf("%d chunks", sizes)
	}
	wantScanned(t, s, 7)
	wantScanned(t, s, 8)
}

func scanMany(t *testing.T, db Database) {
	s := db.Open(t, true)
	for bucket := check.BucketID(5); bucket < check.Buckets; bucket += 37 {
		fence := own(t, s, "a", bucket)
		sites := someSites(t, db, s, bucket, 6)
		edit := sites[0]
		edit.Settings.Method = check.MethodGet
		must(t, rewrite(t.Context(), s, edit))
		edit = sites[1]
		edit.Paused = true
		must(t, rewrite(t.Context(), s, edit))
		for i, site := range sites[2:4] {
			key := fmt.Sprintf("%d-%d", bucket, i)
			get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, key)))
			if i == 0 {
				get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, key+"-over")))
			}
		}
		db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = 2 WHERE jetpack_monitor_site_id = ?", sites[4].ID)
	}
	for _, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		for _, span := range [][2]check.BucketID{{0, 511}, {100, 300}, {5, 5}, {30, 50}} {
			want, got := map[check.SiteID]record.Site{}, map[check.SiteID]record.Site{}
			for bucket := span[0]; bucket <= span[1]; bucket++ {
				for _, site := range scan(t, s, bucket) {
					want[site.ID] = site
				}
			}
			must(t, s.ScanBuckets(t.Context(), span[0], span[1], func(chunk []record.Site) error {
				for _, site := range chunk {
					if _, twice := got[site.ID]; twice {
						t.Errorf("site %d twice", site.ID)
					}
					got[site.ID] = site
				}
				return nil
			}))
			wantEqual(t, got, want)
			if len(want) == 0 {
				t.Errorf("no site in buckets %d to %d", span[0], span[1])
			}
		}
	}
	for _, span := range [][2]check.BucketID{{6, 5}, {0, 512}} {
		wantKind(t, s.ScanBuckets(t.Context(), span[0], span[1], nil), fault.Invalid)
	}
}

// scanLarge scans more than fits into a few pages of any size that makes sense.
func scanLarge(t *testing.T, db Database) {
	s := db.Open(t, true)
	const sites = 70_000
	for first := 0; first < sites; first += 5000 {
		var values strings.Builder
		for i := first; i < first+5000; i++ {
			fmt.Fprintf(&values, ", (%d, %d, '%s')", i, i%check.Buckets, url(i))
		}
		db.Exec(t, "INSERT INTO jetpack_monitor_sites (blog_id, bucket_no, monitor_url) VALUES "+values.String()[2:])
	}
	got, seen := 0, make([]bool, sites)
	must(t, s.ScanBuckets(t.Context(), 0, check.Buckets-1, func(chunk []record.Site) error {
		for _, site := range chunk {
			i := int(site.BlogID)
			if seen[i] || site.URL != url(i) || int(site.Bucket) != i%check.Buckets {
				t.Fatalf("%+v, seen before: %t", site, seen[i])
			}
			seen[i] = true
		}
		got += len(chunk)
		clear(chunk)
		return nil
	}))
	if got != sites {
		t.Errorf("%d sites of %d", got, sites)
	}
	stop := errors.New("enough")
	for _, after := range []int{1, 30_000} {
		got = 0
		err := s.ScanBuckets(t.Context(), 0, check.Buckets-1, func(chunk []record.Site) error {
			if got += len(chunk); got >= after {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) || got > after+1000 {
			t.Errorf("after %d sites: error %v", got, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		got = 0
		wantKind(t, s.ScanBuckets(ctx, 0, check.Buckets-1, func(chunk []record.Site) error {
			if got += len(chunk); got >= after {
				cancel()
			}
			return nil
		}), fault.Unavailable)
		if cancel(); got == sites {
			t.Error("all were read after the end of the context")
		}
	}
}

func scanEnds(t *testing.T, db Database) {
	s := db.Open(t, true)
	someSites(t, db, s, 7, 1100)
	stop := errors.New("enough")
	calls := 0
	err := s.ScanBuckets(t.Context(), 7, 7, func([]record.Site) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%d calls, error %v", calls, err)
	}
	err = s.ScanBuckets(t.Context(), 0, 511, func([]record.Site) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 2 {
		t.Errorf("%d calls, error %v", calls, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantKind(t, s.ScanBuckets(ctx, 7, 7, func([]record.Site) error { t.Error("called"); return nil }), fault.Unavailable)
}

// raceScan scans while sites go down and up.
func raceScan(t *testing.T, db Database, legacyWrites bool) {
	s := db.Open(t, legacyWrites)
	fence := own(t, s, "a", 7)
	sites := someSites(t, db, s, 7, 40)
	done := make(chan struct{})
	var owner sync.WaitGroup
	owner.Go(func() {
		defer close(done)
		for round := range 30 {
			var group []record.Change
			for i, site := range sites {
				c := opening(site, "")
				if round%2 == 1 {
					c = closing(site, check.StatusDown, "")
				}
				c.Key = fmt.Sprintf("%d-%d", round, i)
				group = append(group, c)
			}
			results, err := s.CommitAll(t.Context(), fence, group)
			if err != nil {
				t.Errorf("commit: %v", err)
				return
			}
			for _, r := range results {
				if r.Err != nil {
					t.Errorf("commit: %v", r.Err)
				}
			}
		}
	})
	defer owner.Wait() // also when the test ends early
	other := db.Open(t, legacyWrites)
	for scans, over := 0, false; !over; scans++ {
		select {
		case <-done:
			over = true
		default:
		}
		read := scan(t, other, 7)
		if len(read) != len(sites) {
			t.Fatalf("%d sites of %d", len(read), len(sites))
		}
		for _, site := range read {
			if (site.Status == check.StatusRunning) != (site.OutageID == 0) {
				t.Fatalf("scan %d: site %d has status %d and outage %d", scans, site.ID, site.Status, site.OutageID)
			}
		}
	}
	wantScanned(t, s, 7)
}
