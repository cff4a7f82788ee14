package sqlstore

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/mariadb"
)

// BenchmarkFilters lists sites of 250,000 by each filter, a page of 100 each, from their beginning
// and from the middle; and a page of 1,000 of all. It reports the median and the 99th percentile.
//
// Of the sites, every 10th has the tag "some" and every third "many", every 500th is down by our
// record and every 700th by the row, and every 100th has changed within the last hours.
func BenchmarkFilters(b *testing.B) {
	s := open(b, mariadb.Start(b), Options{Migrate: true, LegacyWrites: true})
	hostFixture(b, s)
	begin := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	standingFixture(b, s, begin)
	bucket, down, middle := check.BucketID(100), check.StatusDown, check.SiteID(hosted/2)
	for _, one := range []struct {
		name string
		q    store.SiteQuery
	}{
		{"all", store.SiteQuery{Limit: 100}}, {"all 1000", store.SiteQuery{Limit: 1000}}, {"all, falling", store.SiteQuery{Limit: 100, Descending: true}},
		{"host", store.SiteQuery{Limit: 100, At: record.Location{Host: "site-77777.example.com"}}},
		{"host of many", store.SiteQuery{Limit: 100, At: record.Location{Host: "many.example.com"}}},
		{"tag", store.SiteQuery{Limit: 100, Tag: "some"}}, {"tag of many", store.SiteQuery{Limit: 100, Tag: "many"}},
		{"tag and host of many", store.SiteQuery{Limit: 100, Tag: "many", At: record.Location{Host: "many.example.com"}}},
		{"bucket", store.SiteQuery{Limit: 100, Bucket: &bucket}}, {"bucket and tag", store.SiteQuery{Limit: 100, Bucket: &bucket, Tag: "many"}},
		{"blog", store.SiteQuery{Limit: 100, BlogID: 77}},
	} {
		percentiles(b, one.name, func(after check.SiteID) error {
			one.q.After = after
			_, err := s.ListSites(b.Context(), one.q)
			return err
		}, middle)
	}
	for _, one := range []struct {
		name string
		q    store.StandingQuery
	}{
		{"status 0", store.StandingQuery{Limit: 100, Status: &down}},
		{"changed in an hour", store.StandingQuery{Limit: 100, Since: begin.Add(hosted*time.Second - time.Hour)}},
		{"changed ever", store.StandingQuery{Limit: 100, Since: time.UnixMilli(1)}},
	} {
		percentiles(b, one.name, func(after check.SiteID) error {
			one.q.After = after
			page, err := s.FindStanding(b.Context(), one.q)
			if err == nil {
				_, err = s.SitesByID(b.Context(), page.IDs)
			}
			return err
		}, middle)
	}
}

// percentiles measures a page from the beginning and from the middle.
func percentiles(b *testing.B, name string, page func(after check.SiteID) error, middle check.SiteID) {
	b.Run(name, func(b *testing.B) {
		var took []time.Duration
		for b.Loop() {
			began := time.Now()
			if err := page(middle * check.SiteID(len(took)%2)); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
	})
}

// standingFixture tags sites and gives some another status.
func standingFixture(b *testing.B, s *Store, begin time.Time) {
	b.Helper()
	var tags, ours [][]any
	for i := 1; i < hosted; i++ {
		if i%10 == 0 {
			tags = append(tags, []any{i, "some"})
		}
		if i%3 == 0 {
			tags = append(tags, []any{i, "many"})
		}
		if at := begin.Add(time.Duration(i) * time.Second).UnixMilli(); i%500 == 0 {
			ours = append(ours, []any{i, 0, i % check.Buckets, i, 0, at, at, 0, at, 0})
		} else if i%100 == 0 {
			ours = append(ours, []any{i, 0, i % check.Buckets, 0, 1, at, at, 1, at, 0})
		}
	}
	for query, rows := range map[string][][]any{"INSERT INTO jetmon_site_tags (site_id, tag) VALUES ": tags, statusInsert: ours} {
		for part := range slices.Chunk(rows, 10_000) {
			if err := s.write(b.Context(), func(t txn) error { return t.insertRows(query, part) }); err != nil {
				b.Fatal(err)
			}
		}
	}
	var all []shard.ID
	for id := range shard.ID(shard.Count) {
		all = append(all, id)
		if _, err := s.ClaimShard(b.Context(), id, shard.Owner{Node: "a", TTL: time.Minute}, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	for _, q := range []string{
		"UPDATE jetpack_monitor_sites SET last_status_change = NULL",
		"UPDATE jetpack_monitor_sites SET site_status = 0, last_status_change = '2026-05-01 00:00:00' WHERE jetpack_monitor_site_id % 700 = 0",
		"UPDATE jetpack_monitor_sites SET blog_id = jetpack_monitor_site_id DIV 10",
	} {
		if _, err := s.writer.ExecContext(b.Context(), q); err != nil {
			b.Fatal(fmt.Errorf("%s: %w", q, err))
		}
	}
	for _, err := range []error{
		s.IndexHosts(b.Context(), record.Span{First: 1, Last: math.MaxInt64}, all, true), s.HostsIndexed(b.Context(), all, time.Now()),
	} {
		if err != nil {
			b.Fatal(err)
		}
	}
}
