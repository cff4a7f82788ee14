package roster

import (
	"math/rand/v2"
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

// The index against a map, over random additions and removals of ids that lie close
// together, far apart, and where hashes like to meet.
func TestTheIndexIsAMap(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for story := range 200 {
			rng := rand.New(rand.NewPCG(seed, uint64(story)))
			var ids []check.SiteID // of each slot
			x := index{id: func(s schedule.Slot) check.SiteID { return ids[s] }}
			model := map[check.SiteID]schedule.Slot{}
			step, most := check.SiteID(1)<<rng.IntN(60), 1+rng.IntN(3000)
			some := func() check.SiteID { return max(1, step*check.SiteID(rng.IntN(most))+check.SiteID(rng.IntN(2))) }
			shrink := rng.IntN(2)
			for range 4000 {
				id := some()
				slot, known := x.get(id)
				want, is := model[id]
				switch {
				case known != is || known && slot != want:
					t.Fatalf("story %d: site %d has slot %d, %t; want %d, %t", story, id, slot, known, want, is)
				case !known:
					slot = schedule.Slot(len(ids))
					x.put(id, slot)
					ids, model[id] = append(ids, id), slot
				case rng.IntN(3) > shrink:
					x.remove(id)
					delete(model, id)
					ids[slot] = 0
				}
				x.glance(id)
				if x.count != len(model) {
					t.Fatalf("story %d: %d sites, want %d", story, x.count, len(model))
				}
			}
			for id, want := range model {
				if slot, ok := x.get(id); !ok || slot != want {
					t.Fatalf("story %d: site %d has slot %d, %t; want %d", story, id, slot, ok, want)
				}
			}
		}
	})
}
