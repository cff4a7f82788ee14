package store

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// Store is everything. All methods are safe for concurrent use, give up when ctx
// ends, and return errors of internal/fault: NotFound, AlreadyExists, Conflict,
// Fenced, else Unavailable.
type Store interface {
	Sites
	History
	Orphans
	Outbox
	Ownership
	Members
	Suspects
	Retention
	// Ping says whether the database answers.
	Ping(ctx context.Context) error
	Close() error
}

// Sites reads and edits what is monitored.
type Sites interface {
	// Site reads one site.
	Site(ctx context.Context, id check.SiteID) (Site, error)
	// SitesByID reads those of some sites that exist, by rising id and each once, whatever
	// the order of ids: at most 10,000, in a statement for some hundreds of them.
	SitesByID(ctx context.Context, ids []check.SiteID) ([]Site, error)
	// ListSites reads a page by rising id.
	ListSites(ctx context.Context, q SiteQuery) ([]Site, error)
	// ScanBuckets reads the active sites of the buckets first to last, each once and in any
	// order, and hands them to f in chunks, which are valid only during the call. It ends
	// early with the error of f. For many buckets, as when a coordinator starts, it is
	// several times as quick as one after the other.
	ScanBuckets(ctx context.Context, first, last check.BucketID, f func([]Site) error) error
	// ReadSpan looks at the active sites of some shards in a span of ids, and reads those of
	// the shards that were edited. known are the shards, each with the digest that it had
	// when it was read last, or 0.
	ReadSpan(ctx context.Context, span Span, known map[shard.ID]Digest) (SpanRead, error)
	// SpanEnd is the n-th id after one, of active sites or others; ok is false when there
	// are not so many.
	SpanEnd(ctx context.Context, after check.SiteID, n int) (id check.SiteID, ok bool, err error)
	// CreateSite adds a site; AlreadyExists when the blog has that URL.
	// It ignores ID and the status fields of s.
	CreateSite(ctx context.Context, s Site) (Site, error)
	// UpdateSite has edit change a site as it is stored, and answers it as it is stored then.
	// Of BlogID, URL, Interval, Paused and Settings it writes those that edit changed, so
	// that what others write to the rest at the same time stays; it ignores other changes.
	// It may call edit several times, and returns edit's error as it is. NotFound when there
	// is no such row, AlreadyExists as in CreateSite.
	UpdateSite(ctx context.Context, id check.SiteID, edit func(Site) (Site, error)) (Site, error)
	// DeleteSite removes the row and ends its open outage at time at, as EndDeleted, unreported.
	DeleteSite(ctx context.Context, id check.SiteID, at time.Time) error
}

// Span is a range of ids, both included.
type Span struct{ First, Last check.SiteID }

// Has says whether an id is in it.
func (s Span) Has(id check.SiteID) bool { return s.First <= id && id <= s.Last }

// Digest stands for the active sites of a shard in a span, with all that can be edited of
// them and nothing that commits write: no edit leaves it as it was. It is made by the
// database, and 0 where that makes none.
type Digest uint64

// SpanRead is what there was in a span, all at one moment.
type SpanRead struct {
	// Digests of the shards that were asked for.
	Digests map[shard.ID]Digest
	// Changed are those of them whose digest is not the known one, or is 0.
	Changed []shard.ID
	// Sites are all the active sites of Changed, by rising id.
	Sites []Site
	// Rows is how many active sites the shards that were asked for have.
	Rows int
}

