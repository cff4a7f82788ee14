package sqlstore

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/internal/check"
)

// fill puts sites into a bucket, behind the store's back.
func fill(b testing.TB, s *Store, bucket check.BucketID, sites int) {
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

// scanned are the sites that are scanned. Of a thousand, one has settings of its own,
// one is down, and nine have been.
const (
	scanned   = 1_000_000
	scanSites = "INSERT INTO jetpack_monitor_sites (blog_id, bucket_no, monitor_url, check_interval) VALUES "
)

// BenchmarkScan reads a million sites, bucket by bucket ("bucket") and all at once
// ("table"): by the store; the same rows and columns of the legacy table by a bare scan
// with database/sql; and the same without what database/sql does for each row. They take
// turns, so that all of them have the same noise.
func BenchmarkScan(b *testing.B) {
	for name, fresh := range engines() {
		dsn := fresh(b)
		if _, err := Migrate(b.Context(), dsn); err != nil {
			b.Fatal(err)
		}
		scanFixture(b, open(b, dsn, Options{}))
		for mode, legacyWrites := range map[string]bool{"legacy-status": true, "own-status": false} {
			s := open(b, dsn, Options{LegacyWrites: legacyWrites})
			b.Run(name+"/"+mode+"/bucket", func(b *testing.B) { benchScan(b, s, 1) })
			b.Run(name+"/"+mode+"/table", func(b *testing.B) { benchScan(b, s, check.Buckets) })
		}
	}
}

func scanFixture(b *testing.B, s *Store) {
	b.Helper()
	begin := time.Now()
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	tx, err := s.writer.BeginTx(b.Context(), nil)
	must(err)
	t := txn{ctx: b.Context(), tx: tx}
	var sites, settings, outages, statuses [][]any
	for i := range scanned {
		sites = append(sites, []any{i, i % check.Buckets, fmt.Sprintf("https://site-%d.example.com/blog/", i), 1 + i%7/6*4})
		switch {
		case i%1000 == 7:
			settings = append(settings, []any{i + 1, `{"method":2}`})
		case i%1000 == 13:
			outages = append(outages, []any{i + 1, i + 1, i, i % check.Buckets, "x", 0, 1, 1, 1, 0, 1, "", 0, 0, 0, 0, 0, 0})
			statuses = append(statuses, []any{i + 1, i, i % check.Buckets, 1, 0, 1, 0, 0, 1, 0})
		case i%100 == 14: // over
			outages = append(outages, []any{i + 1, nil, i, i % check.Buckets, "x", 1, 1, 1, 1, 5, 1, "", 0, 0, 0, 0, 0, 0})
			statuses = append(statuses, []any{i + 1, i, i % check.Buckets, 1, 1, 5, 0, 1, 5, 0})
		}
		if len(sites) == maxRows {
			must(t.insertRows(scanSites, sites))
			sites = sites[:0]
		}
	}
	must(t.insertRows(scanSites, sites))
	must(t.insertRows("INSERT INTO jetmon_site_settings (site_id, settings) VALUES ", settings))
	must(t.insertRows(outageInsert, outages))
	must(t.insertRows(statusInsert, statuses))
	must(tx.Commit())
	b.Logf("%d sites are there after %v", scanned, time.Since(begin).Round(time.Second))
}

// span is a range of buckets.
type span struct{ first, last check.BucketID }

func benchScan(b *testing.B, s *Store, buckets check.BucketID) {
	ways := []func(*testing.B, *Store, span) int{oursScan, bareScan, driverScan}
	took, rows := make([]time.Duration, len(ways)), make([]int, len(ways))
	for b.Loop() {
		for first := check.BucketID(0); first < check.Buckets; first += buckets {
			for i := range ways {
				i = (i + int(first)) % len(ways)
				begin := time.Now()
				rows[i] += ways[i](b, s, span{first, first + buckets - 1})
				took[i] += time.Since(begin)
			}
		}
	}
	for i := range ways {
		if rows[i] != b.N*scanned {
			b.Fatalf("%d rows", rows[i])
		}
		b.ReportMetric(float64(rows[i])/took[i].Seconds(), []string{"rows/s", "bare-rows/s", "driver-rows/s"}[i])
	}
	b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "of-bare")
	b.ReportMetric(took[2].Seconds()/took[0].Seconds(), "of-driver")
	b.ReportMetric(0, "ns/op")
}

