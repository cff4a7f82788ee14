package dispatch

import (
	"cmp"
	"slices"
	"time"
)

// Assign checks out what is queued, as credits allow: urgent checks first, then the
// oldest, shared among the sessions in proportion to their free credit.
func (c *Core) Assign(now time.Time) []Batch {
	total := c.makeReady()
	if total == 0 || c.Queued() == 0 {
		return nil
	}
	nodes := c.nodes()
	// A fair share each; then, because some checks may not go to some nodes, whatever
	// anybody has credit for.
	for _, s := range c.ready {
		credit := s.credit
		share := (c.Queued()*credit + total - 1) / total
		c.pick(now, s, share, nodes)
		total -= credit
	}
	for _, s := range c.ready {
		c.pick(now, s, s.credit, nodes)
	}
	var batches []Batch
	for _, s := range c.ready {
		for chunk := range slices.Chunk(s.picked, c.config.MaxBatch) {
			batches = append(batches, c.hand(now, s, chunk))
		}
		clear(s.picked)
		s.picked = s.picked[:0]
	}
	clear(c.ready)
	return batches
}

// makeReady puts the sessions that may get checks into c.ready, the one with the most
// free credit first and equals in a random turn, and returns their credit in all.
func (c *Core) makeReady() int {
	c.ready = c.ready[:0]
	if c.Queued() == 0 {
		return 0
	}
	total := 0
	for _, s := range c.sessions {
		if !s.draining && s.credit > 0 {
			c.ready = append(c.ready, s)
			total += s.credit
		}
	}
	if n := len(c.ready); n > 1 {
		turn := int(c.config.Random() % uint64(n))
		slices.Reverse(c.ready[:turn])
		slices.Reverse(c.ready[turn:])
		slices.Reverse(c.ready)
		slices.SortStableFunc(c.ready, func(a, b *session) int { return cmp.Compare(b.credit, a.credit) })
	}
	return total
}

// pick takes up to n checks off the queue for a session.
func (c *Core) pick(now time.Time, s *session, n, nodes int) {
	mayTake := func(l *lane) bool { return c.mayTake(now, s, l, nodes) }
	for n = min(n, s.credit); n > 0; n-- {
		e := c.urgent.first(mayTake)
		if e == nil {
			e = c.routine.first(mayTake)
		}
		if e == nil {
			return
		}
		c.queueOf(e).remove(e)
		s.picked = append(s.picked, e)
		s.credit--
		s.out++
	}
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

func (s *session) canTake() bool { return !s.draining && s.hello.MaxInFlight > 0 }

// mayTake says whether a session may take the oldest check of a lane: its node is none
// to spare, or no other is connected, or the check has waited long enough for another.
// With only the node to avoid and the one that lost the check, the latter may.
func (c *Core) mayTake(now time.Time, s *session, l *lane, nodes int) bool {
	node := s.hello.Node
	others := nodes - 1
	switch {
	case l.avoid != "" && l.avoid == node:
	case l.lost != "" && l.lost == node:
		if avoided := c.byNode[l.avoid]; l.avoid != "" && avoided != nil && avoided.canTake() {
			others--
		}
	default:
		return true
	}
	return others == 0 || now.Sub(l.head.since) >= c.config.AvoidFor
}