// History reads and writes status changes with their evidence.
type History interface {
	// Commit writes one status change in one transaction: legacy row, outage with
	// evidence, transition, outbox row unless c.Muted. It is all or nothing. It answers
	// Fenced when the caller no longer owns the shard, Conflict when the site's row is gone,
	// paused, or has another status than c.From.
	//
	// If WordPress.com knows the site as running but an untold outage is open, a change from
	// running to down reports that outage, and one from down to running closes it without a
	// notice. If Known.Unsure, a change from down to running always gets a notice.
	// Committing a change again whose Key is already there changes nothing and
	// answers as the first time.
	Commit(ctx context.Context, f shard.Fence, c Change) (Committed, error)
	// CommitAll commits a group in one transaction: at most 200 changes of one shard, of
	// different sites and with different keys, else Invalid. It answers each in order and
	// as Commit would; one that does not fit does not spoil the others. An error of its
	// own is for all: nothing was written, or the answer was lost, and committing the
	// same again is right.
	CommitAll(ctx context.Context, f shard.Fence, cs []Change) ([]CommitResult, error)
	// KeepBallot keeps the evidence of a ballot that opened no outage.
	KeepBallot(ctx context.Context, f shard.Fence, b Ballot) error
	// Outage reads one outage with its ballot and checks.
	Outage(ctx context.Context, id int64) (Outage, error)
	// ListOutages reads a page, without ballots and checks: those that were confirmed last
	// come first, and among those of one moment the higher id.
	ListOutages(ctx context.Context, q OutageQuery) ([]Outage, error)
	// ListBallots reads the kept ballots of a site: those that were decided last come first.
	// Those that opened an outage are among them, with its OutageID.
	ListBallots(ctx context.Context, id check.SiteID, limit int) ([]Ballot, error)
}

// Retention forgets what is too old to be of use.
type Retention interface {
	// Expire deletes history of the fence's shard: at most limit ballots or outages, and
	// what belongs to them. It answers how many it found; fewer than limit means that
	// nothing is left to do. Fenced when the caller no longer owns the shard.
	//
	// An outage that is open stays, and so does one of a site that has notices in the
	// outbox. Its ballot is never deleted before it.
	Expire(ctx context.Context, f shard.Fence, e Expiry, limit int) (int, error)
}

// Expiry says what is too old. A zero time keeps everything of its kind.
type Expiry struct {
	// Ballots that opened no outage and were decided before go.
	Ballots time.Time
	// Outages that were over before go, with their ballots and transitions.
	Outages time.Time
}

// Ownership says which coordinator owns which shard.
type Ownership interface {
	// ClaimShard takes a shard that is free, expired at now, or already the owner's,
	// and raises its term. Conflict when somebody else holds it.
	ClaimShard(ctx context.Context, s shard.ID, o shard.Owner, now time.Time) (shard.Lease, error)
	// RenewShard extends a lease that is still the caller's; Fenced when it is not.
	RenewShard(ctx context.Context, l shard.Lease, expires time.Time) (shard.Lease, error)
	// ReleaseShard gives a lease back so that others can take it at once. Giving back
	// what is no longer the caller's is no error.
	ReleaseShard(ctx context.Context, l shard.Lease) error
	// ListShards reads all shards that were ever claimed.
	ListShards(ctx context.Context) ([]shard.Lease, error)
}

// Members are the coordinators that share the work, whether they own a shard or not.
type Members interface {
	// Announce says that a coordinator is there until m.Expires; doing so again extends it.
	Announce(ctx context.Context, m shard.Member) error
	// Retire takes a coordinator off. One that is not there is no error.
	Retire(ctx context.Context, node string) error
	// ListMembers reads those that have not expired at now, by name.
	ListMembers(ctx context.Context, now time.Time) ([]shard.Member, error)
}

// Suspects keeps what is known of sites in trouble, so that another process can go on
// where the last one ended. It is written every few seconds and never blocks a verdict.
type Suspects interface {
	// KeepSuspects writes some suspects of the fence's shard and forgets others, all or
	// nothing: at most 10,000 of each, none twice. One that is among both is kept. Invalid
	// when one cannot be kept; Fenced when the caller no longer owns the shard.
	KeepSuspects(ctx context.Context, f shard.Fence, keep []Suspect, forget []check.SiteID) error
	// ListSuspects reads all of a shard, by site. It forgets those whose site is gone from
	// the shard.
	ListSuspects(ctx context.Context, s shard.ID) ([]Suspect, error)
}

// Suspect is a site in trouble as it was at a moment.
type Suspect struct {
	SiteID check.SiteID
	Bucket check.BucketID
	// At is when this was so.
	At time.Time
	// URL is what was checked: of another one it says nothing.
	URL string
	// State is the engine's, opaque here, at most MaxSuspectState bytes.
	State []byte
}

// MaxSuspectState is how many bytes the state of a suspect has at most.
const MaxSuspectState = 64 << 10

