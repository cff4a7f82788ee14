package store

import (
	"context"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// Outbox keeps what WordPress.com knows, while it is told and while it is not.
type Outbox interface {
	// Mute prepares the fence's shard for an owner that sends WordPress.com nothing. From
	// now on a legacy row that another program writes overrides what we have reported before.
	// Mute also withdraws undelivered notifications to WordPress.com, at most limit, which makes
	// their sites Unsure, and returns how many; fewer than limit means that none is left. It
	// returns Fenced when the caller no longer owns the shard.
	Mute(ctx context.Context, f shard.Fence, limit int) (int, error)
	// CountUntold counts the sites in the given shards whose newest change was muted and
	// whose recorded status WordPress.com does not know.
	CountUntold(ctx context.Context, shards []shard.ID) (int, error)
}
