package store

import (
	"context"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
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
	// Mute prepares the fence's shard for an owner that tells WordPress.com nothing. From
	// now on a legacy row that another program writes counts for more than what we told
	// before. Mute also withdraws undelivered notices, at most limit, which makes their sites
	// Unsure, and returns how many; fewer than limit means that none is left. It answers
	// Fenced when the caller no longer owns the shard.
	Mute(ctx context.Context, f shard.Fence, limit int) (int, error)
	// CountUntold counts the sites in the given shards whose newest change was muted and
	// whose recorded status WordPress.com does not know.
	CountUntold(ctx context.Context, shards []shard.ID) (int, error)
}

// Known is what WordPress.com knows of a site.
type Known struct {
	Status check.Status
	// Since is when that began; zero when it always was.
	Since time.Time
	// Unsure means that a notice was withdrawn that WordPress.com may have received. Status
	// is running then, and the next good check must be told as well.
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
