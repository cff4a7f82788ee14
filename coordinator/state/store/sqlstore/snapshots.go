package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	// maxSnapshots bounds one transaction of KeepSnapshots, which holds the lock of its shard.
	maxSnapshots = 10000
	// maxSnapshotURL is the size of the column: the legacy column's 300 characters, as bytes.
	maxSnapshotURL = 1200
)

// KeepSnapshots implements store.Snapshots.
func (s *Store) KeepSnapshots(ctx context.Context, f shard.Fence, keep []record.Snapshot, forget []check.SiteID) error {
	rows, err := snapshotRows(f, keep)
	if err != nil {
		return err
	}
	if len(forget) > maxSnapshots {
		return fault.New(fault.Invalid, "at most %d snapshots are forgotten at once, not %d", maxSnapshots, len(forget))
	}
	ids := make([]any, 0, len(keep)+len(forget))
	for _, x := range keep {
		ids = append(ids, x.SiteID)
	}
	for _, id := range forget {
		ids = append(ids, id)
	}
	err = s.write(ctx, func(t txn) error {
		if err := fence(t, f); err != nil {
			return err
		}
		if err := removeSnapshots(t, f.Shard, ids); err != nil {
			return err
		}
		return t.insertRows(`INSERT INTO jetmon_suspects (shard, site_id, bucket, at_ms, url, state) VALUES `, rows)
	})
	if err != nil {
		return s.fault(fmt.Sprintf("keep the snapshots of shard %d", f.Shard), err)
	}
	return nil
}

// snapshotRows checks snapshots and returns their rows.
func snapshotRows(f shard.Fence, keep []record.Snapshot) ([][]any, error) {
	if f.Node == "" || f.Shard >= shard.Count {
		return nil, fault.New(fault.Fenced, "%q does not own shard %d", f.Node, f.Shard)
	}
	if len(keep) > maxSnapshots {
		return nil, fault.New(fault.Invalid, "at most %d snapshots are kept at once, not %d", maxSnapshots, len(keep))
	}
	rows := make([][]any, 0, len(keep))
	seen := make(map[check.SiteID]bool, len(keep))
	for _, x := range keep {
		if err := checkFence(f, x.Bucket); err != nil {
			return nil, err
		}
		switch {
		case x.SiteID <= 0:
			return nil, fault.New(fault.Invalid, "a snapshot needs a site")
		case seen[x.SiteID]:
			return nil, fault.New(fault.Invalid, "site %d is there twice", x.SiteID)
		case len(x.State) > record.MaxSnapshotState:
			return nil, fault.New(fault.Invalid, "the state of a snapshot must have at most %d bytes, that of site %d has %d",
				record.MaxSnapshotState, x.SiteID, len(x.State))
		}
		seen[x.SiteID] = true
		state := x.State
		if state == nil {
			state = []byte{} // nil would be NULL
		}
		rows = append(rows, []any{f.Shard, x.SiteID, x.Bucket, toMillis(x.At), clip(x.URL, maxSnapshotURL), state})
	}
	return rows, nil
}

// removeSnapshots deletes the snapshots of some sites. It selects the existing ones first:
// deleting a missing row would lock the gap between two shards, in which another owner may
// be inserting at the same moment.
func removeSnapshots(t txn, s shard.ID, sites []any) error {
	return inParts(sites, func(part []any) error {
		there, err := t.ids("SELECT site_id FROM jetmon_suspects WHERE shard = ? AND site_id IN "+marks(len(part)),
			append([]any{s}, part...)...)
		if err != nil || len(there) == 0 {
			return err
		}
		_, err = t.exec("DELETE FROM jetmon_suspects WHERE shard = ? AND site_id IN "+marks(len(there)),
			append([]any{s}, there...)...)
		return err
	})
}

// ListSnapshots implements store.Snapshots. It leaves out and deletes the rows of sites that are
// gone or in another shard. That needs no fence: such rows are useless to every owner.
func (s *Store) ListSnapshots(ctx context.Context, id shard.ID) ([]record.Snapshot, error) {
	doing := fmt.Sprintf("read the snapshots of shard %d", id)
	var gone []any
	first := int(id) * shard.BucketsPer
	snapshots, err := list(ctx, s.reader, func(rows *sql.Rows) (x record.Snapshot, err error) {
		var at int64
		var there number
		err = rows.Scan(&x.SiteID, &x.Bucket, &at, &x.URL, &x.State, &there)
		x.At = fromMillis(at)
		if there == 0 {
			gone = append(gone, x.SiteID)
			x = record.Snapshot{}
		}
		return x, err
	}, `SELECT s.site_id, s.bucket, s.at_ms, s.url, s.state, l.jetpack_monitor_site_id FROM jetmon_suspects s
	LEFT JOIN jetpack_monitor_sites l ON l.jetpack_monitor_site_id = s.site_id AND l.bucket_no BETWEEN ? AND ?
	WHERE s.shard = ? ORDER BY s.site_id`, first, first+shard.BucketsPer-1, id)
	if err != nil {
		return nil, s.fault(doing, err)
	}
	if len(gone) > 0 {
		snapshots = slices.DeleteFunc(snapshots, func(x record.Snapshot) bool { return x.SiteID == 0 })
		if err := s.write(ctx, func(t txn) error { return removeSnapshots(t, id, gone) }); err != nil {
			s.log.Warn("deleting snapshots of missing sites failed", "shard", id, "error", err)
		}
	}
	return snapshots, nil
}
