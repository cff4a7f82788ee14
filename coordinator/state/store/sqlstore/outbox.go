package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/fault"
)

// DueNotifications implements store.Outbox. A notification waits while its site has an older one,
// that is, one with a lower place, whether that one is due or not.
func (s *Store) DueNotifications(ctx context.Context, shards []shard.ID, now time.Time, limit int) ([]record.Notification, error) {
	if limit < 1 || limit > maxPage {
		return nil, fault.InvalidField("limit", "must be from 1 to %d, is %d", maxPage, limit)
	}
	in, args := inShards("o.bucket", shards)
	if in == "" {
		return nil, nil
	}
	// The subquery scans small rows in the order of their ids, which across sites is roughly
	// that of their age; only its results are joined with their changes.
	query := `SELECT n.id, n.change_key, n.attempts, n.next_ms, n.created_ms, t.outage_id, t.body, ` + ballotColumns + `
	FROM (SELECT o.id FROM jetmon_outbox o WHERE ` + in + ` AND o.next_ms <= ?
		AND NOT EXISTS (SELECT 1 FROM jetmon_outbox e WHERE e.site_id = o.site_id AND ` + placeOf("e") + ` < ` + placeOf("o") + `)
		ORDER BY o.id LIMIT ?) d
	JOIN jetmon_outbox n ON n.id = d.id
	JOIN jetmon_transitions t ON t.id = d.id
	LEFT JOIN jetmon_ballots b ON b.id = t.ballot_id
	ORDER BY n.id`
	notifications, err := list(ctx, s.writer, s.scanNotification, query, append(args, toMillis(now), limit)...)
	if err != nil {
		return nil, s.fault("read due notifications", err)
	}
	return slices.DeleteFunc(notifications, func(n record.Notification) bool { return n.Change.SiteID == 0 }), nil
}

// scanNotification leaves the change empty when it is unreadable: one damaged row must not delay
// the notifications of all other sites.
func (s *Store) scanNotification(rows *sql.Rows) (n record.Notification, err error) {
	var body string
	var next, created int64
	var ballot ballotRow
	dest := []any{&n.ID, &n.Key, &n.Attempts, &next, &created, &n.OutageID, &body}
	if err := rows.Scan(append(dest, ballot.dest()...)...); err != nil {
		return n, err
	}
	n.NextAttempt, n.Created = fromMillis(next), fromMillis(created)
	if n.Change, err = reported(body, ballot); err != nil {
		s.log.Error("notification unreadable, kept in the outbox", "notification_id", n.ID, "key", n.Key, "error", err)
		n.Change = record.Change{}
	}
	return n, nil
}

// reported assembles a change from its body and its ballot.
func reported(body string, ballot ballotRow) (record.Change, error) {
	c, err := decode[record.Change](body)
	if err != nil || ballot.id == 0 {
		return c, err
	}
	b, err := ballot.ballot()
	c.Ballot = &b
	return c, err
}

// inShards returns the condition that a bucket is in one of the shards, as a minimal number
// of ranges; "" for no shards.
func inShards(column string, shards []shard.ID) (condition string, args []any) {
	sorted := slices.Compact(slices.Sorted(slices.Values(shards)))
	var ranges []string
	for i := 0; i < len(sorted); {
		first := sorted[i]
		last := first
		for i++; i < len(sorted) && sorted[i] == last+1; i++ {
			last = sorted[i]
		}
		ranges = append(ranges, column+" BETWEEN ? AND ?")
		args = append(args, int(first)*shard.BucketsPer, (int(last)+1)*shard.BucketsPer-1)
	}
	if len(ranges) == 0 {
		return "", nil
	}
	return "(" + strings.Join(ranges, " OR ") + ")", args
}

// Delivered implements store.Outbox.
func (s *Store) Delivered(ctx context.Context, n record.Notification, at time.Time) error {
	err := s.write(ctx, func(t txn) error {
		if _, err := t.exec("DELETE FROM jetmon_outbox WHERE id = ? AND site_id = ?", n.ID, n.Change.SiteID); err != nil {
			return err
		}
		_, err := t.exec("UPDATE jetmon_transitions SET delivered_ms = ? WHERE id = ? AND site_id = ? AND delivered_ms <= 0",
			toMillis(at), n.ID, n.Change.SiteID)
		return err
	})
	if err != nil {
		return s.fault(fmt.Sprintf("take notification %d off", n.ID), err)
	}
	return nil
}

// Postponed implements store.Outbox.
func (s *Store) Postponed(ctx context.Context, n record.Notification, next time.Time, why string) error {
	err := s.write(ctx, func(t txn) error {
		_, err := t.exec("UPDATE jetmon_outbox SET attempts = ?, next_ms = ?, last_error = ? WHERE id = ? AND site_id = ?",
			n.Attempts+1, toMillis(next), clip(why, 500), n.ID, n.Change.SiteID)
		return err
	})
	if err != nil {
		return s.fault(fmt.Sprintf("postpone notification %d", n.ID), err)
	}
	return nil
}

// CountNotifications implements store.Outbox.
func (s *Store) CountNotifications(ctx context.Context, shards []shard.ID) (count int, err error) {
	in, args := inShards("bucket", shards)
	if in == "" {
		return 0, nil
	}
	if err := s.writer.QueryRowContext(ctx, "SELECT COUNT(*) FROM jetmon_outbox WHERE "+in, args...).Scan(&count); err != nil {
		return 0, s.fault("count notifications", err)
	}
	return count, nil
}
