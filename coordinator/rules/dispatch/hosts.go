package dispatch

import (
	"github.com/Automattic/jetmon/internal/list"
	"github.com/Automattic/jetmon/internal/table"
)

// host is one machine that checks go to. It exists while it has checks.
type host struct {
	id uint32
	// taken is how many of its places are taken: by checks that are queued, and by those
	// that are out, withdrawn or not. Invariant: it is from 1 to perHost.
	taken int32
	// queued lists the routine checks in the queue. They make way for urgent ones, the last
	// first.
	queued list.List[entry]
	// urgent and routine list the parked checks. Invariant: unless all places are taken
	// both are empty; unless queued is empty, urgent is.
	urgent, routine list.List[entry]
}

// hosts knows who has a place at a host, and who waits for one.
type hosts struct {
	// perHost is how many places a host has; 0: there is no limit, and no host.
	perHost int
	byID    table.Table[host]
	free    []*host
	// parked is how many checks are parked at all hosts.
	parked int
}

// find returns the host of a number; nil when it has no checks or no limit.
func (s *hosts) find(id uint32) *host { return s.byID.Get(uint64(id)) }

// limits reports whether the host of a number has a limit.
func (s *hosts) limits(id uint32) bool { return s.perHost > 0 && id != 0 }

// isFull reports whether all places of a host are taken.
func (s *hosts) isFull(h *host) bool { return int(h.taken) >= s.perHost }

// add makes the host of a number that has none.
func (s *hosts) add(id uint32) *host {
	var h *host
	if n := len(s.free); n > 0 {
		h = s.free[n-1]
		s.free = s.free[:n-1]
	} else {
		h = new(host)
	}
	h.id = id
	s.byID.Put(uint64(id), h)
	return h
}

// line lists a check that enters the queue with its place, if it may have to make way.
func (h *host) line(e *entry) {
	switch {
	case e.check.Urgent:
	case e.returned:
		h.queued.PushFront(&e.onHost, e)
	default:
		h.queued.PushBack(&e.onHost, e)
	}
}

// park has a check wait for a place of its host.
func (s *hosts) park(e *entry) {
	e.host.parkedLike(e).PushBack(&e.onHost, e)
	s.parked++
}

func (s *hosts) unpark(e *entry) {
	e.host.parkedLike(e).Remove(&e.onHost)
	s.parked--
}

// parkedLike returns the list of the parked checks that are urgent, or not, as a check is.
func (h *host) parkedLike(e *entry) *list.List[entry] {
	if e.check.Urgent {
		return &h.urgent
	}
	return &h.routine
}

// giveWay gives the place of a routine check that is only queued to an urgent one that is
// parked. The routine check is parked now, the urgent one is not. It returns nil unless
// there are both.
func (s *hosts) giveWay(h *host) (routine, urgent *entry) {
	routine, urgent = h.queued.Back(), h.urgent.Front()
	if routine == nil || urgent == nil {
		return nil, nil
	}
	h.queued.Remove(&routine.onHost)
	h.routine.PushFront(&routine.onHost, routine)
	h.urgent.Remove(&urgent.onHost)
	return routine, urgent
}

// leave frees a place of a host. It returns the parked check that gets it, the one that has
// waited longest, urgent ones first; nil when none is parked.
func (s *hosts) leave(h *host) *entry {
	parked := &h.urgent
	if parked.Empty() {
		parked = &h.routine
	}
	if next := parked.Front(); next != nil {
		parked.Remove(&next.onHost)
		s.parked--
		return next
	}
	h.taken--
	if h.taken == 0 {
		s.byID.Remove(uint64(h.id))
		s.free = append(s.free, h)
	}
	return nil
}