// Site is a row of the legacy table, with our settings.
type Site struct {
	ID     check.SiteID
	BlogID check.BlogID
	Bucket check.BucketID
	URL    string
	Paused bool
	// Interval between checks, whole minutes 1..255.
	Interval time.Duration
	// Status as last committed, since StatusSince (zero: never changed).
	Status      check.Status
	StatusSince time.Time
	// OutageID is the open outage, 0 when there is none.
	OutageID int64
	// Untold, if not nil, is what WordPress.com knows. It may differ from Status because the
	// newest change was muted, or because another program has told it something since.
	Untold   *Known
	Settings check.Settings
}

// SiteQuery selects a page of sites. Zero fields do not restrict.
type SiteQuery struct {
	// After is the last id of the page before.
	After check.SiteID
	// Limit is the page's size, 1..10000.
	Limit  int
	BlogID check.BlogID
	// Host selects sites whose URL has this host, in lower case, with or without a port.
	Host string
	// Bucket restricts to one bucket when InBucket is set.
	InBucket bool
	Bucket   check.BucketID
	// ActiveOnly leaves paused sites out.
	ActiveOnly bool
}

// Change is one status change to commit.
type Change struct {
	// Key is the idempotency key, unique to this change, 1..64 ASCII bytes.
	Key      string
	SiteID   check.SiteID
	BlogID   check.BlogID
	Bucket   check.BucketID
	URL      string
	From, To check.Status
	// Since is when From began; zero when it always was.
	Since time.Time
	// Start is the end of the outage's first failing check; At is the moment of the change.
	Start, At time.Time
	// Relapses counts the good stretches of the outage that did not last.
	Relapses uint16
	// LastCheck is the end of the newest check.
	LastCheck time.Time
	// Cause is the failure that opened the outage; unused when To is running.
	Cause check.Observation
	// Checks are the checkers' observations that led here, the oldest first.
	Checks []LocalCheck
	// Ballot is the deciding ballot, nil when none was held.
	Ballot *Ballot
	// Muted changes get no notice, and From is the site's recorded status. In others From is
	// what WordPress.com knows.
	Muted bool `json:",omitempty"`
}

// LocalCheck is one observation by a checker, or by a veriflier as a second look.
type LocalCheck struct {
	Node        string
	Veriflier   bool
	At          time.Time
	Observation check.Observation
}

// Ballot is the evidence of one ballot. It is complete: the verdict can be worked out again.
type Ballot struct {
	ID       int64
	SiteID   check.SiteID
	OutageID int64
	Bucket   check.BucketID
	Verdict  quorum.Verdict
	Rule     quorum.Rule
	Round    uint8
	// Opened and Decided bound the ballot; votes may be up to a second later.
	Opened, Decided time.Time
	Votes           []Vote
	// Checks are the failing checks that led to it.
	Checks []LocalCheck
}

// Vote is one veriflier's vote with what it rests on.
type Vote struct {
	Veriflier, Region string
	Value             quorum.Value
	// UnknownReason says why the value is Unknown.
	UnknownReason string
	At            time.Time
	// Observation and SelfCheck are nil when the veriflier did not answer.
	Observation *check.Observation
	SelfCheck   *check.SelfCheck
}

// Committed is what Commit wrote.
type Committed struct {
	// OutageID is the outage that was opened, confirmed or closed; 0 when a site
	// recovered from a status that was set by somebody else.
	OutageID int64
	// NoticeID numbers the change, and its notice if it has one.
	NoticeID int64
}

// CommitResult is the answer to one change of a group: Err is nil, Conflict,
// AlreadyExists, or Invalid.
type CommitResult struct {
	Committed Committed
	Err       error
}

// Outage is one outage.
type Outage struct {
	ID     int64
	SiteID check.SiteID
	BlogID check.BlogID
	Bucket check.BucketID
	URL    string
	// Status as last reported for it; running when it is over.
	Status check.Status
	// End is zero while it is open; EndReason says why it is not.
	Start, Confirmed, End time.Time
	EndReason             EndReason
	Failure               check.FailureKind
	Reason                string
	HTTPStatus            int
	Rule                  quorum.Rule
	Round                 uint8
	// Relapses is as of the newest change.
	Relapses uint16
	Ballot   *Ballot
	Checks   []LocalCheck
}

// OutageQuery selects a page of outages. Zero fields do not restrict.
type OutageQuery struct {
	// Before is the mark of the last outage of the page before.
	Before OutageMark
	// Limit is the page's size, 1..10000.
	Limit    int
	SiteID   check.SiteID
	OpenOnly bool
}
