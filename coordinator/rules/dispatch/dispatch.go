package dispatch

import (
	"cmp"
	"errors"
	"time"

	"github.com/Automattic/jetmon/internal/address"
	"github.com/Automattic/jetmon/internal/cadence"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/traceid"
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
	// Addresses decides which special addresses it visits; nil when it does not say.
	Addresses *address.Policy
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
	// Traces, in the order of Checks, are those that some of them belong to. The caller adds them.
	Traces []Traced
}

// Traced is a check of a batch, by its index, that belongs to a trace.
type Traced struct {
	Check  int
	Parent traceid.Context
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
