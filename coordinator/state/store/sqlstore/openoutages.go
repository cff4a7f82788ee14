package sqlstore

import (
	"context"
	"slices"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/fault"
)

// maxSettled bounds one transaction of settleOpen, which holds the lock of its shard.
const maxSettled = 1000

// listOpen reads the open outages of some shards that are behind the rows of their sites, the
// oldest first, at most limit. behind selects them: the joins and conditions that follow
// jetmon_outages o.
func (s *Store) listOpen(ctx context.Context, behind string, shards []shard.ID, limit int) ([]record.Outage, error) {
	if limit < 1 || limit > maxPage {
		return nil, fault.InvalidField("limit", "must be from 1 to %d, is %d", maxPage, limit)
	}
	in, args := inShards("o.bucket", shards)
	if in == "" {
		return nil, nil
	}
	return list(ctx, s.reader, scanOutage, outageColumns+" FROM jetmon_outages o"+behind+" AND "+in+" ORDER BY o.id LIMIT ?", append(args, limit)...)
}

// settleOpen calls do for outages by id, in one transaction of the fence's shard, and adds up
// what it returns. among is the condition that selects those of the ids in that shard.
func (s *Store) settleOpen(ctx context.Context, f shard.Fence, ids []int64, do func(t txn, among string, args []any) (int, error)) (settled int, err error) {
	if f.Node == "" || f.Shard >= shard.Count {
		return 0, fault.New(fault.Fenced, "%q does not own shard %d", f.Node, f.Shard)
	}
	if len(ids) > maxSettled {
		return 0, fault.New(fault.Invalid, "at most %d outages are settled at once, not %d", maxSettled, len(ids))
	}
	all := make([]any, len(ids))
	for i, id := range ids {
		all[i] = id
	}
	in, buckets := inShards("o.bucket", []shard.ID{f.Shard})
	err = s.write(ctx, func(t txn) error {
		settled = 0
		if err := fence(t, f); err != nil {
			return err
		}
		return inParts(all, func(part []any) error {
			n, err := do(t, " AND "+in+" AND o.id IN "+marks(len(part)), slices.Concat(buckets, part))
			settled += n
			return err
		})
	})
	return settled, err
}
