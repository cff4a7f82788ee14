package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/test/mariadb"
)

// Under READ COMMITTED a call sees what another commits meanwhile: it must not look for the key, be
// overtaken by a call with the same key, and then take the site of that one for somebody else's.
func TestACallThatIsOvertakenUnderItsKeyFindsTheSite(t *testing.T) {
	t.Parallel()
	plain := mariadb.Start(t)
	site := record.Site{BlogID: 1, URL: "https://example.com/", Interval: time.Minute}
	key := store.Key{Hash: [32]byte{1}, At: time.Now()}
	for _, before := range []string{"SELECT uses FROM jetmon_site_locks", "SELECT request_hash", "SELECT jetpack_monitor_site_id, monitor_url"} {
		site.BlogID++
		key.Hash[0]++
		other := open(t, plain, Options{Migrate: true})
		var once sync.Once
		var first record.Site
		var failed error
		overtaken := open(t, asTiDB(t, plain, func(query string) {
			if strings.HasPrefix(query, before) {
				once.Do(func() {
					// One that waits for the overtaken call's lock comes too late to overtake it.
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					defer cancel()
					first, failed = other.CreateSiteOnce(ctx, key, site)
				})
			}
		}), Options{})
		second, err := overtaken.CreateSiteOnce(t.Context(), key, site)
		once.Do(func() { t.Errorf("never overtaken before %q", before) })
		if err != nil {
			t.Errorf("overtaken before %q: %v", before, err)
		}
		if failed == nil && first.ID != second.ID {
			t.Errorf("overtaken before %q: the sites are %d and %d", before, first.ID, second.ID)
		}
		if failed != nil && before == "SELECT uses FROM jetmon_site_locks" {
			t.Errorf("the call that overtakes: %v", failed)
		}
	}
}

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
