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
	// AddChecks adds rows of the fence's shard to the journal, all or nothing, at most 64. A row
	// that is there already is replaced. Fenced when the caller no longer owns the shard.
	AddChecks(ctx context.Context, f shard.Fence, rows []CheckRow) error
	// Checks passes the rows of some buckets and of the hours from first up to end, without end,
	// to f, each bucket's by rising hour and number; blobs are valid only during the call.
	Checks(ctx context.Context, buckets []check.BucketID, first, end history.Hour, f func(CheckRow) error) error
	// UnfoldedChecks lists, of the buckets of a shard, the hours before end that have rows in
	// the journal beside the one of a fold, or that have not been folded.
	UnfoldedChecks(ctx context.Context, s shard.ID, end history.Hour) ([]CheckKey, error)
	// FoldChecks carries out a fold in one transaction. Conflict when rows that it replaces are
	// not all there: somebody else has folded them. Fenced as AddChecks.
	FoldChecks(ctx context.Context, f shard.Fence, x CheckFold) error
	// CheckDays passes the rows of a kind of some parts, of the days from first up to end,
	// without end, to f, each part's by rising day; blobs are valid only during the call.
	CheckDays(ctx context.Context, of DayKind, parts []PartKey, first, end history.Day, f func(DayRow) error) error
	// BucketDays is CheckDays of all parts of a bucket, by rising part.
	BucketDays(ctx context.Context, of DayKind, bucket check.BucketID, first, end history.Day, f func(DayRow) error) error
	// FleetDays reads what all sites of each shard come to, of the days from first up to end,
	// without end.
	FleetDays(ctx context.Context, first, end history.Day) ([]FleetRow, error)
	// ExpireChecks deletes the days of the fence's shard before the given ones, at most limit
	// rows. It returns how many it deleted; fewer than limit means that nothing is left to do.
	// Fenced as AddChecks.
	ExpireChecks(ctx context.Context, f shard.Fence, e CheckExpiry, limit int) (int, error)
}

// CheckKey names what is kept of a bucket and an hour.
type CheckKey struct {
	Bucket check.BucketID
	Hour   history.Hour
}

// CheckRow is a row of the journal: some turns of a bucket's sites in an hour.
type CheckRow struct {
	CheckKey
	// N tells the rows of a bucket and hour apart: when it was made, in milliseconds of Unix
	// time; 0 for what a fold has made of earlier ones.
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

// CheckExpiry is what is too old: the days before these. A zero day keeps everything of its kind.
type CheckExpiry struct{ Checks, Summaries history.Day }
