package dispatch

import (
	"math"
	"math/bits"
	"time"
)

// candidate is a session as one Assign sees it.
type candidate struct {
	session *Session
	// room is how many checks it can be given, out how many it has and was given.
	room, out int
	// bound is how many it may have while another that has fewer has room.
	bound int
	// seed is the hash of its node; size and allowance are one over how many checks it
	// may have out, at last and now.
	seed            uint64
	size, allowance float64
}

// ready is who may get checks: those that are under their bound first.
type ready struct {
	list  []candidate
	under int
	// even: all have the same MaxInFlight.
	even bool
}

func (r *ready) swap(i, j int) { r.list[i], r.list[j] = r.list[j], r.list[i] }

// give counts a check for a candidate.
func (r *ready) give(at int) {
	k := &r.list[at]
	k.out++
	k.room--
	if at < r.under && (k.room == 0 || k.out >= k.bound) {
		r.under--
		r.swap(at, r.under)
		at = r.under
	}
	if r.list[at].room == 0 {
		last := len(r.list) - 1
		r.swap(at, last)
		r.list = r.list[:last]
	}
}

// makeReady lists the sessions that may get checks, with their bounds: a quarter more
// than the fair share of all that will be out, by allowance.
func (c *Core) makeReady(now time.Time) {
	r := &c.ready
	r.list, r.under, r.even = r.list[:0], 0, true
	out, room, allowances := 0, 0, 0
	for _, s := range c.sessions {
		if !s.canTake() {
			continue
		}
		allowance := c.allowance(now, s)
		out += s.out
		allowances += allowance
		free := min(s.credit, allowance-s.out)
		if free <= 0 {
			continue
		}
		room += free
		r.list = append(r.list, candidate{
			session: s, room: free, out: s.out, bound: allowance,
			seed: s.seed, size: 1 / float64(s.hello.MaxInFlight), allowance: 1 / float64(allowance),
		})
		r.even = r.even && s.hello.MaxInFlight == r.list[0].session.hello.MaxInFlight
	}
	out += min(room, c.Queued())
	for i := range r.list {
		k := &r.list[i]
		k.bound = (5*out*k.bound + 4*allowances - 1) / (4 * allowances)
		if k.out < k.bound {
			r.swap(i, r.under)
			r.under++
		}
	}
}

// slowStartLeast is what a session may have out at the least when it is new.
const slowStartLeast = 100

// allowance is how many checks a session may have out now.
func (c *Core) allowance(now time.Time, s *Session) int {
	most := s.hello.MaxInFlight
	if s.grown {
		return most
	}
	age := max(0, now.Sub(s.joined))
	if age >= c.config.SlowStart {
		s.grown = true
		return most
	}
	first := min(most, max(slowStartLeast, most/10))
	return first + int(float64(most-first)*float64(age)/float64(c.config.SlowStart))
}

// growAlone lets a session that is alone have all of its allowance: there is nobody
// who could spare it the load.
func (c *Core) growAlone() {
	if c.nodes() != 1 {
		return
	}
	for _, s := range c.sessions {
		if s.canTake() {
			s.grown = true
		}
	}
}

// place says which candidate gets a check, -1 when none may have it. A routine check
// goes where its site hashes to, so that a node meets the same sites again and its
// caches know them; nodes have sites in proportion to their MaxInFlight. An urgent one,
// whose site may have been seen there just before, goes where its number hashes to.
// Candidates at their bound are passed over; when all are, the least loaded gets it.
func (c *Core) place(v *view, e *entry) int {
	key := uint64(e.check.Site)
	if e.check.Urgent {
		key = e.serial
	}
	key = scatter(key)
	if v.anywhere() || c.clock-e.since >= c.config.AvoidFor {
		v = &view{}
	}
	best, distance := -1, math.Inf(1)
	if v.anywhere() && c.ready.even {
		best = highest(key, c.ready.list[:c.ready.under])
	} else {
		for i := range c.ready.list[:c.ready.under] {
			k := &c.ready.list[i]
			if d := remoteness(hash(key, k.seed)) * k.size; d < distance && !v.spares(k.session) {
				best, distance = i, d
			}
		}
	}
	if best >= 0 {
		return best
	}
	for i, k := range c.ready.list[c.ready.under:] {
		if load := float64(k.out) * k.allowance; load < distance && !v.spares(k.session) {
			best, distance = c.ready.under+i, load
		}
	}
	return best
}

// highest returns whom a key hashes highest with, -1 when there is nobody. With nodes
// of one size it is the nearest.
func highest(key uint64, list []candidate) int {
	best, top := -1, uint64(0)
	for i := range list {
		if h := hash(key, list[i].seed) | 1; h > top {
			best, top = i, h
		}
	}
	return best
}

// The multiplier of the hashes: 2^64 over the golden ratio.
const golden = 0x9e3779b97f4a7c15

// nodeSeed hashes the name of a node, by FNV-1a.
func nodeSeed(node string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(node) {
		h = (h ^ uint64(node[i])) * 1099511628211
	}
	return scatter(h)
}

// scatter spreads numbers that lie close together over all 64 bits.
func scatter(x uint64) uint64 {
	x *= golden
	x ^= x >> 32
	x *= golden
	return x ^ x>>29
}

// hash hashes a key, of a site or a check, and a node.
func hash(key, node uint64) uint64 {
	high, low := bits.Mul64(key^node, golden)
	return high ^ low
}

// remoteness is the negative logarithm of a hash: the node of the highest hash is the
// nearest, and a division by the size of the nodes gives each sites in proportion to it.
// Of the logarithm the bits of a float are a good likeness.
func remoteness(hash uint64) float64 {
	return float64(int64(oneBits - math.Float64bits(float64(int64(hash>>11|1)))))
}

// oneBits are the bits of 2^53, which no hash reaches.
const oneBits = (1023 + 53) << 52
