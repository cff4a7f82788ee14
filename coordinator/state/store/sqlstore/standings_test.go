package sqlstore

import (
	"testing"

	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/test/seeds"
)

// When more sites have changed than are sorted, the sites are gone through by id, a few a page.
func TestWalksOverMoreChangesThanAreSorted(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1, 2}, func(t *testing.T, seed uint64) {
		for name, fresh := range schemas() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				storetest.RunWalks(t, seed, func(t testing.TB) storetest.Database {
					dsn := fresh(t)
					db := database(t, dsn)
					db.Open = func(t testing.TB, legacyWrites bool) store.Store {
						return open(t, dsn, Options{LegacyWrites: legacyWrites, mostSorted: 3})
					}
					return db
				})
			})
		}
	})
}
