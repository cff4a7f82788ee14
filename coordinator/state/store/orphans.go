package store

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// Orphans are open outages of sites whose rows are gone: WordPress.com deletes rows in the
// table. A site that is paused, or was moved to another bucket, has its row.
type Orphans interface {
	// ListOrphans reads orphans that were opened in some shards, the oldest first, at most
	// limit, without ballots and checks. It looks at open outages only, however many sites
	// there are.
	ListOrphans(ctx context.Context, shards []shard.ID, limit int) ([]Outage, error)
	// EndOrphans ends at time at, as EndDeleted and unreported, those of the given outages
	// that are orphans of the fence's shard. It passes over the others and answers how many
	// it ended. Invalid for more than 1,000 ids; Fenced when the caller no longer owns the
	// shard.
	EndOrphans(ctx context.Context, f shard.Fence, ids []int64, at time.Time) (int, error)
}

// EndReason says why an outage is over. A newer program may have written others.
type EndReason uint8

// The reasons, numbered as in outage.proto, and for ever: they are stored.
const (
	// EndNone: it is not over.
	EndNone EndReason = iota
	// EndRecovered: the site was up again; WordPress.com is told.
	EndRecovered
	// EndDeleted: the site's row was deleted; nobody is told.
	EndDeleted
)
