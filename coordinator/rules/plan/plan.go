package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

const (
	// minLeft is the time that a member's announcement must still have to run for the member
	// to get shards. An announcement lasts 15 s and is made every 5 s: less is left only
	// after two in a row were missed.
	minLeft = 5 * time.Second
	// patience is how long a fresh holder keeps a lease that has expired.
	patience = 15 * time.Second
)

// Lease is the lease of a shard as the planning member knows it. Node is empty when the
// shard is free.
type Lease struct {
	shard.Lease
	// Held means that the planning member has the shard in use. A lease in its name that is
	// not Held is from an earlier run, or from a claim that got no answer.
	Held bool
}

// Plan is what one member should do.
type Plan struct {
	// Claim lists shards to claim.
	Claim []shard.ID
	// Release lists shards to give up.
	Release []shard.ID
	// Pending counts free shards that other members should claim.
	Pending int
}

// Make plans for self, one of the members. It plans only the shards that are among the
// leases.
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

// balance is the assignment in progress. Members are numbered in the order of their names.
type balance struct {
	now     time.Time
	members []shard.Member
	leases  []Lease
	// owner has the member of each lease's shard, load the number of shards of each member.
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

// member returns the number of a member, or nobody.
func (b *balance) member(node string) int {
	i, found := slices.BinarySearchFunc(b.members, node, func(m shard.Member, node string) int { return cmp.Compare(m.Node, node) })
	if !found {
		return nobody
	}
	return i
}

// takes reports whether the range of a member holds the shard of a lease.
func (b *balance) takes(m, i int) bool {
	s := b.leases[i].Shard
	return b.members[m].First <= s && s <= b.members[m].Last
}

// fresh reports whether a member's announcement has long enough to run to get shards.
func (b *balance) fresh(m int) bool { return b.members[m].Expires.Sub(b.now) > minLeft }

// holds reports whether a lease still counts for its holder.
func (b *balance) holds(m int, l Lease) bool {
	in := b.members[m].First <= l.Shard && l.Shard <= b.members[m].Last
	return in && (l.Held || l.Expires.After(b.now) || b.fresh(m) && b.now.Sub(l.Expires) < patience)
}

// waits reports whether the next owner of a shard is ready to take it. A shard that is in
// no member's range can be given up without one.
func (b *balance) waits(i int) bool { return b.owner[i] == nobody || b.fresh(b.owner[i]) }

// give assigns the shard of a lease to a member.
func (b *balance) give(i, m int) {
	if old := b.owner[i]; old != nobody {
		b.load[old]--
	}
	b.owner[i] = m
	b.load[m]++
}

// place gives each free shard to the member with the fewest shards, preferring members that
// are fresh.
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

// even moves shards until no member can pass one, directly or through others, to a member
// that has at least two fewer. Each move lowers the sum of the squares, so it ends.
func (b *balance) even() {
	for b.evenOne() {
	}
}

// evenOne passes one shard on, and reports whether there was one to pass.
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

// reach finds the lightest member to which a heavy one can pass shards, by the fewest moves;
// nobody when none has at least two fewer. via has the shard by which each member is reached.
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

// cheapest returns the shard that is cheapest to move from one member to another, the first
// of equals: a shard that leaves its holder anyway costs nothing. It returns nobody when
// none can move.
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

// stays reports whether a shard is assigned to the holder of its lease.
func (b *balance) stays(i int) bool {
	l := b.leases[i]
	m := b.member(l.Node)
	return m != nobody && b.owner[i] == m && b.holds(m, l)
}
