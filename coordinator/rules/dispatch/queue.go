package dispatch

import (
	"slices"
	"time"

	"github.com/Automattic/jetmon/internal/list"
)

// terms are what the checks of a lane have in common: the node to avoid, and whether they
// were returned undone, by which node.
type terms struct {
	avoid, lost string
	returned    bool
}

// lane holds the queued checks of the same terms, in their order: the first has waited
// longest.
type lane struct {
	terms
	entries list.List[entry]
}

// queue is first in, first out, returned checks before new ones. A check that should not go
// to the node that asks must not hold up the rest; hence there is a lane for each pair of
// nodes to avoid. There are few such pairs at a time.
type queue struct {
	// lanes begin with that of new checks that may go anywhere, as nearly all may.
	// Invariant: no other lane is empty, and no two have the same terms.
	lanes []*lane
	// count is the number of checks on all lanes.
	count int
	// last is the order of the check that was queued last.
	last int64
}

func newQueue() queue { return queue{lanes: []*lane{{}}} }

// push queues a check behind all others of its kind, returned or new.
func (q *queue) push(e *entry, clock time.Duration) {
	q.last++
	e.order, e.since = q.last, clock
	e.lane = q.laneOf(e)
	e.lane.entries.PushBack(&e.onLane, e)
	q.count++
}

// remove takes a check out of the queue.
func (q *queue) remove(e *entry) {
	l := e.lane
	l.entries.Remove(&e.onLane)
	e.lane = nil
	q.count--
	if l != q.lanes[0] && l.entries.Empty() {
		i := slices.Index(q.lanes, l)
		q.lanes = slices.Delete(q.lanes, i, i+1)
	}
}

// laneOf returns the lane for a check.
func (q *queue) laneOf(e *entry) *lane {
	if !e.returned && e.check.Avoid == "" {
		return q.lanes[0]
	}
	t := e.terms()
	for _, l := range q.lanes {
		if l.terms == t {
			return l
		}
	}
	l := &lane{terms: t}
	q.lanes = append(q.lanes, l)
	return l
}

func (e *entry) terms() terms {
	return terms{avoid: e.check.Avoid, lost: e.lost, returned: e.returned}
}

// before reports whether a queued check goes before another.
func (e *entry) before(o *entry) bool {
	if e.returned != o.returned {
		return e.returned
	}
	return e.order < o.order
}
