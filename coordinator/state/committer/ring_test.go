package committer

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/Automattic/jetmon/test/seeds"
)

func TestARingIsAQueue(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		var r ring[int]
		var want []int
		for step := range 200_000 {
			// Grows and drains by turns.
			switch growing := step/5000%2 == 0; {
			case random.IntN(3) == 0 == growing && len(want) > 0:
				if r.front() != want[0] || r.popFront() != want[0] {
					t.Fatalf("step %d: not the oldest", step)
				}
				want = want[1:]
			case random.IntN(4) == 0:
				r.pushFront(step)
				want = slices.Insert(want, 0, step)
			default:
				r.pushBack(step)
				want = append(want, step)
			}
			if r.len() != len(want) || len(r.items) > max(leastRing, 4*len(want)+4) {
				t.Fatalf("step %d: %d items in a circle of %d, want %d", step, r.len(), len(r.items), len(want))
			}
		}
	})
}

func TestARingGivesMemoryBackAfterABurst(t *testing.T) {
	t.Parallel()
	var r ring[*int]
	for range 3 {
		for range 100_000 {
			r.pushBack(new(int))
		}
		for range 100_000 {
			r.popFront()
		}
		if n := len(r.items); n > leastRing {
			t.Fatalf("%d places are kept", n)
		}
		for i, p := range r.items {
			if p != nil {
				t.Fatalf("place %d still holds an item", i)
			}
		}
	}
}
