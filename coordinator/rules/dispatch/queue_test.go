package dispatch

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

// newEntries makes an entry for each check, as if they were open.
func newEntries(checks ...Check) []*entry {
	var open openChecks
	entries := make([]*entry, len(checks))
	for i := range checks {
		entries[i] = open.add(&checks[i])
	}
	return entries
}

// drained empties a queue in its order and returns the sites.
func drained(q *queue) []check.SiteID {
	var sites []check.SiteID
	for q.count > 0 {
		var next *entry
		for _, l := range q.lanes {
			if e := l.entries.Front(); e != nil && (next == nil || e.before(next)) {
				next = e
			}
		}
		q.remove(next)
		sites = append(sites, next.check.Site)
	}
	return sites
}

func TestReturnedChecksGoBeforeNewOnesWhomeverTheyAvoid(t *testing.T) {
	t.Parallel()
	q := newQueue()
	for i, e := range newEntries(Check{Site: 1}, Check{Site: 2, Avoid: "a"}, Check{Site: 3}, Check{Site: 4, Avoid: "a"}, Check{Site: 5}) {
		if e.check.Site >= 4 {
			e.giveBack("b")
		}
		q.push(e, time.Duration(i))
		if err := q.audit(); err != nil {
			t.Fatal(err)
		}
	}
	if len(q.lanes) != 4 {
		t.Errorf("there are %d lanes, want one for each pair of nodes", len(q.lanes))
	}
	if got, want := drained(&q), []check.SiteID{4, 5, 1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("the order is %v, want %v", got, want)
	}
	if len(q.lanes) != 1 {
		t.Errorf("%d lanes are left of an empty queue", len(q.lanes))
	}
}

// A queue is a slice to which checks are appended, sorted by whether they were returned.
func TestAQueueIsASlice(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for n := range uint64(100) {
			rng := rand.New(rand.NewPCG(seed, n))
			q := newQueue()
			var want []*entry
			for step := range 200 {
				if len(want) > 0 && rng.IntN(5) < 2 {
					at := rng.IntN(len(want))
					q.remove(want[at])
					want = slices.Delete(want, at, at+1)
				} else {
					e := &entry{serial: 1, check: Check{Site: check.SiteID(step), Avoid: []string{"", "", "a", "b"}[rng.IntN(4)]}}
					if rng.IntN(3) == 0 {
						e.giveBack(strconv.Itoa(rng.IntN(2)))
					}
					q.push(e, time.Duration(step))
					want = append(want, e)
				}
				if err := q.audit(); err != nil || q.count != len(want) {
					t.Fatalf("queue %d, step %d: %v; %d queued, want %d", n, step, err, q.count, len(want))
				}
			}
			var sites []check.SiteID
			for _, returned := range []bool{true, false} {
				for _, e := range want {
					if e.returned == returned {
						sites = append(sites, e.check.Site)
					}
				}
			}
			if got := drained(&q); !slices.Equal(got, sites) {
				t.Fatalf("queue %d: the order is %v, want %v", n, got, sites)
			}
		}
	})
}
