package alarm

import (
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Facts are the reports of the parts of a coordinator at one moment.
type Facts struct {
	// Started is when the coordinator began.
	Started time.Time
	// Checkers are the connected ones; NoCheckersSince is when the last one left, zero
	// while at least one is connected.
	Checkers        []Checker
	NoCheckersSince time.Time
	// Undecided are the oldest suspects on which the panel could not decide;
	// UndecidedCount counts all of them.
	Undecided      []Undecided
	UndecidedCount int
	// Disagreements are the oldest suspects about which a veriflier's readers disagree.
	Disagreements []Disagreement
	Store         Store
	Delivery      Delivery
	Schedule      Schedule
	// Unowned are the shards that nobody owns. It is empty while the owners cannot be read.
	Unowned []Unowned
	// Strays are rows whose bucket belongs to no shard.
	Strays Strays
	// Verifliers are the members of the panel that cannot vote.
	Verifliers []Veriflier
	// CutOff is when it last was so that no connected checker reached its anchors; zero if never.
	CutOff time.Time
	// Peers are the coordinators that do not answer.
	Peers []Peer
}

// Checker is one connected checker.
type Checker struct {
	Node, Region string
	// Detail is the finding of its self-check.
	Detail string
	// UnhealthySince is when it stopped reaching its own anchors; QuarantinedSince is when
	// its failures stopped counting. Each is zero while that is not the case.
	UnhealthySince, QuarantinedSince time.Time
	// Instance distinguishes processes with its name; Rival is another process that wants
	// that name.
	Instance string
	Rival    Rival
}

// Rival is a process that was refused because its name is taken. Since is zero when there
// is none.
type Rival struct {
	Region, Instance string
	Since            time.Time
}

// Veriflier is a veriflier that cannot vote.
type Veriflier struct {
	Name, Region string
	// Since is when it stopped being well; Detail is why.
	Since  time.Time
	Detail string
	// Offline is set when it does not reach its own anchors.
	Offline bool
}

// Undecided is one suspect on which the panel could not decide.
type Undecided struct {
	Site   check.SiteID
	URL    string
	Since  time.Time
	Reason string
}

// Disagreement is one suspect about which the readers of a veriflier disagree.
type Disagreement struct {
	Site  check.SiteID
	URL   string
	Since time.Time
	// Veriflier is whose readers they are, Saw what both saw, in words.
	Veriflier, Saw string
}

// Store is how well the database accepts a coordinator's writes.
type Store struct {
	// Uncommitted counts the waiting changes, the oldest of them from OldestSince; Full
	// means that there is no room for more.
	Uncommitted int
	OldestSince time.Time
	Full        bool
	// FailingSince is when the database began to refuse changes, zero while it accepts
	// them; Err is its error.
	FailingSince time.Time
	Err          string
	// Uncertain counts the shards whose leases could not be renewed in time, the first of
	// them since UncertainSince.
	Uncertain      int
	UncertainSince time.Time
}

// Delivery is how well WordPress.com accepts notifications.
type Delivery struct {
	// RefusedSince is when it began to refuse, zero while it accepts all; LastError is why.
	RefusedSince time.Time
	LastError    string
	// Endpoints are the subscriptions, WordPress.com among them.
	Endpoints []Endpoint
}

// Endpoint is how well a subscription can be told.
type Endpoint struct {
	Name string
	// WordPressCom is set for WordPress.com.
	WordPressCom bool
	// Pending counts what is still to be told; Oldest is since when the oldest of that could be.
	Pending int
	Oldest  time.Time
	// PausedSince is since when it refuses us, zero while it does not; Why is its answer.
	PausedSince time.Time
	Why         string
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

// Strays are active rows of buckets from First to Last, which do not exist.
type Strays struct {
	Rows        int
	First, Last int64
	Since       time.Time // zero while there are none
}

// Peer is a coordinator that does not answer.
type Peer struct {
	Node, Endpoint string
	// FailingSince is when it stopped answering; Detail is the error.
	FailingSince time.Time
	Detail       string
}
