package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// orphaned selects the open outages o without a legacy row l of the same URL, for the dialect's
// form of that URL. The index on end_ms finds the open outages, and the primary key the row of
// each. Collations treat some different URLs as equal, so it compares bytes.
const orphaned = ` LEFT JOIN jetpack_monitor_sites l ON l.jetpack_monitor_site_id = o.open_site
	WHERE o.end_ms = 0 AND (l.jetpack_monitor_site_id IS NULL OR HEX(o.url) <> HEX(%s))`

func (s *Store) orphaned() string { return fmt.Sprintf(orphaned, s.dsn.dialect.rowURL) }

// ListOrphans implements store.Orphans.
func (s *Store) ListOrphans(ctx context.Context, shards []shard.ID, limit int) ([]record.Outage, error) {
	orphans, err := s.listOpen(ctx, s.orphaned(), shards, limit)
	if err != nil {
		return nil, s.fault("find open outages whose sites are gone or changed", err)
	}
	return orphans, nil
}

// EndOrphans implements store.Orphans.
func (s *Store) EndOrphans(ctx context.Context, f shard.Fence, ids []int64, at time.Time) (ended int, err error) {
	ended, err = s.settleOpen(ctx, f, ids, func(t txn, among string, args []any) (int, error) {
		found, err := t.orphans(s.orphaned()+among, args...)
		if err != nil {
			return 0, err
		}
		return t.end(found, at)
	})
	if err != nil {
		return 0, s.fault(fmt.Sprintf("end the outages of sites of shard %d that are gone or changed", f.Shard), err)
	}
	return ended, nil
}

// found holds the ids of orphans, by the reason of their end, and the sites of those that
// changed.
type found struct{ deleted, changed, sites []any }

// orphans reads the ids of orphans.
func (t txn) orphans(where string, args ...any) (all found, err error) {
	rows, err := t.tx.QueryContext(t.ctx, "SELECT o.id, o.open_site, l.jetpack_monitor_site_id FROM jetmon_outages o"+where, args...)
	if err != nil {
		return all, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, site, row number
		if err := rows.Scan(&id, &site, &row); err != nil {
			return all, err
		}
		if row == 0 {
			all.deleted = append(all.deleted, int64(id))
		} else {
			all.changed, all.sites = append(all.changed, int64(id)), append(all.sites, int64(site))
		}
	}
	return all, rows.Err()
}

// end ends orphans, and counts them.
func (t txn) end(all found, at time.Time) (ended int, err error) {
	for _, some := range []struct {
		why record.EndReason
		ids []any
	}{{record.EndDeleted, all.deleted}, {record.EndChanged, all.changed}} {
		if len(some.ids) == 0 {
			continue
		}
		n, err := t.endOutages(some.why, at, "open_site IS NOT NULL AND id IN "+marks(len(some.ids)), some.ids...)
		if ended += int(n); err != nil {
			return ended, err
		}
	}
	return ended, inherit(t, all.sites...)
}

// endOutages ends outages without a change of status, and counts them.
func (t txn) endOutages(why record.EndReason, at time.Time, where string, args ...any) (int64, error) {
	if _, err := t.resume(at, where, args...); err != nil {
		return 0, err
	}
	return t.exec("UPDATE jetmon_outages SET open_site = NULL, status = ?, status_ms = ?, end_ms = ?, end_reason = ? WHERE "+where,
		append([]any{check.StatusRunning, toMillis(at), toMillis(at), why}, args...)...)
}

// inherit marks the statuses of sites as reported of an earlier URL: they no longer belong to
// an outage.
func inherit(t txn, sites ...any) error {
	if len(sites) == 0 {
		return nil
	}
	_, err := t.exec("UPDATE jetmon_site_status SET outage_id = 0 WHERE site_id IN "+marks(len(sites)), sites...)
	return err
}

// endOutdated ends the outages of an earlier URL of the sites in a group. Their statuses are
// written with the changes.
func endOutdated(t txn, group []*entry) error {
	for _, e := range group {
		if e.outdated == 0 {
			continue
		}
		n, err := t.endOutages(record.EndChanged, e.At, "open_site IS NOT NULL AND id = ?", e.outdated)
		if err != nil {
			return err
		}
		if n != 1 {
			return fmt.Errorf("outage %d has ended: %w", e.outdated, errMoved)
		}
	}
	return nil
}

// CountStrays implements store.Orphans. Each half is a range of the index on buckets.
func (s *Store) CountStrays(ctx context.Context) (strays record.Strays, err error) {
	const query = `SELECT COUNT(*), COALESCE(MIN(bucket_no), 0), COALESCE(MAX(bucket_no), 0) FROM (
	SELECT bucket_no FROM jetpack_monitor_sites WHERE bucket_no < 0 AND monitor_active = 1
	UNION ALL
	SELECT bucket_no FROM jetpack_monitor_sites WHERE bucket_no > ? AND monitor_active = 1) strays`
	err = s.reader.QueryRowContext(ctx, query, check.Buckets-1).Scan(&strays.Rows, &strays.First, &strays.Last)
	if err != nil {
		return record.Strays{}, s.fault("count rows of buckets that do not exist", err)
	}
	return strays, nil
}
