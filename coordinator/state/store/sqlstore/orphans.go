package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// maxOrphans bounds one transaction of EndOrphans, which holds the lock of its shard.
const maxOrphans = 1000

// orphaned selects the open outages o without a legacy row. The index on end_ms finds the
// open outages, and the primary key the row of each.
const orphaned = ` LEFT JOIN jetpack_monitor_sites l ON l.jetpack_monitor_site_id = o.open_site
	WHERE o.end_ms = 0 AND l.jetpack_monitor_site_id IS NULL`

// ListOrphans implements store.Orphans.
func (s *Store) ListOrphans(ctx context.Context, shards []shard.ID, limit int) ([]record.Outage, error) {
	if limit < 1 || limit > maxPage {
		return nil, fault.InvalidField("limit", "must be from 1 to %d, is %d", maxPage, limit)
	}
	in, args := inShards("o.bucket", shards)
	if in == "" {
		return nil, nil
	}
	orphans, err := list(ctx, s.reader, scanOutage, outageQuery+orphaned+" AND "+in+" ORDER BY o.id LIMIT ?", append(args, limit)...)
	if err != nil {
		return nil, s.fault("find open outages whose sites are gone", err)
	}
	return orphans, nil
}

// EndOrphans implements store.Orphans.
func (s *Store) EndOrphans(ctx context.Context, f shard.Fence, ids []int64, at time.Time) (ended int, err error) {
	if f.Node == "" || f.Shard >= shard.Count {
		return 0, fault.New(fault.Fenced, "%q does not own shard %d", f.Node, f.Shard)
	}
	if len(ids) > maxOrphans {
		return 0, fault.New(fault.Invalid, "at most %d outages are ended at once, not %d", maxOrphans, len(ids))
	}
	among := make([]any, len(ids))
	for i, id := range ids {
		among[i] = id
	}
	in, buckets := inShards("o.bucket", []shard.ID{f.Shard})
	err = s.write(ctx, func(t txn) error {
		ended = 0
		if err := fence(t, f); err != nil {
			return err
		}
		return inParts(among, func(part []any) error {
			orphans, err := t.ids("SELECT o.id FROM jetmon_outages o"+orphaned+" AND "+in+" AND o.id IN "+marks(len(part)),
				append(append([]any{}, buckets...), part...)...)
			if err != nil || len(orphans) == 0 {
				return err
			}
			n, err := t.endDeleted("open_site IS NOT NULL AND id IN "+marks(len(orphans)), at, orphans...)
			ended += int(n)
			return err
		})
	})
	if err != nil {
		return 0, s.fault(fmt.Sprintf("end the outages of sites of shard %d that are gone", f.Shard), err)
	}
	return ended, nil
}

// endDeleted ends outages whose sites were deleted, and counts them.
func (t txn) endDeleted(where string, at time.Time, args ...any) (int64, error) {
	return t.exec("UPDATE jetmon_outages SET open_site = NULL, status = ?, status_ms = ?, end_ms = ?, end_reason = ? WHERE "+where,
		append([]any{check.StatusRunning, toMillis(at), toMillis(at), record.EndDeleted}, args...)...)
}
