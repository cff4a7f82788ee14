package sqlstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
)

// Wherever the connection of a call breaks, also when its commit was made and its answer lost, the
// second call under the key finds the site, or adds it.
func TestASiteIsAddedOnceWhereverTheConnectionBreaks(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, dsn string) {
		b := &breaker{}
		s, db := open(t, dsn, Options{wrap: b.wrap}), database(t, dsn)
		at, made := time.Now(), 0
		for _, afterwards := range []bool{false, true} {
			lost := 0
			for n, fired := 1, true; fired; n++ {
				made++
				site := record.Site{BlogID: 1, URL: fmt.Sprintf("https://%d.example/", made), Interval: time.Minute, Tags: []string{"a"}}
				key := store.Key{Hash: [32]byte{byte(made)}, At: at}
				b.arm(n, afterwards)
				_, err := s.CreateSiteOnce(t.Context(), key, site)
				if fired = b.disarm(); err != nil && b.brokeCommit.Load() {
					lost++
				}
				row, err := s.CreateSiteOnce(t.Context(), key, site)
				if err != nil {
					t.Fatalf("call %d broke, afterwards %v: %v", n, afterwards, err)
				}
				if sites := db.Int(t, "SELECT COUNT(*) FROM jetpack_monitor_sites"); sites != int64(made) || row.URL != site.URL {
					t.Fatalf("call %d broke, afterwards %v: %d sites, want %d; %+v", n, afterwards, sites, made, row)
				}
				if n > 100 {
					t.Fatal("no call ends without a break")
				}
			}
			if lost == 0 {
				t.Error("no commit was broken")
			}
		}
	})
}
