package ownership_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/ownership"
	"github.com/Automattic/jetmon/test/seeds"
)

// takeover is how long after a death all is owned again, at the latest.
const takeover = 20 * time.Second

func TestOthersTakeTheShardsOfAKilledOwnerWithinTwentySeconds(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for name, f := range map[string]faults{
			"of a good database":                       {},
			"of a slow one":                            {slow: 500 * time.Millisecond},
			"of one that loses one answer of fifty":    {lost: 0.02},
			"of a slow one that loses some, as before": {slow: 200 * time.Millisecond, lost: 0.02},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var sum, worst time.Duration
				const deaths = 25
				for n := range deaths {
					rng := rand.New(rand.NewPCG(seed, uint64(n)))
					synctest.Test(t, func(t *testing.T) {
						r := newRegistry()
						var nodes []*node
						for i := range 2 + rng.IntN(3) {
							after(time.Duration(rng.IntN(3000)) * time.Millisecond)
							nodes = append(nodes, start(t, r, fmt.Sprint("n", i), part{faults: f}))
						}
						watch(t, nodes, 2*time.Minute, even(nodes...))
						after(time.Duration(rng.IntN(7000)) * time.Millisecond)
						nodes[0].kill(t)
						nodes = nodes[1:]
						took := watch(t, nodes, takeover, even(nodes...))
						sum, worst = sum+took, max(worst, took)
						for _, n := range nodes {
							n.end(t)
						}
					})
				}
				t.Logf("takeover after %s on average, %s at worst, of %d deaths", (sum / deaths).Round(10*time.Millisecond), worst, deaths)
			})
		}
	})
}

// TestNoShardIsDroppedWhileTheDatabaseIsUnreachable: for everybody, for longer than leases and
// announcements last. Afterwards all is as before, and nothing was lost or gained.
func TestNoShardIsDroppedWhileTheDatabaseIsUnreachable(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]faults{
		"away":          {away: true},
		"read-only":     {readOnly: true},
		"slow to death": {slow: time.Minute},
	} {
		for _, outage := range []time.Duration{8 * time.Second, 25 * time.Second, 10 * time.Minute} {
			t.Run(fmt.Sprintf("%s for %s", name, outage), func(t *testing.T) {
				t.Parallel()
				story(t, func(t *testing.T, r *registry) {
					nodes := []*node{start(t, r, "a", part{}), start(t, r, "b", part{}), start(t, r, "c", part{})}
					watch(t, nodes, 20*time.Second, even(nodes...))
					before := r.claimed()
					for _, n := range nodes {
						n.set(f)
					}
					watch(t, nodes, outage, nil)
					for _, n := range nodes {
						if sure, owned := n.sure(), n.Held().Staying(); outage > ownership.SureFor && len(sure) > 0 || len(owned) < 10 || !slices.Equal(owned, n.has()) {
							t.Errorf("%s is sure of %v, owns %v, has %v", n.name, sure, owned, n.has())
						}
						away := time.Duration(0)
						unsure, since := n.Held().Uncertain()
						if unsure > 0 {
							away = time.Since(since)
						}
						if outage > ownership.SureFor && (unsure != len(n.Held().Staying()) || away < outage || away > outage+ownership.Renew+time.Second) {
							t.Errorf("%s is unsure of %d, for %s", n.name, unsure, away)
						}
						n.set(faults{})
					}
					took := watch(t, nodes, 10*time.Second, even(nodes...))
					watch(t, nodes, time.Minute, even(nodes...))
					if r.claimed() != before {
						t.Errorf("%d shards were claimed anew", r.claimed()-before)
					}
					t.Logf("sure again after %s", took)
					for _, n := range nodes {
						if unsure, since := n.Held().Uncertain(); unsure != 0 || !since.IsZero() {
							t.Errorf("afterwards %s is unsure of %d since %s", n.name, unsure, since)
						}
						n.end(t)
					}
				})
			})
		}
	}
}

// TestACoordinatorThatWasCutOffLosesItsShardsOnReturn and not before it can know.
func TestACoordinatorThatWasCutOffLosesItsShardsOnReturn(t *testing.T) {
	t.Parallel()
	story(t, func(t *testing.T, r *registry) {
		a, b := start(t, r, "a", part{}), start(t, r, "b", part{})
		nodes := []*node{a, b}
		watch(t, nodes, 20*time.Second, even(nodes...))
		a.set(faults{away: true})
		took := watch(t, nodes, takeover, func() bool { return len(b.sure()) == shard.Count })
		t.Logf("takeover after %s", took)
		watch(t, nodes, time.Minute, nil)
		if len(a.sure()) > 0 || len(a.Held().Staying()) != 16 || len(a.has()) != 16 {
			t.Errorf("cut off, a is sure of %v, owns %v and has %v", a.sure(), a.Held().Staying(), a.has())
		}
		a.set(faults{})
		watch(t, nodes, 3*time.Second, func() bool { _, lost, _ := a.told(); return lost == 16+16 }) // the first 16 went to b in order
		if len(a.unwritten) < 16 {
			t.Errorf("lost %v without proof", a.unwritten)
		}
		watch(t, nodes, 20*time.Second, even(nodes...))
		a.end(t)
		b.end(t)
	})
}

