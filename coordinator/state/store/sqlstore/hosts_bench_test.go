package sqlstore

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// hosted are the sites among which one is looked for: of 50 each has a host of its own but one,
// which is on a host of many.
const hosted = 250_000

// BenchmarkHosts looks for sites by host, by the index and by a search of the table as before
// there was one, which each coordinator does until it has indexed its shards. It reports what
// indexing costs: at first, and when nothing has changed.
func BenchmarkHosts(b *testing.B) {
	for name, fresh := range engines() {
		dsn := fresh(b)
		if _, err := Migrate(b.Context(), dsn); err != nil {
			b.Fatal(err)
		}
		s := open(b, dsn, Options{})
		hostFixture(b, s)
		look := func(how string) {
			for _, host := range []string{"site-77777.example.com", "a", "example.org", "many.example.com"} {
				b.Run(name+"/"+how+"/"+host, func(b *testing.B) {
					q := store.SiteQuery{At: record.Location{Host: host}, Limit: 1000}
					for b.Loop() {
						if _, err := s.ListSites(b.Context(), q); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
		look("searched")
		var all []shard.ID
		for id := range shard.ID(shard.Count) {
			all = append(all, id)
			if _, err := s.ClaimShard(b.Context(), id, shard.Owner{Node: "a", TTL: time.Minute}, time.Now()); err != nil {
				b.Fatal(err)
			}
		}
		for _, how := range []string{"fill", "unchanged"} {
			begin := time.Now()
			if err := s.IndexHosts(b.Context(), record.Span{First: 1, Last: math.MaxInt64}, all, true); err != nil {
				b.Fatal(err)
			}
			b.Logf("%s, %s: %.2f us a site", name, how, float64(time.Since(begin).Microseconds())/hosted)
		}
		if err := s.HostsIndexed(b.Context(), all, time.Now()); err != nil {
			b.Fatal(err)
		}
		look("indexed")
	}
}

func hostFixture(b *testing.B, s *Store) {
	b.Helper()
	var rows [][]any
	err := s.write(b.Context(), func(t txn) error {
		for i := range hosted {
			host := fmt.Sprintf("site-%d.example.com", i)
			if i%50 == 0 {
				host = "many.example.com"
			}
			rows = append(rows, []any{i, i % check.Buckets, fmt.Sprintf("https://%s/blog/%d/", host, i), 5})
			if len(rows) == maxRows {
				if err := t.insertRows(scanSites, rows); err != nil {
					return err
				}
				rows = rows[:0]
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
