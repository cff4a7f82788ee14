package dispatch

// host is one machine that checks go to. It exists while it has checks.
type host struct {
	id uint32
	// taken is how many of its PerHost places are taken: by checks that are queued, and
	// by those that are out, withdrawn or not.
	taken int
	// queued are the routine checks in the queue. They make way for urgent ones.
	queued siblings
	// urgent and routine are parked: there are some only when all places are taken.
	urgent, routine siblings
}

// siblings is a list of checks of one host.
type siblings struct{ head, tail *entry }

func (l *siblings) pushBack(e *entry) {
	e.siblings, e.elder, e.younger = l, l.tail, nil
	if l.tail != nil {
		l.tail.younger = e
	} else {
		l.head = e
	}
	l.tail = e
}

func (l *siblings) pushFront(e *entry) {
	e.siblings, e.elder, e.younger = l, nil, l.head
	if l.head != nil {
		l.head.elder = e
	} else {
		l.tail = e
	}
	l.head = e
}

func (l *siblings) remove(e *entry) {
	if e.elder != nil {
		e.elder.younger = e.younger
	} else {
		l.head = e.younger
	}
	if e.younger != nil {
		e.younger.elder = e.elder
	} else {
		l.tail = e.elder
	}
	e.siblings, e.elder, e.younger = nil, nil, nil
}

// newHost makes the host of a number that has none.
func (c *Core) newHost(id uint32) *host {
	var h *host
	if n := len(c.freeHosts); n > 0 {
		h = c.freeHosts[n-1]
		c.freeHosts = c.freeHosts[:n-1]
	} else {
		h = new(host)
	}
	h.id = id
	c.hosts.put(uint64(id), h)
	return h
}

// admit queues a new check if its host has a place, or one that it may take over, and
// parks it else.
func (c *Core) admit(e *entry) {
	h := e.host
	switch {
	case h == nil:
		c.enqueue(e)
	case h.taken < c.config.PerHost:
		h.taken++
		c.enqueue(e)
	default:
		c.park(e)
		c.giveWay(h)
	}
}

// giveWay has a routine check that is only queued give its place to a parked urgent
// one. It is called whenever there might be both.
func (c *Core) giveWay(h *host) {
	routine, urgent := h.queued.tail, h.urgent.head
	if routine == nil || urgent == nil {
		return
	}
	c.dequeue(routine)
	h.routine.pushFront(routine)
	c.parked++
	c.unpark(urgent)
	c.enqueue(urgent)
}

// leave gives a place of a host back: to the parked check that has waited longest,
// urgent ones first.
func (c *Core) leave(h *host) {
	if h == nil {
		return
	}
	next := h.urgent.head
	if next == nil {
		next = h.routine.head
	}
	if next != nil {
		c.unpark(next)
		c.enqueue(next)
		return
	}
	h.taken--
	if h.taken == 0 {
		c.hosts.remove(uint64(h.id))
		c.freeHosts = append(c.freeHosts, h)
	}
}

func (c *Core) park(e *entry) {
	l := &e.host.routine
	if e.check.Urgent {
		l = &e.host.urgent
	}
	l.pushBack(e)
	c.parked++
}

func (c *Core) unpark(e *entry) {
	e.siblings.remove(e)
	c.parked--
}

// enqueue queues a check that has its place.
func (c *Core) enqueue(e *entry) {
	c.queueOf(e).push(e, c.clock)
	switch {
	case e.host == nil || e.check.Urgent:
	case e.returned:
		e.host.queued.pushFront(e)
	default:
		e.host.queued.pushBack(e)
	}
}

func (c *Core) dequeue(e *entry) {
	c.queueOf(e).remove(e)
	if e.siblings != nil {
		e.siblings.remove(e)
	}
}
