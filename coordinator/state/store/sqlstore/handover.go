package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// HandOver implements store.Handover. It locks the shard's row before it reads anything: what
// the owner commits until then must be seen, and a transaction may see the database as it was
// at its first read.
func (s *Store) HandOver(ctx context.Context, id shard.ID, taken time.Time) error {
	if id >= shard.Count {
		return fault.New(fault.Invalid, "there is no shard %d", id)
	}
	err := s.write(ctx, func(t txn) error {
		if _, err := t.exec("UPDATE jetmon_shards SET writes = writes + 1 WHERE shard = ?", id); err != nil {
			return err
		}
		lease, found, err := t.lease(id)
		if err != nil || lease.Taken.IsZero() == taken.IsZero() {
			return err
		}
		if !found {
			_, err := t.exec("INSERT INTO jetmon_shards (shard, owner, endpoint, term, expires_ms, taken_ms) VALUES (?, '', '', 0, 0, ?)",
				id, toMillis(taken))
			return err
		}
		if err := t.endLease(id, taken); err != nil || !taken.IsZero() {
			return err
		}
		return s.leaveToV1(t, id)
	})
	if err != nil {
		return s.fault(fmt.Sprintf("hand over shard %d", id), err)
	}
	return nil
}

// endLease ends the lease of a shard whose row is locked, so that nothing is committed under it
// any more, and notes in whose hand the shard is.
func (t txn) endLease(id shard.ID, taken time.Time) error {
	_, err := t.exec("UPDATE jetmon_shards SET owner = '', expires_ms = 0, term = term + 1, taken_ms = ? WHERE shard = ?", toMillis(taken), id)
	return err
}

// leaveToV1 checks that WordPress.com has accepted all notifications of a shard, and writes
// what it knows into the legacy rows, of which v1 starts.
func (s *Store) leaveToV1(t txn, id shard.ID) error {
	var waiting, old int
	if _, err := t.find([]any{&waiting}, "SELECT pending FROM jetmon_delivery_counts WHERE subscription_id = ? AND shard = ?", subscription.WordPressCom, id); err != nil {
		return err
	}
	in, args := inShards("bucket", []shard.ID{id})
	if _, err := t.find([]any{&old}, "SELECT COUNT(*) FROM jetmon_outbox WHERE "+in, args...); err != nil {
		return err
	}
	if waiting+old > 0 {
		return fault.New(fault.Conflict, "%d notifications wait to be accepted by WordPress.com", waiting+old)
	}
	if !s.legacyWrites {
		return nil // WordPress.com writes them itself
	}
	differing, err := s.differing(t, id)
	for _, d := range differing {
		const query = "UPDATE jetpack_monitor_sites SET site_status = ?, last_status_change = ? WHERE jetpack_monitor_site_id = ?"
		if _, err := t.exec(query, d.known.status, legacyMoment(d.known.since), d.site); err != nil {
			return err
		}
	}
	return err
}

// differs is a site of which WordPress.com knows something else than the legacy row says.
type differs struct {
	site  check.SiteID
	known standing
}

// differing lists them for a shard.
func (s *Store) differing(t txn, id shard.ID) (all []differs, err error) {
	in, args := inShards("w.bucket", []shard.ID{id})
	rows, err := t.tx.QueryContext(t.ctx, siteColumns+siteTables+" WHERE w.untold IN (1, 2, 3) AND "+in, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var row siteRow
	for rows.Next() {
		if err := rows.Scan(row.columns()...); err != nil {
			return nil, err
		}
		if !row.untold() {
			continue
		}
		if known, _ := s.known(&row); !known.byRow && known.status != legacyStatus(row.status) {
			all = append(all, differs{check.SiteID(row.id), known})
		}
	}
	return all, rows.Err()
}

// legacyMoment returns a time as the legacy table keeps it, NULL for the zero time.
func legacyMoment(at time.Time) sql.NullString {
	return sql.NullString{String: at.UTC().Format(legacyTime), Valid: !at.IsZero()}
}
