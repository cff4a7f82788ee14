package sqlstore

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
)

// benchSites is the number of sites in the bucket that is scanned: that of ten
// million in all, halved.
const benchSites = 10000

// fill puts sites into a bucket, behind the store's back.
func fill(b *testing.B, s *Store, bucket check.BucketID, sites int) {
	b.Helper()
	const batch = 500
	for first := 0; first < sites; first += batch {
		values := strings.TrimSuffix(strings.Repeat("(?, ?, ?),", batch), ",")
		var args []any
		for i := range batch {
			args = append(args, first+i, bucket, fmt.Sprintf("https://site-%d.example.com/", first+i))
		}
		if _, err := s.writer.ExecContext(b.Context(),
			"INSERT INTO jetpack_monitor_sites (blog_id, bucket_no, monitor_url) VALUES "+values, args...); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScanBucket reads a bucket by ListSites and, for comparison in the same
// loop, the same legacy rows by a bare database/sql scan.
func BenchmarkScanBucket(b *testing.B) {
	for name, fresh := range engines() {
		b.Run(name, func(b *testing.B) {
			s := open(b, fresh(b), Options{LegacyWrites: true, Migrate: true})
			for bucket := range check.BucketID(4) {
				fill(b, s, bucket, benchSites)
			}
			var ours, bare time.Duration
			for b.Loop() {
				begin := time.Now()
				sites, err := s.ListSites(b.Context(), store.SiteQuery{InBucket: true, Bucket: 2, Limit: maxPage})
				if err != nil || len(sites) != benchSites {
					b.Fatalf("%d sites, %v", len(sites), err)
				}
				ours += time.Since(begin)
				begin = time.Now()
				bareScan(b, s)
				bare += time.Since(begin)
			}
			rows := float64(b.N) * benchSites
			b.ReportMetric(rows/ours.Seconds(), "rows/s")
			b.ReportMetric(rows/bare.Seconds(), "bare-rows/s")
			b.ReportMetric(ours.Seconds()/bare.Seconds(), "x-bare-time")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func bareScan(b *testing.B, s *Store) {
	rows, err := s.reader.QueryContext(b.Context(), `SELECT jetpack_monitor_site_id, blog_id, bucket_no, monitor_url,
	monitor_active, site_status, last_status_change, check_interval FROM jetpack_monitor_sites WHERE bucket_no = ?`, 2)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, blog, bucket, active, status, interval int64
		var url string
		var changed time.Time
		if err := rows.Scan(&id, &blog, &bucket, &url, &active, &status, &changed, &interval); err != nil {
			b.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCommit opens and closes outages with a full ballot, by one caller and by
// one for each of 32 shards.
func BenchmarkCommit(b *testing.B) {
	for name, fresh := range engines() {
		for _, callers := range []int{1, store.Shards} {
			b.Run(fmt.Sprintf("%s/callers=%d", name, callers), func(b *testing.B) { benchCommit(b, fresh(b), callers) })
		}
	}
}

func benchCommit(b *testing.B, dsn string, callers int) {
	s := open(b, dsn, Options{LegacyWrites: true, Migrate: true})
	var next atomic.Int64
	b.SetParallelism(max(1, callers/2))
	b.RunParallel(func(pb *testing.PB) {
		n := int(next.Add(1)) - 1
		if n >= callers {
			return
		}
		site, lease := benchSite(b, s, n)
		opening, _, closing := steps(site)[0], 0, steps(site)[2]
		opening.Checks = everything().Notice.Checks
		opening.Ballot.Votes = append(everything().Ballot.Votes, everything().Ballot.Votes...)
		closing.From = check.StatusDown
		for i := 0; pb.Next(); i++ {
			c := opening
			if i%2 == 1 {
				c = closing
			}
			c.Key = fmt.Sprintf("%d-%d", n, i)
			if _, err := s.Commit(b.Context(), lease.Fence(), c); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// BenchmarkCommitAll opens and closes outages with full ballots by one caller, in
// groups.
func BenchmarkCommitAll(b *testing.B) {
	for name, fresh := range engines() {
		for _, size := range []int{1, 10, 100, 200} {
			b.Run(fmt.Sprintf("%s/changes=%d", name, size), func(b *testing.B) { benchGroups(b, fresh(b), size) })
		}
	}
}

func benchGroups(b *testing.B, dsn string, size int) {
	s := open(b, dsn, Options{LegacyWrites: true, Migrate: true})
	fill(b, s, 0, 500)
	sites, err := s.ListSites(b.Context(), store.SiteQuery{Limit: size})
	if err != nil {
		b.Fatal(err)
	}
	lease, err := s.ClaimShard(b.Context(), 0, store.Owner{Node: "a", TTL: time.Minute}, time.Unix(1e9, 0))
	if err != nil {
		b.Fatal(err)
	}
	groups := 0
	for b.Loop() {
		group := make([]store.Change, size)
		for i, site := range sites {
			c := steps(site)[0]
			if groups%2 == 0 {
				c.Checks = everything().Notice.Checks
				c.Ballot.Votes = append(everything().Ballot.Votes, everything().Ballot.Votes...)
			} else {
				c = steps(site)[2]
				c.From = check.StatusDown
			}
			c.At = c.At.Add(time.Duration(i) * 20 * time.Millisecond) // a group of 200 spans four seconds
			c.Key = fmt.Sprintf("%d-%d", groups, i)
			group[i] = c
		}
		results, err := s.CommitAll(b.Context(), lease.Fence(), group)
		if err != nil || slices.ContainsFunc(results, func(r store.CommitResult) bool { return r.Err != nil }) {
			b.Fatalf("%+v, %v", results, err)
		}
		groups++
	}
	b.ReportMetric(float64(groups*size)/b.Elapsed().Seconds(), "changes/s")
}

func benchSite(b *testing.B, s *Store, n int) (store.Site, store.Lease) {
	shard := store.ShardID(n % store.Shards)
	site, err := s.CreateSite(b.Context(), store.Site{
		BlogID: 1, URL: fmt.Sprintf("https://%d.example.com/", n), Interval: time.Minute,
		Bucket: check.BucketID(int(shard) * store.BucketsPerShard),
	})
	if err != nil {
		b.Error(err)
	}
	lease, err := s.ClaimShard(b.Context(), shard, store.Owner{Node: "a", TTL: time.Minute}, time.Unix(1e9, 0))
	if err != nil {
		b.Error(err)
	}
	return site, lease
}
