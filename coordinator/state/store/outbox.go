package store

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// Outbox holds the notifications that WordPress.com has not accepted yet.
type Outbox interface {
	// DueNotifications reads the oldest undelivered notification of each site in the given shards,
	// if its NextAttempt is not after now; at most limit. The notifications of a site are in
	// the order of its commits; those of different sites roughly by age.
	DueNotifications(ctx context.Context, shards []shard.ID, now time.Time, limit int) ([]record.Notification, error)
	// Delivered removes a notification; removing it twice is no error.
	Delivered(ctx context.Context, n record.Notification, at time.Time) error
	// Postponed records a failed attempt.
	Postponed(ctx context.Context, n record.Notification, next time.Time, why string) error
	// CountNotifications counts the undelivered notifications in the given shards.
	CountNotifications(ctx context.Context, shards []shard.ID) (int, error)
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
