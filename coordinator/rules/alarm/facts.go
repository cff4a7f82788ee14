package alarm

import (
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Facts are what the parts of a coordinator report of themselves at one moment.
type Facts struct {
	// Started is when the coordinator began.
	Started time.Time
	// Checkers are those that are connected; NoCheckersSince is when the last one left,
	// zero while there is one.
	Checkers        []Checker
	NoCheckersSince time.Time
	// Undecided are the oldest suspects on which the panel could not decide;
	// UndecidedCount counts all of them.
	Undecided      []Undecided
	UndecidedCount int
	Store          Store
	Delivery       Delivery
	Schedule       Schedule
	// Unowned are the shards that nobody owns. It is empty while the owners cannot be read.
	Unowned []Unowned
	// Peers are the coordinators that do not answer.
	Peers []Peer
}

// Checker is one connected checker.
type Checker struct {
	Node, Region string
	// Detail says what its self-check found.
	Detail string
	// UnhealthySince is when it stopped reaching its own anchors, QuarantinedSince when its
	// failures stopped counting; each is zero while that is not so.
	UnhealthySince, QuarantinedSince time.Time
	// Instance tells its processes apart; Rival is another process that wants its name.
	Instance string
	Rival    Rival
}

// Rival is a process that was refused because its name is taken. Its Since is zero when
// there is none.
type Rival struct {
	Region, Instance string
	Since            time.Time
}

// Undecided is one suspect on which the panel could not decide.
type Undecided struct {
	Site   check.SiteID
	URL    string
	Since  time.Time
	Reason string
}

// Store is how the database takes what a coordinator writes.
type Store struct {
	// Uncommitted changes wait, the oldest since OldestSince; Full means that too many do.
	Uncommitted int
	OldestSince time.Time
	Full        bool
	// FailingSince is when the database began to refuse them, zero while it does not;
	// Err says how.
	FailingSince time.Time
	Err          string
	// Uncertain shards have leases that could not be renewed lately, the first of them
	// since UncertainSince.
	Uncertain      int
	UncertainSince time.Time
}

// Delivery is how WordPress.com takes notifications.
type Delivery struct {
	// RefusedSince is zero while it accepts all; LastError says why it does not.
	RefusedSince time.Time
	LastError    string
}

// Schedule is how well checkers keep up.
type Schedule struct {
	Stretch float64
	// Coverage is the share of checks made on time, from 0 to 1, once it is Known.
	Coverage float64
	Known    bool
}

// Unowned is a shard that nobody owns, with its first and last bucket.
type Unowned struct {
	Shard                   int
	FirstBucket, LastBucket check.BucketID
	Since                   time.Time
}

// Peer is a coordinator that does not answer.
type Peer struct {
	Node, Endpoint string
	// FailingSince is when it stopped; Detail says how.
	FailingSince time.Time
	Detail       string
}
