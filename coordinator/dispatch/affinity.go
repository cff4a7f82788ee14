package dispatch

import (
	"math"
	"math/bits"
	"time"
)

// candidate is a session as one Assign sees it.
type candidate struct {
	session *session
	// room is how many checks it can be given, out how many it has and was given.
	room, out int
	// bound is how many it may have while another that has fewer has room.
	bound int
	// seed is the hash of its node; size and allowance are one over how many checks it
	// may have out, at last and now.
	seed            uint64
	size, allowance float64
}

// makeReady lists the sessions that may get checks in c.ready, with their bounds: a
// quarter more than the fair share of all that will be out, by allowance.
func (c *Core) makeReady(now time.Time) {
	c.ready = c.ready[:0]
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
		c.ready = append(c.ready, candidate{
			session: s, room: free, out: s.out, bound: allowance,
			seed: s.seed, size: 1 / float64(s.hello.MaxInFlight), allowance: 1 / float64(allowance),
		})
	}
	out += min(room, c.Queued())
	for i := range c.ready {
		r := &c.ready[i]
		r.bound = (5*out*r.bound + 4*allowances - 1) / (4 * allowances)
	}
}

// slowStartLeast is what a session may have out at the least when it is new.
const slowStartLeast = 100

// allowance is how many checks a session may have out now.
func (c *Core) allowance(now time.Time, s *session) int {
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
func (c *Core) place(now time.Time, v *view, e *entry) int {
	key := uint64(e.check.Site)
	if e.check.Urgent {
		key = e.serial
	}
	key = scatter(key)
	waited := !v.anywhere() && now.Sub(e.since) >= c.config.AvoidFor
	best, least := -1, -1
	distance, load := math.Inf(1), math.Inf(1)
	for i := range c.ready {
		r := &c.ready[i]
		if (r.session == v.avoid || r.session == v.lost) && !waited {
			continue
		}
		if r.out < r.bound {
			if d := remoteness(key, r.seed) * r.size; d < distance {
				best, distance = i, d
			}
		} else if l := float64(r.out) * r.allowance; l < load {
			least, load = i, l
		}
	}
	if best < 0 {
		return least
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

// remoteness is the negative logarithm of a hash of site and node: the node of the
// highest hash is the nearest, and a division by the size of the nodes gives each sites
// in proportion to it. Of the logarithm the bits of a float are a good likeness.
func remoteness(site, node uint64) float64 {
	high, low := bits.Mul64(site^node, golden)
	hash := math.Float64bits(float64(int64((high^low)>>11 | 1)))
	return float64(int64(oneBits - hash))
}

// oneBits are the bits of 2^53, which no hash reaches.
const oneBits = (1023 + 53) << 52
