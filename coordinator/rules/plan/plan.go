package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

const (
	// Fresh is how long a member must still have to run to be given shards. It is what is
	// left when two announcements in a row, of every 5 s for 15 s, were missed.
	Fresh = 5 * time.Second
	// Patience is how long a lease that has run out is left to a holder that is fresh.
	Patience = 15 * time.Second
)

// Lease says who has a shard, as the one who plans knows it. Node is empty when nobody does.
type Lease struct {
	shard.Lease
	// Held says that the one who plans has it in hand. A lease in its name that it has not
	// is of an earlier life, or one whose claim was never answered.
	Held bool
}

// Plan is what one member should do.
type Plan struct {
	// Claim lists shards that are for the taking.
	Claim []shard.ID
	// Release lists shards to give up.
	Release []shard.ID
	// Pending counts shards that nobody has and others are to claim.
	Pending int
}

// Make plans for self, one of the members. A shard that is not among the leases is not
// planned for.
func Make(self string, members []shard.Member, leases []Lease, now time.Time) Plan {
	b := newBalance(members, leases, now)
	me := b.member(self)
	if me == nobody {
		return Plan{}
	}
	b.place()
	b.even()
	var p Plan
	for i, l := range b.leases {
		mine := b.owner[i] == me
		over := !l.Expires.After(now)
		switch {
		case mine && !l.Held && (over || l.Node == "" || l.Node == self):
			p.Claim = append(p.Claim, l.Shard)
		case !mine && l.Node == self && (l.Held || !over) && b.waits(i):
			p.Release = append(p.Release, l.Shard)
		case !mine && b.owner[i] != nobody && (over || l.Node == "") && !b.stays(i):
			p.Pending++
		}
	}
	return p
}

// nobody is the owner of a shard that is in no member's range.
const nobody = -1

// balance is the assignment while it is worked out. Members are numbered by name.
type balance struct {
	now     time.Time
	members []shard.Member
	leases  []Lease
	// owner of each lease's shard, and how many shards each member has.
	owner []int
	load  []int
}

func newBalance(members []shard.Member, leases []Lease, now time.Time) *balance {
	b := &balance{now: now, owner: make([]int, len(leases))}
	for _, m := range members {
		if m.Expires.After(now) {
			b.members = append(b.members, m)
		}
	}
	slices.SortFunc(b.members, func(x, y shard.Member) int { return cmp.Compare(x.Node, y.Node) })
	b.members = slices.CompactFunc(b.members, func(x, y shard.Member) bool { return x.Node == y.Node })
	b.load = make([]int, len(b.members))
	b.leases = slices.SortedFunc(slices.Values(leases), func(x, y Lease) int { return cmp.Compare(x.Shard, y.Shard) })
	for i, l := range b.leases {
		b.owner[i] = nobody
		if m := b.member(l.Node); m != nobody && b.holds(m, l) {
			b.give(i, m)
		}
	}
	return b
}

// member finds a member by name.
func (b *balance) member(node string) int {
	i, found := slices.BinarySearchFunc(b.members, node, func(m shard.Member, node string) int { return cmp.Compare(m.Node, node) })
	if !found {
		return nobody
	}
	return i
}

func (b *balance) takes(m, i int) bool {
	s := b.leases[i].Shard
	return b.members[m].First <= s && s <= b.members[m].Last
}

func (b *balance) fresh(m int) bool { return b.members[m].Expires.Sub(b.now) > Fresh }

// holds says whether a lease is as good as its holder's.
func (b *balance) holds(m int, l Lease) bool {
	in := b.members[m].First <= l.Shard && l.Shard <= b.members[m].Last
	return in && (l.Held || l.Expires.After(b.now) || b.fresh(m) && b.now.Sub(l.Expires) < Patience)
}

// waits says whether the one who is to get a shard is there to take it. When nobody's
// range holds it, there is nothing to wait for.
func (b *balance) waits(i int) bool { return b.owner[i] == nobody || b.fresh(b.owner[i]) }

func (b *balance) give(i, m int) {
	if old := b.owner[i]; old != nobody {
		b.load[old]--
	}
	b.owner[i] = m
	b.load[m]++
}

// place gives each shard that nobody has to the lightest member, one that is fresh if
// there is one.
func (b *balance) place() {
	for i := range b.leases {
		if b.owner[i] != nobody {
			continue
		}
		best := nobody
		for m := range b.members {
			if !b.takes(m, i) {
				continue
			}
			if best == nobody || b.fresh(m) && !b.fresh(best) || b.fresh(m) == b.fresh(best) && b.load[m] < b.load[best] {
				best = m
			}
		}
		if best != nobody {
			b.give(i, best)
		}
	}
}

// even moves shards until no member can pass one on, directly or through others, to one
// that has at least two fewer. Each round lessens the sum of the squares, so it ends.
func (b *balance) even() {
	for b.evenOne() {
	}
}

func (b *balance) evenOne() bool {
	order := make([]int, len(b.members))
	for m := range order {
		order[m] = m
	}
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(b.load[y], b.load[x]) })
	for _, heavy := range order {
		via, to := b.reach(heavy)
		if to == nobody {
			continue
		}
		for to != heavy {
			i := via[to]
			from := b.owner[i]
			b.give(i, to)
			to = from
		}
		return true
	}
	return false
}

// reach finds the lightest member that shards can be passed on to from a heavy one, by
// the fewest moves; nobody when it would not be lighter. The shard by which each member
// is reached is in via.
func (b *balance) reach(heavy int) (via []int, to int) {
	via = make([]int, len(b.members))
	for m := range via {
		via[m] = nobody
	}
	to = nobody
	seen := make([]bool, len(b.members))
	seen[heavy] = true
	for queue := []int{heavy}; len(queue) > 0; queue = queue[1:] {
		for m := range b.members {
			if seen[m] || !b.fresh(m) {
				continue
			}
			i := b.cheapest(queue[0], m)
			if i == nobody {
				continue
			}
			seen[m], via[m] = true, i
			queue = append(queue, m)
			if b.load[m] <= b.load[heavy]-2 && (to == nobody || b.load[m] < b.load[to]) {
				to = m
			}
		}
	}
	return via, to
}

// cheapest is the shard whose move from one member to another costs least, the first of
// equals: one that has left its holder anyway costs nothing. Nobody when none can move.
func (b *balance) cheapest(from, to int) int {
	best := nobody
	for i := range b.leases {
		if b.owner[i] != from || !b.takes(to, i) {
			continue
		}
		if !b.stays(i) {
			return i
		}
		if best == nobody {
			best = i
		}
	}
	return best
}

// stays says whether a shard is with the one whose lease it is.
func (b *balance) stays(i int) bool {
	l := b.leases[i]
	m := b.member(l.Node)
	return m != nobody && b.owner[i] == m && b.holds(m, l)
}
