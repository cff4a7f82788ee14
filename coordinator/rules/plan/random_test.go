package plan_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/plan"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/test/seeds"
)

const (
	shards = 32
	ttl    = 15
	renew  = 5
	// handing is how many shards a member gives up in a round.
	handing = 4
)

// world is coordinators that plan, second by second, and what the store has of them.
type world struct {
	rng     *rand.Rand
	now     int
	leases  [shards]plan.Lease
	members map[string]shard.Member
	alive   map[string]process
	named   int
	moves   int // shards given up or claimed from another
	past    []snapshot
	stale   int // how old a view may be, in seconds
}

// process is a member that runs.
type process struct {
	shard.Member
	phase int // the second, of renew, in which it renews
	held  map[shard.ID]bool
}

type snapshot struct {
	leases  [shards]plan.Lease
	members []shard.Member
}

func newWorld(seed, n uint64) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, n)), members: map[string]shard.Member{}, alive: map[string]process{}}
	for s := range w.leases {
		w.leases[s].Shard = shard.ID(s)
	}
	return w
}

func (w *world) join(first, last shard.ID) {
	name := fmt.Sprintf("n%02d", w.named)
	w.named++
	m := shard.Member{Node: name, First: first, Last: last, Expires: at(w.now + ttl)}
	w.members[name] = m
	w.alive[name] = process{m, w.rng.IntN(renew), map[shard.ID]bool{}}
}

// leave ends a member: in order, or by kill -9.
func (w *world) leave(name string, inOrder bool) {
	if inOrder {
		delete(w.members, name)
		for s := range w.alive[name].held {
			if w.leases[s].Node == name {
				w.leases[s] = plan.Lease{Lease: shard.Lease{Shard: s}}
			}
		}
	}
	delete(w.alive, name)
}

// second lets everybody renew and act once, in random order.
func (w *world) second() {
	w.now++
	for name, m := range w.members {
		if !m.Expires.After(at(w.now)) {
			delete(w.members, name)
		}
	}
	w.past = append(w.past, snapshot{w.leases, slices.SortedFunc(maps.Values(w.members), byName)})
	w.past = w.past[max(0, len(w.past)-20):]
	names := slices.Sorted(maps.Keys(w.alive))
	w.rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names {
		if p := w.alive[name]; w.now%renew == p.phase {
			w.renew(p)
		}
		w.act(w.alive[name])
	}
}

func byName(a, b shard.Member) int { return cmp.Compare(a.Node, b.Node) }

func (w *world) renew(p process) {
	p.Expires = at(w.now + ttl)
	w.members[p.Node] = p.Member
	for s := range p.held {
		if w.leases[s].Node == p.Node {
			w.leases[s].Expires = at(w.now + ttl)
		} else {
			delete(p.held, s) // fenced
		}
	}
}

// act plans with an earlier read, and carries the plan out as far as the store lets it.
func (w *world) act(p process) {
	view := w.past[len(w.past)-1-w.rng.IntN(min(w.stale+1, len(w.past)))]
	self := p.Member
	self.Expires = at(w.now + ttl)
	members := append(slices.DeleteFunc(slices.Clone(view.members), func(m shard.Member) bool { return m.Node == p.Node }), self)
	for s := range view.leases {
		switch l := &view.leases[s]; {
		case p.held[shard.ID(s)]:
			l.Node, l.Held = p.Node, true
		case l.Node == p.Node:
			*l = plan.Lease{Lease: shard.Lease{Shard: shard.ID(s)}} // it knows that it has given this up
		}
	}
	todo := plan.Make(p.Node, members, view.leases[:], at(w.now))
	for _, s := range todo.Claim {
		l := &w.leases[s]
		if l.Node != "" && l.Node != p.Node && l.Expires.After(at(w.now)) {
			continue // a conflict
		}
		if !p.held[s] {
			w.moves++
		}
		*l = plan.Lease{Lease: shard.Lease{Shard: s, Node: p.Node, Expires: at(w.now + ttl)}}
		p.held[s] = true
	}
	for i, s := range todo.Release {
		if i+todo.Pending >= handing {
			break
		}
		if w.leases[s].Node == p.Node {
			w.leases[s] = plan.Lease{Lease: shard.Lease{Shard: s}}
		}
		delete(p.held, s)
	}
}

// chaos does something to somebody now and then.
func (w *world) chaos(ranges [][2]shard.ID) {
	names := slices.Sorted(maps.Keys(w.alive))
	switch {
	case len(names) < 8 && w.rng.IntN(20) == 0:
		r := ranges[w.rng.IntN(len(ranges))]
		w.join(r[0], r[1])
	case len(names) > 1 && w.rng.IntN(40) == 0:
		w.leave(names[w.rng.IntN(len(names))], w.rng.IntN(2) == 0)
	}
}

