package store

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// Outbox holds the notifications that WordPress.com has not accepted yet.
type Outbox interface {
	// DueNotices reads the oldest undelivered notification of each site in the given shards,
	// if its NextAttempt is not after now; at most limit. The notifications of a site are in
	// the order of its commits; those of different sites roughly by age.
	DueNotices(ctx context.Context, shards []shard.ID, now time.Time, limit int) ([]Notice, error)
	// Delivered removes a notification; removing it twice is no error.
	Delivered(ctx context.Context, n Notice, at time.Time) error
	// Postponed records a failed attempt.
	Postponed(ctx context.Context, n Notice, next time.Time, why string) error
	// CountNotices counts the undelivered notifications in the given shards.
	CountNotices(ctx context.Context, shards []shard.ID) (int, error)
	// Mute prepares the fence's shard for an owner that sends WordPress.com nothing. From
	// now on a legacy row that another program writes overrides what we have reported before.
	// Mute also withdraws undelivered notifications, at most limit, which makes their sites
	// Unsure, and returns how many; fewer than limit means that none is left. It returns
	// Fenced when the caller no longer owns the shard.
	Mute(ctx context.Context, f shard.Fence, limit int) (int, error)
	// CountUntold counts the sites in the given shards whose newest change was muted and
	// whose recorded status WordPress.com does not know.
	CountUntold(ctx context.Context, shards []shard.ID) (int, error)
}

// Known is what WordPress.com knows of a site.
type Known struct {
	Status check.Status
	// Since is when Status began; zero when it has never changed.
	Since time.Time
	// Unsure means that a notification was withdrawn that WordPress.com may have received.
	// Status is running then, and the next good check must be reported as well.
	Unsure bool
}

// Notice is one notification: a status change to report.
type Notice struct {
	ID  int64
	Key string
	// Change is the reported change; its Cause is not kept.
	Change Change
	// OutageID is the outage concerned, 0 when there is none.
	OutageID int64
	// Attempts counts the attempts so far; the next one is not before NextAttempt.
	Attempts    int
	NextAttempt time.Time
	Created     time.Time
}
