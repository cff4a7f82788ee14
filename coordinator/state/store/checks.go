package store

import (
	"context"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// Checks keeps what became of every turn of every site, in blobs that only package logbook
// reads; see design 0033. No method looks into a blob.
type Checks interface {
	// AddChecks adds rows of the fence's shard to the journal, all or nothing, at most
	// MaxCheckRows. A row that is there already is replaced. Fenced when the caller no longer owns
	// the shard. Invalid when a blob is empty or longer than MaxCheckBlob.
	AddChecks(ctx context.Context, f shard.Fence, rows []CheckRow) error
	// Checks passes the rows of some buckets and of the hours from first up to end, without end,
	// to f, each bucket's by rising hour and number; blobs are valid only during the call.
	Checks(ctx context.Context, buckets []check.BucketID, first, end history.Hour, f func(CheckRow) error) error
	// ListChecks lists the rows of a shard's buckets and of the hours before end, without blobs,
	// by rising bucket, hour and number.
	ListChecks(ctx context.Context, s shard.ID, end history.Hour) ([]CheckRow, error)
	// FoldChecks carries out a fold in one transaction. Conflict when rows that it replaces are
	// not all there: somebody else has folded them. Fenced and Invalid as AddChecks.
	FoldChecks(ctx context.Context, f shard.Fence, x CheckFold) error
	// CheckDays passes the rows of some parts to f, each part's by rising day; blobs are valid
	// only during the call.
	CheckDays(ctx context.Context, of DaySpan, parts []PartKey, f func(DayRow) error) error
	// BucketDays is CheckDays of all parts of a bucket, by rising day and part.
	BucketDays(ctx context.Context, of DaySpan, bucket check.BucketID, f func(DayRow) error) error
	// FleetDays reads what all sites of each shard come to, of the days from first up to end,
	// without end.
	FleetDays(ctx context.Context, first, end history.Day) ([]FleetRow, error)
	// ExpireChecks deletes the days of the fence's shard before the given ones, at most limit
	// rows. It returns how many it deleted; fewer than limit means that nothing is left to do.
	// Fenced as AddChecks. The limit is from 1 to 1000.
	ExpireChecks(ctx context.Context, f shard.Fence, e CheckExpiry, limit int) (int, error)
}

const (
	// MaxCheckBlob bounds the bytes of a blob: what every server takes in one row. TiDB's are of
	// 6 MiB.
	MaxCheckBlob = 5 << 20
	// MaxCheckRows bounds the rows that one call adds or replaces.
	MaxCheckRows = 1 << 16
	// FoldedRows is how many rows a fold may make of a bucket and hour. They are numbered from 0.
	FoldedRows = 1000
)

// CheckKey names what is kept of a bucket and an hour.
type CheckKey struct {
	Bucket check.BucketID
	Hour   history.Hour
}

// CheckRow is a row of the journal: some turns of a bucket's sites in an hour.
type CheckRow struct {
	CheckKey
	// N tells the rows of a bucket and hour apart, and rises with the time; less than FoldedRows
	// for what a fold has made of earlier ones. See package logbook.
	N    int64
	Blob []byte
}

// PartKey names a part of a bucket.
type PartKey struct {
	Bucket check.BucketID
	Part   history.Part
}

// DayKind is a kind of rows that are kept by day.
type DayKind uint8

// The kinds.
const (
	// DayChecks have every turn, DaySummaries their summaries.
	DayChecks DayKind = iota + 1
	DaySummaries
)

// DaySpan selects the rows of a kind, of the days from First up to End, without End.
type DaySpan struct {
	Kind       DayKind
	First, End history.Day
}

// DayRow is what is kept of the sites of a part on a day.
type DayRow struct {
	PartKey
	Day  history.Day
	Blob []byte
}

// FleetRow is what all sites of a shard come to on a day.
type FleetRow struct {
	Shard shard.ID
	Day   history.Day
	Blob  []byte
}

// CheckFold makes fewer rows of many. All are of one bucket.
type CheckFold struct {
	// Replaces are rows of the journal that go.
	Replaces []CheckRow
	// Rows are rows of the journal that come, Days and Summaries rows by day, each instead of
	// the one of the same key.
	Rows            []CheckRow
	Days, Summaries []DayRow
	// Fleet comes instead of the row of the same key; nil leaves it.
	Fleet *FleetRow
}

// CheckExpiry is what is too old: the days before these; also the fleet's days before Summaries,
// and the journal before Checks. A zero day keeps everything of its kind.
type CheckExpiry struct{ Checks, Summaries history.Day }