// rest lets seconds pass in which nothing happens.
func (w *world) rest(seconds int) (moves int) {
	before := w.moves
	for range seconds {
		w.second()
	}
	return w.moves - before
}

// judge returns the errors of a world that has come to rest.
func (w *world) judge() error {
	load := map[string]int{}
	for s, l := range w.leases {
		var takers []string
		for name, p := range w.alive {
			if p.First <= shard.ID(s) && shard.ID(s) <= p.Last {
				takers = append(takers, name)
			}
		}
		owned := l.Node != "" && l.Expires.After(at(w.now))
		if len(takers) > 0 && (!owned || !slices.Contains(takers, l.Node)) {
			return fmt.Errorf("shard %d is %q's, and should be one of %v's", s, l.Node, takers)
		}
		if owned {
			load[l.Node]++
		}
	}
	for s, l := range w.leases {
		for name, p := range w.alive {
			if p.First <= shard.ID(s) && shard.ID(s) <= p.Last && load[l.Node] > load[name]+1 {
				return fmt.Errorf("%s has %d shards, and %s, who could take shard %d, has %d", l.Node, load[l.Node], name, s, load[name])
			}
		}
	}
	return nil
}

func run(t *testing.T, seed, worlds uint64, one func(w *world) error) {
	t.Helper()
	for n := range worlds {
		if err := one(newWorld(seed, n)); err != nil {
			t.Fatalf("world %d: %v", n, err)
		}
	}
}

// settled is enough for a dead member's leases to end, and for all shards to be handed on.
const settled = ttl + renew + shards/2

func TestAnyWorldComesToAnEvenRest(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for name, ranges := range map[string][][2]shard.ID{
			"of one range":                {{0, shards - 1}},
			"of two halves":               {{0, 15}, {16, 31}},
			"of parts and the whole":      {{0, shards - 1}, {0, 7}, {24, 31}},
			"of ranges that overlap":      {{0, 15}, {8, 23}, {16, 31}, {4, 5}},
			"of ranges that leave a hole": {{0, 9}, {20, 31}},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				run(t, seed, 25, func(w *world) error {
					w.stale = w.rng.IntN(12)
					w.join(ranges[0][0], ranges[0][1])
					for range 200 {
						w.chaos(ranges)
						w.second()
					}
					w.rest(settled)
					w.stale = 0
					w.rest(settled)
					if err := w.judge(); err != nil {
						return err
					}
					if moves := w.rest(60); moves != 0 {
						return fmt.Errorf("%d moves in a world at rest", moves)
					}
					return nil
				})
			})
		}
	})
}

// TestStaleViewsDoNotOscillate gives everybody, each second, a view of some moment of
// the last seconds. A look that takes longer than 4 s fails; 10 s are to see how bad it gets.
func TestStaleViewsDoNotOscillate(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for stale, most := range map[int]int{1: 2, 4: 4, 10: 12} {
			t.Run(fmt.Sprintf("up to %d s old", stale), func(t *testing.T) {
				t.Parallel()
				worst := 0.0
				run(t, seed, 40, func(w *world) error {
					w.stale = stale
					for range 1 + w.rng.IntN(6) {
						w.join(0, shards-1)
					}
					w.rest(3 * settled)
					if err := w.judge(); err != nil {
						return err
					}
					if moves := w.rest(120); moves != 0 {
						return fmt.Errorf("%d moves in a world at rest", moves)
					}
					w.join(0, shards-1)
					moves, needed := w.rest(3*settled), shards/len(w.alive)
					worst = max(worst, float64(moves)/float64(needed))
					if moves > most*needed {
						return fmt.Errorf("%d moves where %d are needed", moves, needed)
					}
					if moves := w.rest(60); moves != 0 {
						return fmt.Errorf("%d moves in a world at rest", moves)
					}
					return w.judge()
				})
				t.Logf("at worst %.1f times as many moves as needed", worst)
			})
		}
	})
}

// TestOneThatComesOrGoesMovesNoMoreThanNeeded: with views that are up to date, in order.
func TestOneThatComesOrGoesMovesNoMoreThanNeeded(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		run(t, seed, 20, func(w *world) error {
			for range 1 + w.rng.IntN(7) {
				w.join(0, shards-1)
				w.rest(settled)
			}
			for range 20 {
				names := slices.Sorted(maps.Keys(w.alive))
				var needed int
				if len(names) > 1 && w.rng.IntN(2) == 0 {
					gone := names[w.rng.IntN(len(names))]
					needed = len(w.alive[gone].held)
					w.leave(gone, w.rng.IntN(2) == 0)
				} else {
					w.join(0, shards-1)
					needed = shards / len(w.alive)
				}
				if moves := w.rest(settled); moves != needed {
					return fmt.Errorf("%d moves where %d are needed, of %d members", moves, needed, len(w.alive))
				}
				if err := w.judge(); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
