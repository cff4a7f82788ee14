package dispatch

import (
	"cmp"
	"errors"
	"time"

	"github.com/Automattic/jetmon/internal/cadence"
	"github.com/Automattic/jetmon/internal/check"
)

// Errors of Core, to be compared with errors.Is.
var (
	// ErrOpen: the site has an open check already.
	ErrOpen = errors.New("the site has an open check")
	// ErrFull: the queue takes no more routine checks.
	ErrFull = errors.New("the queue is full")
	// ErrNoSession: there is no such session, or no more.
	ErrNoSession = errors.New("no such session")
	// ErrOverCredit: more was granted than MaxInFlight allows; what it allows is granted.
	ErrOverCredit = errors.New("more credit than max_in_flight allows")
	// ErrInvalid: what was asked makes no sense whatever is checked out.
	ErrInvalid = errors.New("not a valid check-in, check or credit")
	// ErrNotCheckedOut: the batch is not, or no longer known to have been, checked out to the session.
	ErrNotCheckedOut = errors.New("the batch is not checked out")
	// ErrMismatch: the batch was checked out under another id, or without some of the
	// checks named. Nothing was applied.
	ErrMismatch = errors.New("the batch that was checked in was not checked out")
)

// NameTaken is why a process gets no session: another process has the name and is heard.
type NameTaken struct {
	// Holder is the session that has it.
	Holder SessionID
	// Left is after how long it yields the name unless it is heard meanwhile.
	Left time.Duration
}

func (*NameTaken) Error() string { return "another process works under the name of the node" }

// SessionID numbers the sessions of one Core, from 1.
type SessionID uint64

// BatchID numbers the batches of one Core, from 1.
type BatchID uint64

// Ref names one checked-out batch. Checkout is random: knowing it proves that the
// batch was handed to the caller.
type Ref struct {
	Batch    BatchID
	Checkout uint64
}

// Hello is what a checker says of itself.
type Hello struct {
	// Node is its name, stable over restarts; Instance is random for each process.
	Node, Instance, Region string
	// Address is where it dials from, for people; empty when that is not known.
	Address string
	// MaxInFlight is how many checks it will have out at most.
	MaxInFlight int
}

// Check is one check of one site.
type Check struct {
	Site check.SiteID
	// Sequence numbers the checks of a site.
	Sequence uint64
	// Avoid is a node that should not get the check while another is connected; empty for none.
	Avoid string
	// Due is when the check was due. It is carried through.
	Due time.Time
	// Tag is the caller's own, carried through.
	Tag uint32
	// Host is the machine that the check goes to, a hash of its address. 0: not known,
	// and not limited.
	Host uint32
	// Urgent checks, re-checks and second looks, go before routine ones.
	Urgent bool
}

// Key names one check.
type Key struct {
	Site     check.SiteID
	Sequence uint64
}

// Batch is checked out to a session until Expires. Checks are the caller's to keep.
type Batch struct {
	Session SessionID
	Ref     Ref
	Checks  []Check
	Expires time.Time
}

// Expired names a batch that ended although its session lives: what the session has of
// it is to be revoked.
type Expired struct {
	Session SessionID
	Ref     Ref
}

// Config of a Core. Zero values mean the defaults.
type Config struct {
	// Lease is how long a batch stays checked out, cadence.Lease by default.
	Lease time.Duration
	// SessionTimeout is the silence after which a session is lost, cadence.SessionTimeout by
	// default.
	SessionTimeout time.Duration
	// YieldAfter is the silence after which a session yields the name of its node to another
	// process, two heartbeats or 10 s by default: two thirds of SessionTimeout.
	YieldAfter time.Duration
	// AvoidFor is how long a queued check waits for another node than those that it
	// should not go to, 5 s by default.
	AvoidFor time.Duration
	// MaxBatch is how many checks a batch has at most, 100 by default.
	MaxBatch int
	// MaxQueue is how many checks may be queued when a routine one is submitted, and how
	// many may be parked when it has to be parked, 100,000 by default.
	MaxQueue int
	// PerHost is how many checks of one host may be out at once over all sessions; 0: as
	// many as there are.
	PerHost int
	// SlowStart is how long a new session takes to grow to its MaxInFlight, 10 s by
	// default; negative: it has all of it at once.
	SlowStart time.Duration
	// Random makes checkout ids, which must not be guessable. It must be set.
	Random func() uint64
}

func (c Config) withDefaults() Config {
	c.Lease = cmp.Or(c.Lease, cadence.Lease)
	c.SessionTimeout = cmp.Or(c.SessionTimeout, cadence.SessionTimeout)
	c.YieldAfter = cmp.Or(c.YieldAfter, 2*c.SessionTimeout/3)
	c.AvoidFor = cmp.Or(c.AvoidFor, 5*time.Second)
	c.MaxBatch = cmp.Or(c.MaxBatch, 100)
	c.MaxQueue = cmp.Or(c.MaxQueue, 100_000)
	c.SlowStart = cmp.Or(c.SlowStart, 10*time.Second)
	return c
}

