package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	// maxWithdraw bounds one transaction of Mute, which holds the lock of its shard.
	maxWithdraw = 500
	// neverDelivered is the delivered_ms of a change without a notification, or whose
	// notification we withdrew.
	neverDelivered = -1
)

// waiting is a notification that WordPress.com has not accepted. known means that its site has a
// row in jetmon_site_status.
type waiting struct {
	id    int64
	shard shard.ID
	site  check.SiteID
	known bool
	// The rest comes from the notification's change.
	transition, blog, bucket, outage, status, at int64
}

// waiting reads notifications to WordPress.com, which the condition calls o.
func (t txn) waiting(where string, args ...any) (all []waiting, err error) {
	rows, err := t.tx.QueryContext(t.ctx, `SELECT o.id, o.shard, o.lane, w.site_id, c.id, c.blog_id, c.bucket, c.outage_id, c.to_status, c.at_ms
	FROM jetmon_deliveries o JOIN jetmon_transitions c ON c.id = o.transition_id
	LEFT JOIN jetmon_site_status w ON w.site_id = o.lane WHERE o.subscription_id = ? AND o.state IN (?, ?) AND `+where,
		append([]any{subscription.WordPressCom, delivery.Waiting, delivery.Behind}, args...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var w waiting
		var known number
		if err := rows.Scan(&w.id, &w.shard, &w.site, &known, &w.transition, &w.blog, &w.bucket, &w.outage, &w.status, &w.at); err != nil {
			return nil, err
		}
		w.known = known != 0
		all = append(all, w)
	}
	return all, rows.Err()
}

// takeOff deletes notifications to WordPress.com and keeps their changes.
func takeOff(t txn, notifications []waiting) error {
	ids, transitions, sums := make([]any, len(notifications)), make([]any, len(notifications)), tallies{}
	for i, w := range notifications {
		ids[i], transitions[i] = w.id, w.transition
		sums.add(subscription.WordPressCom, w.shard, -1, 0)
	}
	if err := t.removeDeliveries(ids); err != nil || len(ids) == 0 {
		return err
	}
	if err := t.tally(sums); err != nil {
		return err
	}
	_, err := t.exec("UPDATE jetmon_transitions SET delivered_ms = ? WHERE delivered_ms = 0 AND id IN "+marks(len(ids)),
		append([]any{neverDelivered}, transitions...)...)
	return err
}

// Mute implements store.Outbox.
func (s *Store) Mute(ctx context.Context, f shard.Fence, limit int) (withdrawn int, err error) {
	switch {
	case limit < 1 || limit > maxWithdraw:
		return 0, fault.InvalidField("limit", "must be from 1 to %d, is %d", maxWithdraw, limit)
	case f.Node == "" || f.Shard >= shard.Count:
		return 0, fault.New(fault.Fenced, "%q does not own shard %d", f.Node, f.Shard)
	}
	err = s.write(ctx, func(t txn) error {
		if err := fence(t, f); err != nil {
			return err
		}
		in, args := inShards("bucket", []shard.ID{f.Shard})
		if _, err := t.exec("UPDATE jetmon_site_status SET untold = ? WHERE untold = ? AND "+in,
			append([]any{othersToo, allTold}, args...)...); err != nil {
			return err
		}
		if _, err := t.adopt(f, limit); err != nil {
			return err
		}
		notifications, err := t.waiting("o.shard = ? ORDER BY o.lane, o.seq, o.id LIMIT ?", f.Shard, limit)
		withdrawn = len(notifications)
		if err != nil || withdrawn == 0 {
			return err
		}
		if err := takeOff(t, notifications); err != nil {
			return err
		}
		return s.unsure(t, notifications)
	})
	if err != nil {
		return 0, s.fault(fmt.Sprintf("mute shard %d", f.Shard), err)
	}
	return withdrawn, nil
}

// unsure marks the sites of withdrawn notifications. A site without a row, whose changes an
// older version committed, gets one from its newest notification.
func (s *Store) unsure(t txn, notifications []waiting) error {
	var known []any
	newest := map[check.SiteID][]any{}
	for _, w := range notifications {
		if w.known {
			known = append(known, w.site)
			continue
		}
		inRow := w.at
		if !s.legacyWrites {
			inRow = 0
		}
		newest[w.site] = []any{w.site, w.blog, w.bucket, w.outage, w.status, w.at, inRow, w.status, w.at, someWithdrawn}
	}
	rows := make([][]any, 0, len(newest))
	for _, row := range newest {
		rows = append(rows, row)
	}
	if err := t.insertRows(statusInsert, rows); err != nil || len(known) == 0 {
		return err
	}
	_, err := t.exec("UPDATE jetmon_site_status SET untold = ? WHERE site_id IN "+marks(len(known)),
		append([]any{someWithdrawn}, known...)...)
	return err
}

// CountUntold implements store.Outbox. It reads the rows because no SQL common to all
// engines compares last_status_change with our milliseconds.
func (s *Store) CountUntold(ctx context.Context, shards []shard.ID) (count int, err error) {
	in, args := inShards("w.bucket", shards)
	if in == "" {
		return 0, nil
	}
	var row siteRow
	_, err = list(ctx, s.writer, func(rows *sql.Rows) (none struct{}, err error) {
		if err := rows.Scan(row.columns()...); err != nil {
			return none, err
		}
		if known := s.site(&row).Untold; known != nil && (known.Unsure || known.Status != s.recorded(&row).status) {
			count++
		}
		return none, nil
	}, siteColumns+siteTables+" WHERE w.untold IN (1, 2) AND "+in, args...)
	if err != nil {
		return 0, s.fault("count sites that are untold", err)
	}
	return count, nil
}
