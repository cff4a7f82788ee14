package store

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// Orphans finds and ends, or suspends, open outages whose sites' rows are gone or have another URL:
// WordPress.com deletes and edits rows in the table. A paused site, or one moved to another
// bucket, still has its row.
type Orphans interface {
	// ListOrphans reads orphans that were opened in some shards, the oldest first, at most
	// limit, without ballots and checks. Its cost depends on the number of open outages, not
	// on that of sites.
	ListOrphans(ctx context.Context, shards []shard.ID, limit int) ([]record.Outage, error)
	// EndOrphans ends at time at, as EndDeleted or EndChanged and unreported, those of the given outages
	// that are orphans of the fence's shard. It ignores the others and returns how many it
	// ended. Invalid for more than 1,000 ids; Fenced when the caller no longer owns the
	// shard.
	EndOrphans(ctx context.Context, f shard.Fence, ids []int64, at time.Time) (int, error)
	// ListUnnoticed reads, as ListOrphans does, open outages that are not suspended although
	// their sites are paused, or are suspended although their sites are active again.
	ListUnnoticed(ctx context.Context, shards []shard.ID, limit int) ([]record.Outage, error)
	// NotePauses suspends or resumes at time at those of the given outages that ListUnnoticed
	// would read in the fence's shard, and returns how many. Its errors are those of EndOrphans.
	NotePauses(ctx context.Context, f shard.Fence, ids []int64, at time.Time) (int, error)
	// CountStrays counts the active rows whose bucket belongs to no shard. Its cost depends on
	// their number, not on that of sites.
	CountStrays(ctx context.Context) (record.Strays, error)
}
