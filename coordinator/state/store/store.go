package store

import (
	"cmp"
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/parity"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// Store is the whole interface. All methods are safe for concurrent use, return when ctx
// ends, and return errors of internal/fault: NotFound, AlreadyExists, Conflict, Fenced,
// Invalid, else Unavailable.
type Store interface {
	Sites
	Standings
	Keys
	Import
	History
	Orphans
	Outbox
	Deliveries
	Listeners
	Remarks
	Incidents
	Ownership
	Handover
	Members
	Snapshots
	Retention
	Access
	Blogs
	Subscriptions
	Events
	Maintenances
	Checks
	// Ping checks that the database answers.
	Ping(ctx context.Context) error
	Close() error
}

// Sites reads and edits the monitored sites.
type Sites interface {
	// Site reads one site.
	Site(ctx context.Context, id check.SiteID) (record.Site, error)
	// SitesByID reads the sites with the given ids that exist, by rising id and each once,
	// whatever the order of ids. It takes at most 10,000 ids, some hundreds a statement.
	SitesByID(ctx context.Context, ids []check.SiteID) ([]record.Site, error)
	// ListSites reads a page by id. Fewer sites than asked for are the end.
	ListSites(ctx context.Context, q SiteQuery) ([]record.Site, error)
	// ScanBuckets reads the active sites of the buckets first to last, each once and in any
	// order, without tags, and passes them to f in chunks, which are valid only during the call. It stops
	// at an error of f and returns it. For many buckets, as at a coordinator's start, one call
	// is several times as fast as a call for each bucket.
	ScanBuckets(ctx context.Context, first, last check.BucketID, f func([]record.Site) error) error
	// ReadSpan computes digests of the active sites of some shards in a span of ids, and reads
	// the sites of those shards whose digest has changed. known has the shards, each with the
	// digest of its last read, or 0.
	ReadSpan(ctx context.Context, span record.Span, known map[shard.ID]Digest) (SpanRead, error)
	// SpanEnd returns the n-th id after one, of active and paused sites; ok is false when
	// there are fewer.
	SpanEnd(ctx context.Context, after check.SiteID, n int) (id check.SiteID, ok bool, err error)
	// IndexHosts makes the sites of some shards in a span findable by where their URLs lead, as
	// the table has them, paused ones too. It writes only what has changed. Our own edits need
	// no call. When sweep is set it also forgets sites of the span that are gone,
	// with their settings and tags.
	IndexHosts(ctx context.Context, span record.Span, shards []shard.ID, sweep bool) error
	// HostsIndexed records that IndexHosts has been through all sites of some shards once.
	HostsIndexed(ctx context.Context, shards []shard.ID, at time.Time) error
	// CreateSite adds a site; AlreadyExists when the blog has that URL.
	// It ignores ID and the status fields of s.
	CreateSite(ctx context.Context, s record.Site) (record.Site, error)
	// UpdateSite applies edit to the stored site, and returns the site as stored then. Of
	// BlogID, URL, Interval, Paused, Settings, Tags and PublicBadges it writes those that edit changed, so that
	// concurrent writes to the others stay; it ignores other changes. It may call edit
	// several times, and returns edit's error unchanged. NotFound when there is no such row,
	// AlreadyExists as in CreateSite. A change of the URL ends the site's open outage at time
	// at, as EndChanged, unreported; a pause suspends it from then on, until the site resumes.
	UpdateSite(ctx context.Context, id check.SiteID, at time.Time, edit func(record.Site) (record.Site, error)) (record.Site, error)
	// DeleteSite removes the row and ends its open outage at time at, as EndDeleted, unreported.
	// It asks allow about the stored site first, if that is not nil, perhaps several times, and
	// returns its error unchanged.
	DeleteSite(ctx context.Context, id check.SiteID, at time.Time, allow func(record.Site) error) error
}

// Digest is a hash of the active sites of a shard in a span: of all columns that can be
// edited and of none that commits write, so that every edit changes it. The database
// computes it; it is 0 on an engine that cannot.
type Digest uint64

// SpanRead is the result of ReadSpan, all as of one moment.
type SpanRead struct {
	// Digests has the digests of the requested shards.
	Digests map[shard.ID]Digest
	// Changed lists the requested shards whose digest differs from the known one or is 0.
	Changed []shard.ID
	// Sites has all active sites of Changed, by rising id.
	Sites []record.Site
	// Rows counts the active sites of the requested shards.
	Rows int
}

// History reads and writes status changes with their evidence.
type History interface {
	// CommitAll writes a group of status changes in one transaction: at most 200 changes of
	// one shard, of different sites and with different keys, else Invalid. It is Fenced when
	// the caller no longer owns the shard. An error of CommitAll itself concerns all changes:
	// nothing was written, or the answer was lost. It is safe to commit the same group again.
	//
	// A change is written whole or not at all: legacy row, outage with evidence, transition,
	// outbox row unless it is Muted. CommitAll returns the result of each, in order. A change
	// is a Conflict when its site's row is gone, paused, or has another URL or another status
	// than From. A
	// change that is refused does not affect the others.
	//
	// A change ends an open outage of an earlier URL of its site first, as EndChanged. One from
	// a down status to itself opens an outage of this URL, and gets no notification.
	//
	// If WordPress.com knows the site as running but an untold outage is open, a change from
	// running to down reports that outage, and one from down to running closes it without a
	// notification. If Known.Unsure, a change from down to running always gets one.
	// Committing a change again under the same Key changes nothing and returns the first
	// result.
	CommitAll(ctx context.Context, f shard.Fence, cs []record.Change) ([]CommitResult, error)
	// KeepBallot keeps the evidence of a ballot that opened no outage.
	KeepBallot(ctx context.Context, f shard.Fence, b record.Ballot) error
	// Outage reads one outage with its ballot and checks.
	Outage(ctx context.Context, id int64) (record.Outage, error)
	// ListOutages reads a page, without ballots and checks: the last confirmed first, then
	// by falling id.
	ListOutages(ctx context.Context, q OutageQuery) ([]record.Outage, error)
	// ListBallots reads the kept ballots of a site, the last decided first. It includes
	// ballots that opened an outage, with its OutageID.
	ListBallots(ctx context.Context, id check.SiteID, limit int) ([]record.Ballot, error)
}

// Retention deletes history that is too old to be of use.
type Retention interface {
	// Expire deletes history of the fence's shard: at most limit ballots, outages, events or
	// deliveries, with the rows that belong to them. It returns how many it found; fewer than limit means that
	// nothing is left to do. Fenced when the caller no longer owns the shard.
	//
	// It keeps open outages, and those of sites of which something is still to be told; also
	// events that are still to be told. The ballot of an outage is never deleted before it.
	// It deletes the deliveries of subscriptions that are gone as well.
	Expire(ctx context.Context, f shard.Fence, e Expiry, limit int) (int, error)
}

// Expiry defines what is too old. A zero time keeps everything of its kind.
type Expiry struct {
	// Ballots is the time before which ballots that opened no outage were decided.
	Ballots time.Time
	// Outages is the time before which outages ended; their ballots and transitions go too.
	Outages time.Time
	// Events is the time before which events happened.
	Events time.Time
	// Deliveries is the time before which deliveries ended that were accepted or superseded,
	// DeadLetters that of those that were given up.
	Deliveries, DeadLetters time.Time
}

// Ownership keeps the leases of shards.
type Ownership interface {
	// ClaimShard takes a shard that is free, expired at now, or already the owner's,
	// and raises its term. Conflict when another coordinator holds it.
	ClaimShard(ctx context.Context, s shard.ID, o shard.Owner, now time.Time) (shard.Lease, error)
	// RenewShard extends a lease that is still the caller's; Fenced when it is not.
	RenewShard(ctx context.Context, l shard.Lease, expires time.Time) (shard.Lease, error)
	// ReleaseShard gives a lease back so that others can take it at once. Its Expires stays
	// for them to read: the moment until which the shard's checks were made. Giving back a
	// lease that is no longer the caller's is no error.
	ReleaseShard(ctx context.Context, l shard.Lease) error
	// ListShards reads the leases of all shards that were ever claimed.
	ListShards(ctx context.Context) ([]shard.Lease, error)
}

// Handover passes shards between v1 and us, and compares the two while both watch.
type Handover interface {
	// HandOver takes a shard over from v1 at a time, or gives it back to v1 when that is zero,
	// for coordinators on trial; it ends the shard's lease, so that the shard is claimed anew.
	// It changes nothing when the shard is in that hand already. Conflict when a shard is to
	// be given back whose notifications WordPress.com has not accepted all. It writes what
	// WordPress.com knows into the legacy rows that say something else, if those are ours to
	// write.
	HandOver(ctx context.Context, s shard.ID, taken time.Time) error
	// ScanParity reads the active sites of the shards that are or were on trial, with what v1
	// and we have decided, and passes them to f in chunks, which are valid only during the call.
	// It stops at an error of f and returns it.
	ScanParity(ctx context.Context, f func([]parity.Site) error) error
}

// Members keeps the coordinators that share the work, whether they own a shard or not.
type Members interface {
	// Announce adds a coordinator until m.Expires, or extends its membership.
	Announce(ctx context.Context, m shard.Member) error
	// Retire removes a coordinator. An unknown one is no error.
	Retire(ctx context.Context, node string) error
	// ListMembers reads the members that have not expired at now, by name.
	ListMembers(ctx context.Context, now time.Time) ([]shard.Member, error)
}

// Snapshots keeps snapshots of sites in trouble, so that another process can resume where
// the last one stopped. They are written every few seconds and never delay a verdict.
type Snapshots interface {
	// KeepSnapshots writes snapshots of sites of the fence's shard and deletes those of other
	// sites, all or nothing: at most 10,000 of each, none twice. It keeps one that is in both
	// lists. Invalid when one cannot be stored; Fenced when the caller no longer owns the
	// shard.
	KeepSnapshots(ctx context.Context, f shard.Fence, keep []record.Snapshot, forget []check.SiteID) error
	// ListSnapshots reads all snapshots of a shard, by site. It deletes those whose site is no
	// longer in the shard.
	ListSnapshots(ctx context.Context, s shard.ID) ([]record.Snapshot, error)
}

// SiteQuery selects a page of sites. Zero fields do not restrict.
type SiteQuery struct {
	// After is the last id of the previous page; Descending means by falling id.
	After      check.SiteID
	Descending bool
	// Limit is the page's size, 1..10000.
	Limit  int
	BlogID check.BlogID
	Bucket *check.BucketID
	Tag    string
	// At selects the sites whose URL fits it. Sites of shards that IndexHosts has not been
	// through yet are looked for by a scan of the table.
	At record.Location
}

// Compare orders sites as the pages do.
func (q SiteQuery) Compare(a, b record.Site) int {
	if q.Descending {
		a, b = b, a
	}
	return cmp.Compare(a.ID, b.ID)
}

// CommitResult is the result of one change of a group: Err is nil, Conflict, AlreadyExists
// or Invalid.
type CommitResult struct {
	Committed record.Committed
	Err       error
}

// OutageQuery selects a page of outages. Zero fields do not restrict.
type OutageQuery struct {
	// Before is the mark of the last outage of the previous page.
	Before record.OutageMark
	// Limit is the page's size, 1..10000.
	Limit    int
	SiteID   check.SiteID
	OpenOnly bool
	// Blogs, when not empty, are those whose outages are selected; at most 1000.
	Blogs []check.BlogID
}
