package dispatch

import (
	"math"
	"slices"
	"time"
)

// placement decides in one Assign where each check goes. It takes no check out of its queue.
type placement struct {
	// avoidFor is that of Config.
	avoidFor time.Duration
	ready    ready
	// views are the lanes of the queue that is dealt, as far as somebody may have what is on
	// them.
	views []view
}

// candidate is a session as one Assign sees it.
type candidate struct {
	session *Session
	// room is how many checks it can be given, out how many it has and was given.
	room, out int
	// bound is how many it may have while another that has fewer has room.
	bound int
	// seed is the hash of its node; size and allowance are one over how many checks it may
	// have out, at last and now.
	seed            uint64
	size, allowance float64
}

// ready holds the candidates that have room.
type ready struct {
	// list begins with those that are under their bound. Invariant: they are the first under,
	// and every candidate has room.
	list  []candidate
	under int
	// even means that all have the same MaxInFlight.
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

// gather lists the sessions that may get some of the queued checks, with their bounds: a
// quarter more than the fair share of all that will be out, by allowance.
func (r *ready) gather(now time.Time, among *sessions, queued int) {
	r.list, r.under, r.even = r.list[:0], 0, true
	out, room, allowances := 0, 0, 0
	for _, s := range among.list {
		if !s.canTake() {
			continue
		}
		allowance := among.allowance(now, s)
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
	out += min(room, queued)
	for i := range r.list {
		k := &r.list[i]
		k.bound = (5*out*k.bound + 4*allowances - 1) / (4 * allowances)
		if k.out < k.bound {
			r.swap(i, r.under)
			r.under++
		}
	}
}

// forget drops what is known of sessions, which may end.
func (r *ready) forget() { clear(r.list[:cap(r.list)]) }

// view is a lane as one Assign sees it, with the sessions of the nodes that its checks should
// not go to. One without which they could go nowhere is not among them.
type view struct {
	// first is the first check of the lane that is not dealt.
	first       *entry
	avoid, lost *Session
}

// anywhere reports whether the checks of the lane may go to every node.
func (v *view) anywhere() bool { return v.avoid == nil && v.lost == nil }

// spares reports whether the lane's checks should not go to a session.
func (v *view) spares(s *Session) bool { return s == v.avoid || s == v.lost }

// viewOf looks at a lane. With only the node to avoid and the one that lost the check, the
// latter may have it. takers is the number of nodes that checks can go to.
func viewOf(l *lane, among *sessions, takers int) view {
	v := view{first: l.entries.Front()}
	avoid, lost := among.taker(l.avoid), among.taker(l.lost)
	others := takers - 1
	if avoid != nil && others > 0 {
		v.avoid = avoid
	}
	if lost != nil && lost != avoid {
		if avoid != nil {
			others--
		}
		if others > 0 {
			v.lost = lost
		}
	}
	return v
}

// look begins to deal a queue.
func (p *placement) look(q *queue, among *sessions) {
	takers := among.takers()
	p.views = p.views[:0]
	for _, l := range q.lanes {
		if !l.entries.Empty() {
			p.views = append(p.views, viewOf(l, among, takers))
		}
	}
}

// next returns the next check and who gets it; nil when the queue is empty or nobody may have
// what is left. The caller takes the check out of the queue.
func (p *placement) next(clock time.Duration) (*entry, *Session) {
	for len(p.ready.list) > 0 && len(p.views) > 0 {
		at := p.oldest()
		v := &p.views[at]
		e := v.first
		to := p.place(v, e, clock)
		if to < 0 {
			// What comes after a check that has to wait has waited for less long.
			p.drop(at)
			continue
		}
		if v.first = e.onLane.Next(); v.first == nil {
			p.drop(at)
		}
		s := p.ready.list[to].session
		p.ready.give(to)
		return e, s
	}
	return nil, nil
}

// oldest returns the number of the view that has the first check of all.
func (p *placement) oldest() int {
	at := 0
	for i := 1; i < len(p.views); i++ {
		if p.views[i].first.before(p.views[at].first) {
			at = i
		}
	}
	return at
}

func (p *placement) drop(at int) { p.views = slices.Delete(p.views, at, at+1) }

// place says which candidate gets a check; -1 when none may have it. A routine check goes
// where its site hashes to, so that a node meets the same sites again and its caches know
// them; nodes have sites in proportion to their MaxInFlight. An urgent one, whose site may
// have been seen there just before, goes where its number hashes to. Candidates at their
// bound are passed over; when all are, the least loaded gets it.
func (p *placement) place(v *view, e *entry, clock time.Duration) int {
	key := uint64(e.check.Site)
	if e.check.Urgent {
		key = e.serial
	}
	key = scatter(key)
	if p.freeToGo(v, e, clock) {
		v = &view{}
	}
	r := &p.ready
	best, distance := -1, math.Inf(1)
	if v.anywhere() && r.even {
		best = highest(key, r.list[:r.under])
	} else {
		for i := range r.list[:r.under] {
			k := &r.list[i]
			if d := remoteness(hash(key, k.seed)) * k.size; d < distance && !v.spares(k.session) {
				best, distance = i, d
			}
		}
	}
	if best >= 0 {
		return best
	}
	for i, k := range r.list[r.under:] {
		if load := float64(k.out) * k.allowance; load < distance && !v.spares(k.session) {
			best, distance = r.under+i, load
		}
	}
	return best
}

// freeToGo reports whether a check may go to every node, since it should avoid none or has
// waited for another long enough.
func (p *placement) freeToGo(v *view, e *entry, clock time.Duration) bool {
	return v.anywhere() || clock-e.since >= p.avoidFor
}

// backlog returns for how long the check has waited that has waited longest for nothing but
// credit: not for another node than those it should not go to.
func (p *placement) backlog(q *queue, among *sessions, clock time.Duration) time.Duration {
	var longest time.Duration
	takers := among.takers()
	for _, l := range q.lanes {
		if l.entries.Empty() {
			continue
		}
		if v := viewOf(l, among, takers); p.freeToGo(&v, v.first, clock) {
			longest = max(longest, clock-v.first.since)
		}
	}
	return longest
}

// highest returns whom a key hashes highest with; -1 when there is nobody. With nodes of one
// size it is the nearest.
func highest(key uint64, list []candidate) int {
	best, top := -1, uint64(0)
	for i := range list {
		if h := hash(key, list[i].seed) | 1; h > top {
			best, top = i, h
		}
	}
	return best
}
