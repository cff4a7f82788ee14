package dispatch

import (
	"slices"
	"time"
)

// entry is one open check: on a lane while it is queued, in a batch while it is out,
// with neither while it is parked. What every check needs stands together.
type entry struct {
	// serial tells this check from all others, also from one of the same site and
	// sequence that was withdrawn; 0 when the entry is free.
	serial uint64
	// batch is the live one that has the check, at a position.
	batch    *batch
	position int32
	// returned says that the check was out and is not answered, lost by whom the last time.
	returned bool

	// since is when the check was queued last, order its place in the queue.
	since      time.Duration
	order      int64
	lane       *lane
	prev, next *entry

	check Check
	lost  string

	// host is nil when it has no limit. siblings is the list of it that the check is on.
	host           *host
	siblings       *siblings
	elder, younger *entry
}

// terms are what the checks of a lane have in common: the node to avoid, and whether
// they were returned undone, by which node.
type terms struct {
	avoid, lost string
	returned    bool
}

// lane holds the queued checks of the same terms, those first that have waited longest.
type lane struct {
	terms
	head, tail *entry
}

// queue is first in, first out, returned checks before new ones, but for checks that
// should not go to the node that asks: these must not hold up the rest, hence a lane
// for each pair of nodes to spare. There are few such pairs at a time, and lanes that
// are empty go, but for the first: it is that of new checks that may go anywhere, as
// nearly all may.
type queue struct {
	lanes []*lane
	count int
	last  int64
}

func newQueue() queue { return queue{lanes: []*lane{{}}} }

// push queues a check behind all others that were returned, or were not, as it was.
func (q *queue) push(e *entry, clock time.Duration) {
	q.last++
	e.order, e.since = q.last, clock
	l := q.laneFor(e.terms())
	e.lane, e.prev, e.next = l, l.tail, nil
	if l.tail != nil {
		l.tail.next = e
	} else {
		l.head = e
	}
	l.tail = e
	q.count++
}

func (q *queue) remove(e *entry) {
	l := e.lane
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		l.head = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		l.tail = e.prev
	}
	e.lane, e.prev, e.next = nil, nil, nil
	q.count--
	if l.head == nil && l != q.lanes[0] {
		i := slices.Index(q.lanes, l)
		q.lanes = slices.Delete(q.lanes, i, i+1)
	}
}

func (q *queue) laneFor(t terms) *lane {
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

func (e *entry) before(o *entry) bool {
	if e.returned != o.returned {
		return e.returned
	}
	return e.order < o.order
}
