package store

import (
	"context"
	"github.com/Automattic/jetmon/coordinator/shard"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Outbox holds the notices that WordPress.com has not accepted yet.
type Outbox interface {
	// DueNotices reads the oldest undelivered notice of each site in the given shards
	// whose NextAttempt is not after now, at most limit. A site's notices are ordered as
	// its changes were committed; those of different sites by about their age.
	DueNotices(ctx context.Context, shards []shard.ID, now time.Time, limit int) ([]Notice, error)
	// Delivered takes a notice off; doing so twice is no error.
	Delivered(ctx context.Context, n Notice, at time.Time) error
	// Postponed records a failed attempt.
	Postponed(ctx context.Context, n Notice, next time.Time, why string) error
	// CountNotices counts the undelivered notices in the given shards.
	CountNotices(ctx context.Context, shards []shard.ID) (int, error)
	// Mute says that WordPress.com is told nothing of the fence's shard from now on: whatever
	// others write into the rows of its sites outweighs what was told before. It withdraws
	// notices that were not delivered, at most limit, which leaves their sites Untold and
	// Unsure, and answers how many: fewer than limit means that none is left. Fenced when
	// the caller no longer owns the shard.
	Mute(ctx context.Context, f shard.Fence, limit int) (int, error)
	// CountUntold counts the sites in the given shards whose newest change WordPress.com
	// was not told.
	CountUntold(ctx context.Context, shards []shard.ID) (int, error)
}

// Known is what WordPress.com knows of a site.
type Known struct {
	Status check.Status
	// Since is when that began; zero when it always was.
	Since time.Time
	// Unsure says that WordPress.com may have received something else: a notice was
	// withdrawn. Status is running then, and the site is to be told about in any case.
	Unsure bool
}

// Notice is one status change to report.
type Notice struct {
	ID  int64
	Key string
	// Change holds what is reported; its Cause is not kept.
	Change Change
	// OutageID is the outage concerned, 0 when there is none.
	OutageID int64
	// Attempts made so far, the next one not before NextAttempt.
	Attempts    int
	NextAttempt time.Time
	Created     time.Time
}
