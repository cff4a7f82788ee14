package ownership_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// story runs a test in a bubble, with a registry.
func story(t *testing.T, f func(t *testing.T, r *registry)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newRegistry()) })
}

func TestAnOwnerKeepsItsShardsAndReleasesThemAtTheEnd(t *testing.T) {
	t.Parallel()
	for _, alone := range []bool{true, false} {
		story(t, func(t *testing.T, r *registry) {
			a := start(t, r, "a", part{first: 4, last: 6, alone: alone})
			after(time.Hour)
			gained, lost, settled := a.told()
			if !slices.Equal(a.Held().Staying(), all(4, 6)) || gained != 3 || lost != 0 || settled != 1 {
				t.Fatalf("owned %v, gained %d, lost %d, settled %d", a.Held().Staying(), gained, lost, settled)
			}
			if f, ok := a.Fence(5); !ok || f != (shard.Fence{Shard: 5, Node: "a", Term: 1}) || a.Held()[5].Term != 1 {
				t.Errorf("fence %+v %v, term %d", f, ok, a.Held()[5].Term)
			}
			if f, ok := a.Fence(7); ok || f != (shard.Fence{}) || a.Held()[7].Term != 0 {
				t.Error("fence of a shard that is not ours")
			}
			a.end(t)
			if _, ok := a.Fence(5); ok {
				t.Error("fence of a shard that was given back")
			}
			b := start(t, r, "b", part{alone: alone})
			if !slices.Equal(b.Held().Staying(), all(0, 31)) {
				t.Errorf("the shards were not given back: %v", b.Held().Staying())
			}
			b.end(t)
		})
	}
}

func TestCoordinatorsShareTheShards(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]faults{
		"of a good database":                   {},
		"of a slow one":                        {slow: 400 * time.Millisecond},
		"of one whose answers are of the past": {slow: 600 * time.Millisecond, late: 1500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, func(t *testing.T, r *registry) {
				p := part{drop: 100 * time.Millisecond, faults: bad}
				nodes := []*node{start(t, r, "a", p)}
				watch(t, nodes, 20*time.Second, even(nodes...))
				for _, name := range []string{"b", "c", "d"} {
					before := r.claimed()
					nodes = append(nodes, start(t, r, name, p))
					took := watch(t, nodes, 30*time.Second, even(nodes...))
					if moved := r.claimed() - before; moved != shard.Count/len(nodes) {
						t.Errorf("%d shards moved to the %d.", moved, len(nodes))
					}
					t.Logf("a share for %s after %s", name, took)
				}
				before := r.claimed()
				watch(t, nodes, time.Minute, nil)
				if r.claimed() != before {
					t.Error("shards move though nothing changes")
				}
				for len(nodes) > 1 {
					nodes[0].end(t)
					nodes = nodes[1:]
					took := watch(t, nodes, takeover, even(nodes...))
					t.Logf("the share of one that left in order was taken after %s", took)
				}
				if n := nodes[0]; len(n.unwritten) > 0 {
					t.Errorf("%s lost %v, in order, without a chance to finish", n.name, n.unwritten)
				}
				nodes[0].end(t)
			})
		})
	}
}

// TestASurplusShardIsReleasedOnlyAfterItWasDropped: nobody gains what another still has.
func TestASurplusShardIsReleasedOnlyAfterItWasDropped(t *testing.T) {
	t.Parallel()
	story(t, func(t *testing.T, r *registry) {
		nodes := []*node{start(t, r, "a", part{drop: 700 * time.Millisecond})}
		after(5 * time.Second)
		nodes = append(nodes, start(t, r, "b", part{}))
		watch(t, nodes, 30*time.Second, func() bool {
			for _, s := range nodes[1].has() {
				if slices.Contains(nodes[0].has(), s) {
					t.Fatalf("both have shard %d", s)
				}
			}
			return even(nodes...)()
		})
		for _, n := range nodes {
			if len(n.unwritten) > 0 {
				t.Errorf("%s could not finish %v", n.name, n.unwritten)
			}
			n.end(t)
		}
	})
}

func TestStaticRangesAreKept(t *testing.T) {
	t.Parallel()
	story(t, func(t *testing.T, r *registry) {
		nodes := []*node{
			start(t, r, "a", part{last: 15}), start(t, r, "b", part{first: 16}),
			start(t, r, "c", part{first: 16}), start(t, r, "d", part{first: 8, last: 9}),
		}
		watch(t, nodes, 20*time.Second, nil)
		a, b, c, d := nodes[0].Held().Staying(), nodes[1].Held().Staying(), nodes[2].Held().Staying(), nodes[3].Held().Staying()
		if len(a) != 14 || a[13] != 15 || len(b) != 8 || len(c) != 8 || !slices.Equal(d, all(8, 9)) {
			t.Errorf("a has %v, b %v, c %v, d %v", a, b, c, d)
		}
		for _, n := range nodes {
			n.end(t)
		}
	})
}

