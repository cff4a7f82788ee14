package dispatch

import (
	"slices"
	"time"
)

// Assign checks out what is queued, as credits allow: urgent checks first, then the
// oldest. Where a check goes is said at place.
func (c *Core) Assign(now time.Time) []Batch {
	c.tick(now)
	if c.Queued() == 0 {
		return nil
	}
	c.makeReady(now)
	if len(c.ready.list) == 0 {
		return nil
	}
	c.deal(&c.urgent)
	c.deal(&c.routine)
	clear(c.ready.list[:cap(c.ready.list)])
	var batches []Batch
	for _, s := range c.sessions {
		if len(s.picked) == 0 {
			continue
		}
		s.credit -= len(s.picked)
		s.out += len(s.picked)
		for chunk := range slices.Chunk(s.picked, c.config.MaxBatch) {
			batches = append(batches, c.hand(now, s, chunk))
		}
		clear(s.picked)
		s.picked = s.picked[:0]
	}
	return batches
}

// deal picks sessions for the checks of a queue, in order, until it is empty or nobody
// may have what is left.
func (c *Core) deal(q *queue) {
	nodes := c.nodes()
	c.views = c.views[:0]
	for _, l := range q.lanes {
		if l.head != nil {
			c.views = append(c.views, c.viewOf(l, nodes))
		}
	}
	for len(c.ready.list) > 0 && len(c.views) > 0 {
		next := 0
		for i := 1; i < len(c.views); i++ {
			if c.views[i].lane.head.before(c.views[next].lane.head) {
				next = i
			}
		}
		v := &c.views[next]
		e := v.lane.head
		at := c.place(v, e)
		if at >= 0 {
			c.dequeue(e)
			s := c.ready.list[at].session
			s.picked = append(s.picked, e)
			c.ready.give(at)
		}
		// What comes after a check that has to wait has waited for less long.
		if at < 0 || v.lane.head == nil {
			c.views = slices.Delete(c.views, next, next+1)
		}
	}
}

// view is a lane as one Assign sees it, with the sessions of the nodes that its checks
// should not go to. One without which they could go nowhere is not among them.
type view struct {
	lane        *lane
	avoid, lost *Session
}

// anywhere says that the checks of the lane may go to every node.
func (v *view) anywhere() bool { return v.avoid == nil && v.lost == nil }

// spares says whether the lane's checks should not go to a session.
func (v *view) spares(s *Session) bool { return s == v.avoid || s == v.lost }

// viewOf looks at a lane. With only the node to avoid and the one that lost the check,
// the latter may have it.
func (c *Core) viewOf(l *lane, nodes int) view {
	v := view{lane: l}
	avoid, lost := c.taker(l.avoid), c.taker(l.lost)
	others := nodes - 1
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

// taker returns the session of a node, nil when checks cannot go to it.
func (c *Core) taker(node string) *Session {
	if node == "" {
		return nil
	}
	if s := c.byNode[node]; s != nil && s.canTake() {
		return s
	}
	return nil
}

// nodes counts the nodes that checks can go to.
func (c *Core) nodes() int {
	n := 0
	for _, s := range c.sessions {
		if s.canTake() {
			n++
		}
	}
	return n
}

func (s *Session) canTake() bool { return !s.draining && s.hello.MaxInFlight > 0 }
