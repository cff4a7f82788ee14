package store

import (
	"context"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// Remarks keeps what is remarked at this moment about sites that are up.
type Remarks interface {
	// Remark writes changes of remarks about sites of the fence's shard in one transaction, at
	// most 200 and one a site, each with its event. A change that says what is on record
	// already changes nothing, and is no event. Fenced when the caller no longer owns the shard.
	Remark(ctx context.Context, f shard.Fence, changes []record.Remark) error
	// ShardRemarks reads all open remarks about sites of a shard, and which of them are paused.
	ShardRemarks(ctx context.Context, s shard.ID) ([]record.Remark, error)
	// ListRemarks reads a page of open remarks, by rising site and remark.
	ListRemarks(ctx context.Context, q RemarkQuery) ([]record.Remark, error)
}

// RemarkQuery selects a page of open remarks. Zero fields do not restrict.
type RemarkQuery struct {
	// After is the last remark of the previous page.
	After record.RemarkMark
	// Limit is the page's size, 1..10000.
	Limit    int
	SiteID   check.SiteID
	Advisory check.Advisory
	// Blogs, when not empty, are those about whose sites remarks are selected; at most 1000.
	Blogs []check.BlogID
}
