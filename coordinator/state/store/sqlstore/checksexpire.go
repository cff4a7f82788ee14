package sqlstore

import (
	"context"
	"fmt"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/fault"
)

// ExpireChecks implements store.Checks. It goes bucket by bucket, since the indexes find the
// oldest only within a bucket.
func (s *Store) ExpireChecks(ctx context.Context, f shard.Fence, e store.CheckExpiry, limit int) (expired int, err error) {
	if limit < 1 || limit > maxExpire {
		return 0, fault.InvalidField("limit", "must be from 1 to %d, is %d", maxExpire, limit)
	}
	if f.Node == "" || f.Shard >= shard.Count {
		return 0, fault.New(fault.Fenced, "%q does not own shard %d", f.Node, f.Shard)
	}
	err = s.write(ctx, func(t txn) error {
		if err := fence(t, f); err != nil {
			return err
		}
		expired, err = expireChecks(t, f.Shard, e, limit)
		return err
	})
	if err != nil {
		return 0, s.fault(fmt.Sprintf("expire the checks of shard %d", f.Shard), err)
	}
	return expired, nil
}

func expireChecks(t txn, id shard.ID, e store.CheckExpiry, limit int) (expired int, err error) {
	for i := range shard.BucketsPer {
		bucket := int(id)*shard.BucketsPer + i
		for _, kind := range []struct {
			table  string
			before history.Day
		}{{dayTable(store.DayChecks), e.Checks}, {dayTable(store.DaySummaries), e.Summaries}} {
			if kind.before == 0 || expired == limit {
				continue
			}
			n, err := t.expireDays(kind.table, bucket, kind.before, limit-expired)
			if expired += n; err != nil {
				return expired, err
			}
		}
		if e.Checks == 0 || expired == limit {
			continue
		}
		first, _ := e.Checks.Hours()
		n, err := expireHours(t, bucket, first, limit-expired)
		if expired += n; err != nil {
			return expired, err
		}
	}
	if e.Summaries == 0 || expired == limit {
		return expired, nil
	}
	n, err := expireFleet(t, id, e.Summaries, limit-expired)
	return expired + n, err
}

// expireDays deletes the oldest days of a bucket, a statement a day.
func (t txn) expireDays(table string, bucket int, before history.Day, limit int) (int, error) {
	days, parts, err := t.pairs("SELECT day_no, part FROM "+table+" WHERE bucket = ? AND day_no < ? ORDER BY day_no, part LIMIT ?", bucket, before, limit)
	if err != nil {
		return 0, err
	}
	for i := 0; i < len(days); {
		first := i
		for i < len(days) && days[i] == days[first] {
			i++
		}
		if _, err := t.exec("DELETE FROM "+table+" WHERE bucket = ? AND day_no = ? AND part >= ? AND part <= ?", bucket, days[first], parts[first], parts[i-1]); err != nil {
			return 0, err
		}
	}
	return len(days), nil
}

func expireHours(t txn, bucket int, before history.Hour, limit int) (int, error) {
	hours, ns, err := t.pairs("SELECT hour_no, n FROM jetmon_check_hours WHERE bucket = ? AND hour_no < ? ORDER BY hour_no, n LIMIT ?", bucket, before, limit)
	if err != nil {
		return 0, err
	}
	for i, h := range hours {
		if _, err := t.exec("DELETE FROM jetmon_check_hours WHERE bucket = ? AND hour_no = ? AND n = ?", bucket, h, ns[i]); err != nil {
			return 0, err
		}
	}
	return len(hours), nil
}

func expireFleet(t txn, id shard.ID, before history.Day, limit int) (int, error) {
	days, err := t.ids("SELECT day_no FROM jetmon_check_fleet WHERE shard = ? AND day_no < ? ORDER BY day_no LIMIT ?", id, before, limit)
	if err != nil || len(days) == 0 {
		return 0, err
	}
	_, err = t.exec("DELETE FROM jetmon_check_fleet WHERE shard = ? AND day_no <= ?", id, days[len(days)-1])
	return len(days), err
}

// pairs reads two numbers a row.
func (t txn) pairs(query string, args ...any) (first, second []int64, err error) {
	rows, err := t.tx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var a, b int64
		if err := rows.Scan(&a, &b); err != nil {
			return nil, nil, err
		}
		first, second = append(first, a), append(second, b)
	}
	return first, second, rows.Err()
}
