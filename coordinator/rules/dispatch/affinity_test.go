package dispatch_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

// fleet is a Core with nodes that have ever the credit they may have.
type fleet struct {
	*desk
	nodes map[dispatch.SessionID]string
	sizes map[string]int
}

func newFleet(t *testing.T, sizes ...int) *fleet {
	t.Helper()
	random := uint64(0)
	config := dispatch.Config{SlowStart: -1, MaxQueue: 1 << 20, Random: func() uint64 { random++; return random }}
	f := &fleet{
		desk:  &desk{Core: dispatch.New(config), t: t, now: at(0)},
		nodes: map[dispatch.SessionID]string{}, sizes: map[string]int{},
	}
	for i, size := range sizes {
		f.add(fmt.Sprintf("node-%d", i), size)
	}
	return f
}

func (f *fleet) add(node string, size int) {
	f.nodes[f.joinWith(node, size)], f.sizes[node] = node, size
}

// round checks the sites from 1 to n, and says where each went.
func (f *fleet) round(n int) map[check.SiteID]string {
	f.t.Helper()
	f.wait(60)
	f.sites(1, n)
	where := map[check.SiteID]string{}
	for _, b := range f.Assign(f.now) {
		for _, s := range sitesOf(b) {
			where[s] = f.nodes[b.Session]
		}
		if _, err := f.checkIn(b.Session, b.Ref, sitesOf(b)...); err != nil {
			f.t.Fatal(err)
		}
		if err := f.Grant(b.Session, len(b.Checks)); err != nil {
			f.t.Fatal(err)
		}
	}
	if len(where) != n {
		f.t.Fatalf("%d of %d sites were checked", len(where), n)
	}
	return where
}

// moved counts the sites that went elsewhere.
func moved(from, to map[check.SiteID]string) int {
	n := 0
	for s, node := range from {
		if to[s] != node {
			n++
		}
	}
	return n
}

func TestSitesStayWithTheirNodes(t *testing.T) {
	t.Parallel()
	const sites = 20_000
	for name, sizes := range map[string][]int{
		"nodes of one size":    {50_000, 50_000, 50_000, 50_000, 50_000, 50_000, 50_000, 50_000, 50_000, 50_000},
		"nodes of three sizes": {100_000, 100_000, 100_000, 50_000, 50_000, 50_000, 50_000, 50_000, 25_000, 25_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, sizes...)
			first := f.round(sites)
			if n := moved(first, f.round(sites)); n != 0 {
				t.Errorf("%d of %d sites moved though no node did", n, sites)
			}
			all, count := 0, map[string]int{}
			for _, size := range f.sizes {
				all += size
			}
			for _, node := range first {
				count[node]++
			}
			for node, size := range f.sizes {
				share := sites * float64(size) / float64(all)
				if math.Abs(float64(count[node])-share) > 0.15*share {
					t.Errorf("%s has %d sites, want about %.0f", node, count[node], share)
				}
			}
			// When a node leaves only its sites move; when it comes back, so do they.
			for id, node := range f.nodes {
				if node != "node-4" {
					continue
				}
				f.Leave(f.now, id)
				without := f.round(sites)
				if n := moved(first, without); n != count[node] {
					t.Errorf("%d sites moved, want the %d of the node that left", n, count[node])
				}
				f.add(node, f.sizes[node])
				if n := moved(first, f.round(sites)); n != 0 {
					t.Errorf("%d sites did not come back", n)
				}
				break
			}
		})
	}
}

// However the sites hash, whatever is granted and of what sizes the nodes are: nobody has
// more than its bound while another that is under its own has credit, and nothing waits
// while anybody has.
func TestLoadIsBounded(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for n := range uint64(100) {
			rng := rand.New(rand.NewPCG(seed, n))
			f := newFleet(t)
			all := 0
			for i := range 1 + rng.IntN(20) {
				size := 1 + rng.IntN(1+rng.IntN(2000))
				f.add(fmt.Sprint(rng.Uint64(), i), size)
				all += size
			}
			sites := 1 + rng.IntN(all*3/2)
			f.sites(1, sites)
			f.Assign(f.now)
			out, most := 0, min(all, sites)
			for _, i := range f.Sessions() {
				bound := int(math.Ceil(1.25 * float64(most) * float64(i.Hello.MaxInFlight) / float64(all)))
				if i.Open > bound {
					t.Fatalf("fleet %d: a node of size %d of %d has %d of %d checks, bound %d", n, i.Hello.MaxInFlight, all, i.Open, most, bound)
				}
				out += i.Open
			}
			if out != most {
				t.Fatalf("fleet %d: %d of %d checks went out, %d could", n, out, sites, most)
			}
		}
	})
}

// Re-checks of one site do not go to the same node again and again.
func TestUrgentChecksGoAround(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 100, 100, 100, 100)
	count := map[dispatch.SessionID]int{}
	for sequence := range uint64(200) {
		f.submit(dispatch.Check{Site: 1, Sequence: sequence, Urgent: true})
		b := f.one()
		count[b.Session]++
		if _, err := f.CheckIn(f.now, b.Session, b.Ref, []dispatch.Key{{Site: 1, Sequence: sequence}}); err != nil {
			t.Fatal(err)
		}
		if err := f.Grant(b.Session, 1); err != nil {
			t.Fatal(err)
		}
	}
	for id, n := range count {
		if n < 25 || len(count) != 4 {
			t.Errorf("node %d was asked %d times of 200: %v", id, n, count)
		}
	}
}