// TestSurplusShardsAreReleasedFourAtATime, though nothing was done with the shards yet.
func TestSurplusShardsAreReleasedFourAtATime(t *testing.T) {
	t.Parallel()
	story(t, func(t *testing.T, r *registry) {
		a := start(t, r, "a", part{drop: 700 * time.Millisecond})
		if gained, lost, settled := a.told(); gained != shard.Count || lost != 0 || settled != 1 {
			t.Fatalf("at once: gained %d, lost %d, settled %d", gained, lost, settled)
		}
		b := start(t, r, "b", part{drop: 700 * time.Millisecond})
		nodes := []*node{a, b}
		took := watch(t, nodes, takeover, func() bool {
			if free := shard.Count - len(a.has()) - len(b.has()); free > 4 || len(a.has())-len(a.Held().Staying()) > 4 {
				t.Fatalf("%d are nobody's, %d leave", free, len(a.has())-len(a.Held().Staying()))
			}
			return even(nodes...)()
		})
		t.Logf("shared after %s", took)
		for _, n := range nodes {
			n.end(t)
		}
	})
}

// TestTheTermOfAnUncertainShardIsKnown, and not any more when the shard is lost.
func TestTheTermOfAnUncertainShardIsKnown(t *testing.T) {
	t.Parallel()
	story(t, func(t *testing.T, r *registry) {
		a := start(t, r, "a", part{})
		a.set(faults{away: true})
		after(time.Hour)
		if f, sure := a.Fence(9); sure || f != (shard.Fence{Shard: 9, Node: "a", Term: 1}) {
			t.Errorf("after an hour without a database: %+v, %v", f, sure)
		}
		b := start(t, r, "b", part{})
		after(3 * time.Second)
		a.set(faults{})
		after(3 * time.Second)
		if f, sure := a.Fence(9); sure || f != (shard.Fence{}) {
			t.Errorf("of a shard that another has: %+v, %v", f, sure)
		}
		a.end(t)
		b.end(t)
	})
}

func TestASecondProcessOfOurNameKeepsItsShards(t *testing.T) {
	t.Parallel()
	story(t, func(t *testing.T, r *registry) {
		first := start(t, r, "a", part{})
		after(3 * time.Second)
		second := start(t, r, "a", part{})
		after(time.Minute)
		gained, _, _ := second.told()
		if len(first.Held().Staying()) != 0 || len(first.has()) != 0 || len(second.Held().Staying()) != 32 || gained != 32 {
			t.Fatalf("first owns %v, second %v after gaining %d", first.Held().Staying(), second.Held().Staying(), gained)
		}
		second.end(t)
		after(20 * time.Second)
		if len(first.Held().Staying()) != 32 {
			t.Error("the first does not take over when the second is gone")
		}
		first.end(t)
	})
}

func TestARestartedCoordinatorClaimsItsShardsAtOnce(t *testing.T) {
	t.Parallel()
	story(t, func(t *testing.T, r *registry) {
		a := start(t, r, "a", part{})
		after(3 * time.Second)
		a.kill(t)
		// Its successor goes on with its share at once, and gives the rest back.
		b := start(t, r, "b", part{})
		a = start(t, r, "a", part{first: 8})
		if !slices.Equal(a.Held().Staying(), all(16, 31)) || a.Held()[16].Term != 2 {
			t.Errorf("owns %v", a.Held().Staying())
		}
		watch(t, []*node{a, b}, 5*time.Second, even(a, b))
		a.end(t)
		b.end(t)
	})
}

// TestAHandoverChangesTheVoiceOfAShardWithinSeconds: of one shard, whose tenure ends and which
// is gained anew; the others go on.
func TestAHandoverChangesTheVoiceOfAShardWithinSeconds(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]faults{"": {}, " of a slow database": {slow: 300 * time.Millisecond}} {
		t.Run("a handover"+name, func(t *testing.T) {
			t.Parallel()
			story(t, func(t *testing.T, r *registry) {
				a := start(t, r, "a", part{voice: shard.OnTrial, faults: f})
				watch(t, []*node{a}, 20*time.Second, even(a))
				for _, taken := range []time.Time{time.Now(), {}} {
					want := shard.OnTrial
					if !taken.IsZero() {
						want = shard.Telling
					}
					before := a.Held()
					r.handOver(9, taken)
					took := watch(t, []*node{a}, 10*time.Second, func() bool {
						held := a.Held()
						return held[9].Term > before[9].Term+1 && held[9].Voice == want
					})
					for s, now := range a.Held() {
						if s != 9 && (now.Term != before[s].Term || now.Voice != shard.OnTrial) {
							t.Errorf("shard %d has become %+v", s, now)
						}
					}
					if took > 3*time.Second {
						t.Errorf("it took %s", took)
					}
					t.Logf("spoken for after %s", took)
				}
				a.end(t)
			})
		})
	}
}
