package dispatch_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/test/seeds"
)

// A table holds what a map holds, after any puts and removals, with keys that lie close
// together and keys that do not.
func TestTableIsAMap(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for n := range uint64(60) {
			rng := rand.New(rand.NewPCG(seed, n))
			var table dispatch.Table
			want := map[uint64]*int{}
			keys := make([]uint64, 1+rng.IntN(200))
			for i := range keys {
				keys[i] = rng.Uint64() >> (rng.UintN(64))
			}
			for range 3000 {
				key := keys[rng.IntN(len(keys))]
				switch v := table.Get(key); {
				case v != want[key]:
					t.Fatalf("table %d: key %d has %v, want %v", n, key, v, want[key])
				case v == nil:
					want[key] = new(int)
					table.Put(key, want[key])
				default:
					delete(want, key)
					table.Remove(key)
				}
				if count, cells := table.Count(); count != len(want) || cells > 4*len(keys)+16 {
					t.Fatalf("table %d: %d values in %d cells, want %d", n, count, cells, len(want))
				}
			}
			if !maps.Equal(table.All(), want) {
				t.Fatalf("table %d has the keys %v, want %v", n, slices.Sorted(maps.Keys(table.All())), slices.Sorted(maps.Keys(want)))
			}
		}
	})
}