func oursScan(b *testing.B, s *Store, of span) (n int) {
	if err := s.ScanBuckets(b.Context(), of.first, of.last, func(sites []record.Site) error {
		n += len(sites)
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	return n
}

// bareQuery is what anybody would write.
func bareQuery(of span) string {
	const query = `SELECT jetpack_monitor_site_id, blog_id, bucket_no, monitor_url, monitor_active, site_status,
	last_status_change, check_interval FROM jetpack_monitor_sites WHERE monitor_active = 1 AND `
	if of.first == of.last {
		return query + fmt.Sprint("bucket_no = ", of.first)
	}
	return query + fmt.Sprintf("bucket_no + 0 BETWEEN %d AND %d", of.first, of.last) // the table, not the index
}

func bareScan(b *testing.B, s *Store, of span) (n int) {
	rows, err := s.reader.QueryContext(b.Context(), bareQuery(of))
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
		n++
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return n
}

func driverScan(b *testing.B, s *Store, of span) (n int) {
	if err := s.each(b.Context(), bareQuery(of), nil, func([]driver.Value) error {
		n++
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkSpan looks at a million sites in spans of ten thousand: "same" when nothing was
// edited, "read" when all of it is read.
func BenchmarkSpan(b *testing.B) {
	for name, fresh := range engines() {
		s := open(b, fresh(b), Options{LegacyWrites: true, Migrate: true})
		scanFixture(b, s)
		b.Run(name+"/same", func(b *testing.B) { benchSpan(b, s, true) })
		b.Run(name+"/read", func(b *testing.B) { benchSpan(b, s, false) })
	}
}

func benchSpan(b *testing.B, s *Store, same bool) {
	const rows, spans = 10_000, scanned / 10_000
	unknown := map[shard.ID]store.Digest{}
	for id := range shard.ID(shard.Count) {
		unknown[id] = 0
	}
	look := func(n int, known map[shard.ID]store.Digest) store.SpanRead {
		first := check.SiteID(n*rows + 1)
		read, err := s.ReadSpan(b.Context(), record.Span{First: first, Last: first + rows - 1}, known)
		if err != nil || read.Rows != rows {
			b.Fatal(read.Rows, err)
		}
		return read
	}
	var known [spans]map[shard.ID]store.Digest
	for n := range spans {
		known[n] = unknown
		if same {
			known[n] = look(n, unknown).Digests
		}
	}
	begin, sites := time.Now(), 0
	for b.Loop() {
		for n := range spans {
			sites += len(look(n, known[n]).Sites)
		}
	}
	if (sites == 0) != (same && s.dsn.dialect.digests != "") {
		b.Errorf("%d sites were read", sites)
	}
	b.ReportMetric(float64(b.N)*scanned/time.Since(begin).Seconds(), "rows/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkCommit opens and closes outages with a full ballot, by one caller and by
// one for each of 32 shards.
func BenchmarkCommit(b *testing.B) {
	for name, fresh := range engines() {
		for _, callers := range []int{1, shard.Count} {
			b.Run(fmt.Sprintf("%s/callers=%d", name, callers), func(b *testing.B) { benchCommit(b, fresh(b), callers) })
		}
	}
}

func benchCommit(b *testing.B, dsn string, callers int) {
	s := open(b, dsn, Options{LegacyWrites: true, Migrate: true})
	b.ResetTimer() // the first one starts a server
	var next atomic.Int64
	b.SetParallelism(max(1, callers/2))
	b.RunParallel(func(pb *testing.PB) {
		n := int(next.Add(1)) - 1
		if n >= callers {
			return
		}
		site, lease := benchSite(b, s, n)
		opening, _, closing := steps(site)[0], 0, steps(site)[2]
		opening.Checks = everything().Change.Checks
		opening.Ballot.Votes = append(everything().Ballot.Votes, everything().Ballot.Votes...)
		closing.From = check.StatusDown
		for i := 0; pb.Next(); i++ {
			c := opening
			if i%2 == 1 {
				c = closing
			}
			c.Key = fmt.Sprintf("%d-%d", n, i)
			if _, err := storetest.Commit(b.Context(), s, lease.Fence(), c); err != nil {
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
	lease, err := s.ClaimShard(b.Context(), 0, shard.Owner{Node: "a", TTL: time.Minute}, time.Unix(1e9, 0))
	if err != nil {
		b.Fatal(err)
	}
	groups := 0
	for b.Loop() {
		group := make([]record.Change, size)
		for i, site := range sites {
			c := steps(site)[0]
			if groups%2 == 0 {
				c.Checks = everything().Change.Checks
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

func benchSite(b *testing.B, s *Store, n int) (record.Site, shard.Lease) {
	id := shard.ID(n % shard.Count)
	site, err := s.CreateSite(b.Context(), record.Site{
		BlogID: 1, URL: fmt.Sprintf("https://%d.example.com/", n), Interval: time.Minute,
		Bucket: check.BucketID(int(id) * shard.BucketsPer),
	})
	if err != nil {
		b.Error(err)
	}
	lease, err := s.ClaimShard(b.Context(), id, shard.Owner{Node: "a", TTL: time.Minute}, time.Unix(1e9, 0))
	if err != nil {
		b.Error(err)
	}
	return site, lease
}