// Core is all that is queued and checked out. New makes one. It is not safe for
// concurrent use, and its times must not go back by much.
type Core struct {
	config Config
	// now is the latest time that was given, clock how long that is after the first.
	first, now time.Time
	clock      time.Duration

	// open holds the one open check of each site that has one.
	open            table[entry]
	urgent, routine queue
	free            []*entry

	// hosts are those with checks that are queued, parked or out.
	hosts     table[host]
	freeHosts []*host
	parked    int

	// sessions are sorted by id; there is one a node.
	sessions []*Session
	byNode   map[string]*Session

	// batches holds the live batches and the remembered ones. Each is in one of the lists.
	batches map[BatchID]*batch
	live    batchList // by expiry
	void    batchList // live, though none of their checks is open
	lost    batchList // ended with checks unanswered
	done    batchList // answered whole
	spare   [][]*batch
	fenced  fences

	lastSession SessionID
	lastBatch   BatchID
	lastCheck   uint64

	positions []int // scratch of CheckIn
	classes   []Class
	ready     ready // scratch of Assign
	checks    []Check
	views     []view
	ahead     uint64 // of Expect
}

// New makes a Core without sessions and checks.
func New(config Config) *Core {
	return &Core{
		config:  config.withDefaults(),
		urgent:  newQueue(),
		routine: newQueue(),
		byNode:  map[string]*Session{},
		batches: map[BatchID]*batch{},
		fenced:  fences{serials: map[uint64]struct{}{}},
	}
}

// Submit queues a check. Of a site only one check can be open (ErrOpen); routine
// checks are not taken when the queue is full (ErrFull).
func (c *Core) Submit(now time.Time, k Check) error {
	c.tick(now)
	limited := c.config.PerHost > 0 && k.Host != 0
	var h *host
	if limited {
		h = c.hosts.get(uint64(k.Host))
	}
	switch {
	case k.Site <= 0:
		return ErrInvalid
	case c.openOf(k.Site) != nil:
		return ErrOpen
	case !k.Urgent && c.full(h):
		return ErrFull
	}
	e := c.newEntry()
	e.check = k
	if limited && h == nil {
		h = c.newHost(k.Host)
	}
	e.host = h
	c.open.put(uint64(k.Site), e)
	c.admit(e)
	return nil
}

// full says that a routine check of a host cannot be taken. The parked checks of a crowded host
// take nobody's place in the queue, but their number is bounded too.
func (c *Core) full(h *host) bool {
	if h != nil && h.taken >= c.config.PerHost {
		return c.parked >= c.config.MaxQueue
	}
	return c.Queued() >= c.config.MaxQueue
}

// Withdraw forgets the open check of a site, if there is one. A result of it is late.
// When it is out, its room and its place on the host are taken until its result comes
// or its batch ends.
func (c *Core) Withdraw(site check.SiteID) {
	if e := c.openOf(site); e != nil {
		c.close(e)
	}
}

// Fence is Withdraw for a site that another coordinator owns now: a result of its
// check is stale.
func (c *Core) Fence(site check.SiteID) {
	e := c.openOf(site)
	if e == nil {
		return
	}
	if e.batch != nil || e.returned { // else nobody can have a result
		c.fenced.add(c.now, e.serial)
	}
	c.close(e)
}

// Queued returns how many checks wait to be handed out, but for the parked ones.
func (c *Core) Queued() int { return c.urgent.count + c.routine.count }

// Parked returns how many checks wait for another check of their host to come back.
func (c *Core) Parked() int { return c.parked }

// Open returns how many checks are open: queued, parked or out.
func (c *Core) Open() int { return c.open.count }

// Has says whether a site has an open check.
func (c *Core) Has(site check.SiteID) bool { return c.openOf(site) != nil }

func (c *Core) openOf(site check.SiteID) *entry { return c.open.get(uint64(site)) }

// Backlog returns for how long the routine check has waited that has waited longest for
// nothing but credit: not for its host, and not for another node than those it should
// not go to.
func (c *Core) Backlog(now time.Time) time.Duration {
	c.tick(now)
	var longest time.Duration
	nodes := c.nodes()
	for _, l := range c.routine.lanes {
		if l.head == nil {
			continue
		}
		waited := c.clock - l.head.since
		if v := c.viewOf(l, nodes); v.anywhere() || waited >= c.config.AvoidFor {
			longest = max(longest, waited)
		}
	}
	return longest
}

// newEntry takes an entry from the free ones and makes it a new check.
func (c *Core) newEntry() *entry {
	var e *entry
	if n := len(c.free); n > 0 {
		e = c.free[n-1]
		c.free = c.free[:n-1]
	} else {
		e = new(entry)
	}
	c.lastCheck++
	e.serial = c.lastCheck
	return e
}

// close ends an open check. Batches that it was in find a serial that is not theirs.
func (c *Core) close(e *entry) {
	c.open.remove(uint64(e.check.Site))
	placeless := false
	switch b := e.batch; {
	case b != nil:
		b.open--
		if b.open == 0 && b.left > 0 {
			c.move(b, &c.void)
		}
		placeless = b.slots[e.position].out // its place is the slot's now
	case e.lane != nil:
		c.dequeue(e)
	default:
		c.unpark(e)
		placeless = true
	}
	e.serial, e.batch = 0, nil
	if e.returned {
		e.returned, e.lost = false, ""
	}
	if h := e.host; h != nil {
		e.host = nil
		if !placeless {
			c.leave(h)
		}
	}
	c.free = append(c.free, e)
}

// tick takes notice of the time.
func (c *Core) tick(now time.Time) {
	if now == c.now {
		return
	}
	if c.first.IsZero() {
		c.first = now
	}
	c.now, c.clock = now, now.Sub(c.first)
}

func (c *Core) queueOf(e *entry) *queue {
	if e.check.Urgent {
		return &c.urgent
	}
	return &c.routine
}
