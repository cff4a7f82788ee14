package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// BenchmarkLoad measures what a row costs when a million of them are put for the first time,
// by rising id, as they are read from a table whose neighbours are in different buckets.
func BenchmarkLoad(b *testing.B) {
	const n = 1_000_000
	now := time.Unix(1_700_000_000, 0)
	chunks := make([][]record.Site, n/500)
	for i := range n {
		chunks[i/500] = append(chunks[i/500], record.Site{
			ID: check.SiteID(i + 1), BlogID: check.BlogID(i + 1), Bucket: check.BucketID((i + 1) % check.Buckets), Interval: 5 * time.Minute,
			URL: fmt.Sprintf("https://www.a-web-site-%08d.example/", i+1), Status: check.StatusRunning, StatusSince: now.Add(-time.Hour),
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		e := bare(now)
		all := make([]check.BucketID, check.Buckets)
		for i := range all {
			all[i] = check.BucketID(i)
		}
		r := e.Read(now, all...)
		for _, rows := range chunks {
			r.Put(rows)
		}
		r.Done()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
}
