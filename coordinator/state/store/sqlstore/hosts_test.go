package sqlstore

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// While two callers search the table, a third waits its turn; who needs no search does not.
func TestFewSearchTheTableAtOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, dsn string) {
		s := open(t, dsn, Options{})
		site, err := s.CreateSite(t.Context(), record.Site{URL: "http://a.example/", Interval: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		for range maxScans {
			if err := s.scans.take(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		q := store.SiteQuery{At: record.Location{Host: "a.example"}, Limit: 10}
		look := func() ([]record.Site, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			return s.ListSites(ctx, q)
		}
		if found, err := look(); !fault.Is(err, fault.Exhausted) {
			t.Errorf("a third search: %v, %v", found, err)
		}
		if found, err := s.ListSites(t.Context(), store.SiteQuery{Limit: 10}); err != nil || len(found) != 1 {
			t.Errorf("a list of all sites: %v, %v", found, err)
		}
		s.scans.free()
		if found, err := s.ListSites(t.Context(), q); err != nil || len(found) != 1 || found[0].ID != site.ID {
			t.Errorf("a search when one has ended: %v, %v", found, err)
		}
		if err := s.scans.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		var all []shard.ID
		for id := range shard.ID(shard.Count) {
			all = append(all, id)
			if _, err := s.ClaimShard(t.Context(), id, shard.Owner{Node: "a", TTL: time.Minute}, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.IndexHosts(t.Context(), record.Span{First: 1, Last: math.MaxInt64}, all, false); err != nil {
			t.Fatal(err)
		}
		if err := s.HostsIndexed(t.Context(), all, time.Now()); err != nil {
			t.Fatal(err)
		}
		if found, err := s.ListSites(t.Context(), q); err != nil || len(found) != 1 {
			t.Errorf("by the index: %v, %v", found, err)
		}
	})
}

// A URL of any length, and any text, has an entry, and is not written again.
func TestOddURLsAreIndexedOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, dsn string) {
		s := open(t, dsn, Options{})
		long := "http://long.example/"
		for len([]rune(long)) < 300 {
			long += "ü"
		}
		for i, url := range []string{long, "", " ", "http://spaces.example/  ", "%00'\"\\", "🙂"} {
			if _, err := s.writer.ExecContext(t.Context(), "INSERT INTO jetpack_monitor_sites (blog_id, bucket_no, monitor_url) VALUES (?, 1, ?)", i, url); err != nil {
				t.Fatal(err)
			}
		}
		whole, shards := record.Span{First: 1, Last: math.MaxInt64}, []shard.ID{shard.Of(check.BucketID(1))}
		for _, want := range []int{6, 0} {
			if missing, err := s.misplaced(t.Context(), whole, shards); err != nil || len(missing) != want {
				t.Errorf("%d are to be written, %v, want %d: %v", len(missing), err, want, missing)
			}
			if err := s.IndexHosts(t.Context(), whole, shards, false); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Between reading which rows have no entry and writing those, others write some: what they wrote
// stays, and the rest is written.
func TestIndexingLeavesAloneWhatAnotherWroteFirst(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, dsn string) {
		s, other := open(t, dsn, Options{}), open(t, dsn, Options{})
		whole, shards := record.Span{First: 1, Last: math.MaxInt64}, []shard.ID{0}
		var ids []check.SiteID
		for i := range 4 {
			site, err := s.CreateSite(t.Context(), record.Site{BlogID: check.BlogID(i), URL: "http://old.example/", Interval: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, site.ID)
		}
		for _, query := range []string{
			"DELETE FROM jetmon_site_hosts WHERE site_id < ?", // as before the first walk, but for one
			"UPDATE jetpack_monitor_sites SET monitor_url = 'http://theirs.example/' WHERE jetpack_monitor_site_id <= ?",
		} {
			if _, err := s.writer.ExecContext(t.Context(), query, ids[3]); err != nil {
				t.Fatal(err)
			}
		}
		places, err := s.misplaced(t.Context(), whole, shards)
		if err != nil || len(places) != 4 {
			t.Fatalf("%d are to be written, %v", len(places), err)
		}
		for _, id := range []check.SiteID{ids[1], ids[3]} {
			if _, err := other.UpdateSite(t.Context(), id, time.Now(), func(x record.Site) (record.Site, error) {
				x.URL = "http://ours.example/"
				return x, nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.index(t.Context(), places); err != nil {
			t.Fatal(err)
		}
		var urls []string
		for _, id := range ids {
			var url string
			if err := s.reader.QueryRowContext(t.Context(), "SELECT url FROM jetmon_site_hosts WHERE site_id = ?", id).Scan(&url); err != nil {
				t.Fatal(err)
			}
			urls = append(urls, url)
		}
		theirs, ours := "http://theirs.example/", "http://ours.example/"
		if !slices.Equal(urls, []string{theirs, ours, theirs, ours}) {
			t.Errorf("the entries are of %v", urls)
		}
		if left, err := s.misplaced(t.Context(), whole, shards); err != nil || len(left) != 0 {
			t.Errorf("%d are to be written then, %v: %v", len(left), err, left)
		}
	})
}

// However few sites are wanted, a search reads many at once while none fits.
func TestASearchForWhatAHostHasNotTakesFewQueries(t *testing.T) {
	t.Parallel()
	const all = 20_000
	queries := 0
	page := func(q store.SiteQuery) (page []record.Site, _ error) {
		queries++
		for id := q.After + 1; id <= all && len(page) < q.Limit; id++ {
			url := "https://big.example/"
			if id == all-5 {
				url = "https://big.example:8443/"
			}
			page = append(page, record.Site{ID: id, URL: url})
		}
		return page, nil
	}
	for _, limit := range []int{2, 101, 1001, maxPage} {
		queries = 0
		q := store.SiteQuery{At: record.Location{Host: "big.example", Port: 8443}, Limit: limit}
		found, err := fitting(q, page)
		if err != nil || len(found) != 1 || found[0].ID != all-5 {
			t.Errorf("%d wanted: %v, %v", limit, found, err)
		}
		if queries > 20 {
			t.Errorf("%d wanted: %d queries", limit, queries)
		}
		q.At.Port = 443
		if found, err := fitting(q, page); err != nil || len(found) != limit || found[limit-1].ID != check.SiteID(limit) {
			t.Errorf("%d wanted of all: %d, %v", limit, len(found), err)
		}
	}
}