// TestAPausedOwnerIsUncertainBeforeItActs: as after SIGSTOP for 20 s and SIGCONT, wherever it
// was stopped.
func TestAPausedOwnerIsUncertainBeforeItActs(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for n := range 20 {
			rng := rand.New(rand.NewPCG(seed, uint64(n)))
			story(t, func(t *testing.T, r *registry) {
				bad := faults{slow: time.Duration(1+rng.IntN(600)) * time.Millisecond}
				began := time.Now()
				a, b := start(t, r, "a", part{faults: bad}), start(t, r, "b", part{faults: bad})
				nodes := []*node{a, b}
				watch(t, nodes, 90*time.Second, even(nodes...))
				if n%2 == 0 {
					after(time.Duration(rng.IntN(7000)) * time.Millisecond)
				} else {
					// When renewals are done, and the answers on their way.
					phase := bad.slow + bad.slow*3/4
					after(ownership.Renew - (time.Since(began)-phase)%ownership.Renew)
				}
				a.pause()
				watch(t, nodes, 20*time.Second+time.Duration(rng.IntN(5000))*time.Millisecond, nil)
				if sure := a.sure(); len(sure) > 0 {
					t.Fatalf("when it goes on it is sure of %v", sure)
				}
				if len(b.sure()) != shard.Count {
					t.Fatalf("the other one is sure of %v", b.sure())
				}
				a.goOn()
				synctest.Wait()
				if sure := a.sure(); len(sure) > 0 {
					t.Fatalf("when it has read what had come it is sure of %v", sure)
				}
				watch(t, nodes, 90*time.Second, even(nodes...))
				a.end(t)
				b.end(t)
			})
		}
	})
}

// TestAtMostOneCoordinatorIsSureOfAShard plays random plans of deaths, joins and faults.
func TestAtMostOneCoordinatorIsSureOfAShard(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for n := range 12 {
			t.Run(fmt.Sprint("plan ", n), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(seed, uint64(n)))
				story(t, func(t *testing.T, r *registry) { havoc(t, r, rng) })
			})
		}
	})
}

func havoc(t *testing.T, r *registry, rng *rand.Rand) {
	var nodes []*node
	born := 0
	for range 120 {
		switch n := rng.IntN(10); {
		case len(nodes) < 2 || n == 0 && len(nodes) < 5:
			p := part{drop: time.Duration(rng.IntN(2000)) * time.Millisecond}
			if rng.IntN(4) == 0 {
				p.first = shard.ID(rng.IntN(shard.Count / 2))
			}
			nodes = append(nodes, start(t, r, fmt.Sprint("n", born), p))
			born++
		case n == 1:
			i := rng.IntN(len(nodes))
			nodes[i].goOn()
			if rng.IntN(2) == 0 {
				nodes[i].kill(t)
			} else {
				nodes[i].end(t)
			}
			nodes = slices.Delete(nodes, i, i+1)
		case n == 2:
			if n := nodes[rng.IntN(len(nodes))]; n.paused() {
				n.goOn()
			} else {
				n.pause()
			}
		case n < 8:
			f := faults{}
			switch rng.IntN(5) {
			case 0:
				f.away = true
			case 1:
				f.readOnly = true
			case 2:
				f.slow = time.Duration(rng.IntN(9000)) * time.Millisecond
			case 3:
				f.lost = rng.Float64()
			}
			if nodes[rng.IntN(len(nodes))].set(f); rng.IntN(4) == 0 {
				for _, n := range nodes {
					n.set(f) // it is the database, not the way to it
				}
			}
		}
		watch(t, nodes, time.Duration(rng.IntN(8000))*time.Millisecond, nil)
	}
	nodes = append(nodes, start(t, r, "last", part{}))
	for _, n := range nodes {
		n.goOn()
		n.set(faults{})
	}
	watch(t, nodes, 2*time.Minute, func() bool { return owned(nodes) == shard.Count })
	watch(t, nodes, time.Minute, nil)
	before := r.claimed()
	watch(t, nodes, time.Minute, nil)
	if r.claimed() != before || owned(nodes) != shard.Count {
		t.Errorf("%d of the shards are owned, %d moved at rest", owned(nodes), r.claimed()-before)
	}
	for _, n := range nodes {
		n.end(t)
	}
}

// owned counts the shards that are owned and sure, of those who have gained just these.
func owned(nodes []*node) (total int) {
	for _, n := range nodes {
		if o := n.Held().Staying(); slices.Equal(o, n.sure()) && slices.Equal(o, n.has()) {
			total += len(o)
		}
	}
	return total
}
