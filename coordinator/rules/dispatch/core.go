package dispatch

import (
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Core is all that is queued and checked out. New makes one. It keeps the order of steps;
// what its parts decide they return. It is not safe for concurrent use, and its times must
// not go back by much.
type Core struct {
	config Config
	clock  clock

	// open holds every open check. Invariant: each is either in waiting or in a live batch.
	open      openChecks
	waiting   waiting
	sessions  sessions
	batches   batches
	placement placement

	// positions is scratch of CheckIn; receipt is its latest answer, whose slices are used
	// again.
	positions []int
	receipt   Receipt
	// ahead is a sum that nobody reads: see ahead.go.
	ahead uint64
}

// New makes a Core without sessions and checks.
func New(config Config) *Core {
	config = config.withDefaults()
	return &Core{
		config:    config,
		waiting:   newWaiting(&config),
		sessions:  newSessions(&config),
		batches:   newBatches(&config),
		placement: placement{avoidFor: config.AvoidFor},
	}
}

// Submit queues a check. Of a site only one check can be open (ErrOpen); routine
// checks are not taken when the queue is full (ErrFull).
func (c *Core) Submit(now time.Time, k Check) error {
	c.clock.set(now)
	h := c.waiting.hosts.find(k.Host)
	switch {
	case k.Site <= 0:
		return ErrInvalid
	case c.Has(k.Site):
		return ErrOpen
	case !k.Urgent && c.waiting.isFull(h):
		return ErrFull
	}
	c.waiting.admit(c.open.add(&k), h, c.clock.elapsed)
	return nil
}

// Withdraw forgets the open check of a site, if there is one. A result of it is late.
// When it is out, its room and its place on the host are taken until its result comes
// or its batch ends.
func (c *Core) Withdraw(site check.SiteID) {
	if e := c.open.of(site); e != nil {
		c.close(e)
	}
}

// Fence is Withdraw for a site that another coordinator owns now: a result of its
// check is stale.
func (c *Core) Fence(site check.SiteID) {
	e := c.open.of(site)
	if e == nil {
		return
	}
	if e.batch != nil || e.returned { // else nobody can have a result
		c.batches.fenced.add(c.clock.now, e.serial)
	}
	c.close(e)
}

// close ends an open check. The place that it had on its host is free then, but for one that
// is out unanswered: that place stays taken for the batch.
func (c *Core) close(e *entry) {
	switch {
	case e.batch == nil:
		c.waiting.withdraw(e, c.clock.elapsed)
	case c.batches.closed(e):
		c.waiting.vacate(e.host, c.clock.elapsed)
	}
	c.open.remove(e)
}

// Queued returns how many checks wait to be handed out, but for the parked ones.
func (c *Core) Queued() int { return c.waiting.queued() }

// Parked returns how many checks wait for another check of their host to come back.
func (c *Core) Parked() int { return c.waiting.hosts.parked }

// Open returns how many checks are open: queued, parked or out.
func (c *Core) Open() int { return c.open.bySite.Len() }

// Has says whether a site has an open check.
func (c *Core) Has(site check.SiteID) bool { return c.open.of(site) != nil }

// Backlog returns for how long the routine check has waited that has waited longest for
// nothing but credit: not for its host, and not for another node than those it should
// not go to.
func (c *Core) Backlog(now time.Time) time.Duration {
	c.clock.set(now)
	return c.placement.backlog(&c.waiting.routine, &c.sessions, c.clock.elapsed)
}
