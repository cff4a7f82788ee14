package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// unnoticed selects the open outages o that are suspended although their row l is active, or
// the other way round. It is as cheap as orphaned.
const unnoticed = ` JOIN jetpack_monitor_sites l ON l.jetpack_monitor_site_id = o.open_site
	WHERE o.end_ms = 0 AND (l.monitor_active = 1 AND o.suspended_ms <> 0 OR l.monitor_active <> 1 AND o.suspended_ms = 0)`

// ListUnnoticed implements store.Orphans.
func (s *Store) ListUnnoticed(ctx context.Context, shards []shard.ID, limit int) ([]record.Outage, error) {
	found, err := s.listOpen(ctx, unnoticed, shards, limit)
	if err != nil {
		return nil, s.fault("find open outages whose sites were paused or resumed", err)
	}
	return found, nil
}

// NotePauses implements store.Orphans.
func (s *Store) NotePauses(ctx context.Context, f shard.Fence, ids []int64, at time.Time) (noted int, err error) {
	noted, err = s.settleOpen(ctx, f, ids, func(t txn, among string, args []any) (int, error) {
		return t.notePauses(at, "SELECT o.id FROM jetmon_outages o"+unnoticed+among, args)
	})
	if err != nil {
		return 0, s.fault(fmt.Sprintf("note the pauses of sites of shard %d", f.Shard), err)
	}
	return noted, nil
}

// notePauses suspends or resumes the outages that a query finds, and counts them.
func (t txn) notePauses(at time.Time, query string, args []any) (noted int, err error) {
	paused, err := t.ids(query+" AND o.suspended_ms = 0", args...)
	if err != nil {
		return 0, err
	}
	resumed, err := t.ids(query+" AND o.suspended_ms <> 0", args...)
	if err != nil {
		return 0, err
	}
	for _, some := range []struct {
		ids  []any
		note func(time.Time, string, ...any) (int64, error)
	}{{paused, t.suspend}, {resumed, t.resume}} {
		if len(some.ids) == 0 {
			continue
		}
		n, err := some.note(at, "open_site IS NOT NULL AND id IN "+marks(len(some.ids)), some.ids...)
		if noted += int(n); err != nil {
			return noted, err
		}
	}
	return noted, nil
}

// suspend marks outages as suspended, and counts them.
func (t txn) suspend(at time.Time, where string, args ...any) (int64, error) {
	return t.exec("UPDATE jetmon_outages SET suspended_ms = ? WHERE suspended_ms = 0 AND "+where,
		append([]any{toMillis(at)}, args...)...)
}

// resume adds the pauses of suspended outages up, and counts them.
func (t txn) resume(at time.Time, where string, args ...any) (int64, error) {
	return t.exec("UPDATE jetmon_outages SET "+addPause("?")+", suspended_ms = 0 WHERE suspended_ms <> 0 AND "+where,
		append([]any{toMillis(at), toMillis(at)}, args...)...)
}

// addPause sets paused_ms when a pause, if there is one, ends at a time in milliseconds, which
// it repeats. It comes before suspended_ms is set: MySQL applies one after the other.
func addPause(at string) string {
	return "paused_ms = paused_ms + CASE WHEN suspended_ms <> 0 AND suspended_ms < " + at + " THEN " + at + " - suspended_ms ELSE 0 END"
}
