package dispatch

import "time"

// waiting holds the open checks that are not out: each is queued, or parked while its host
// has no place for it.
//
// Invariant: a queued check of a limited host has a place there, a parked one has none.
type waiting struct {
	urgent, routine queue
	hosts           hosts
	// most is how many checks may be queued when a routine one comes, and as many parked.
	most int
}

func newWaiting(config *Config) waiting {
	return waiting{
		urgent: newQueue(), routine: newQueue(), hosts: hosts{perHost: config.PerHost}, most: config.MaxQueue,
	}
}

// queued returns how many checks are queued.
func (w *waiting) queued() int { return w.urgent.count + w.routine.count }

// isFull reports whether no routine check of a host is taken. The parked checks of a crowded
// host take nobody's place in the queue, but their number is bounded too. h is nil for a
// host without a limit, or without checks.
func (w *waiting) isFull(h *host) bool {
	if h != nil && w.hosts.isFull(h) {
		return w.hosts.parked >= w.most
	}
	return w.queued() >= w.most
}

// admit queues a new check if its host has a place, or one that the check may take over;
// otherwise it parks the check. h is the host as found; nil when it has no checks yet.
func (w *waiting) admit(e *entry, h *host, clock time.Duration) {
	if h == nil && w.hosts.limits(e.check.Host) {
		h = w.hosts.add(e.check.Host)
	}
	e.host = h
	switch {
	case h == nil:
		w.enqueue(e, clock)
	case !w.hosts.isFull(h):
		h.taken++
		w.enqueue(e, clock)
	default:
		w.hosts.park(e)
		if e.check.Urgent {
			w.giveWay(h, clock)
		}
	}
}

// requeue queues a check that was out. It has kept its place.
func (w *waiting) requeue(e *entry, clock time.Duration) {
	w.enqueue(e, clock)
	if e.host != nil {
		w.giveWay(e.host, clock)
	}
}

// withdraw takes a check out for good. If it has a place, the next one gets that.
func (w *waiting) withdraw(e *entry, clock time.Duration) {
	if !e.isQueued() {
		w.hosts.unpark(e)
		return
	}
	w.dequeue(e)
	w.vacate(e.host, clock)
}

// vacate gives a place of a host back, and queues the parked check that gets it. It does
// nothing for a host without a limit, which is nil.
func (w *waiting) vacate(h *host, clock time.Duration) {
	if h != nil {
		w.passOn(h, clock)
	}
}

func (w *waiting) passOn(h *host, clock time.Duration) {
	if next := w.hosts.leave(h); next != nil {
		w.enqueue(next, clock)
	}
}

// giveWay has a routine check that is only queued make way for an urgent one that is parked.
// It is called whenever there might be both.
func (w *waiting) giveWay(h *host, clock time.Duration) {
	if routine, urgent := w.hosts.giveWay(h); urgent != nil {
		w.routine.remove(routine)
		w.urgent.push(urgent, clock)
	}
}

// enqueue queues a check that has its place.
func (w *waiting) enqueue(e *entry, clock time.Duration) {
	w.queueOf(e).push(e, clock)
	if e.host != nil {
		e.host.line(e)
	}
}

// dequeue takes a check out of its queue; it keeps its place.
func (w *waiting) dequeue(e *entry) {
	w.queueOf(e).remove(e)
	if e.host != nil {
		e.host.queued.Remove(&e.onHost)
	}
}

func (w *waiting) queueOf(e *entry) *queue {
	if e.check.Urgent {
		return &w.urgent
	}
	return &w.routine
}
