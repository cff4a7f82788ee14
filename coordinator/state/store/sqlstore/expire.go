package sqlstore

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/fault"
)

// maxExpire bounds one transaction of Expire, which holds the lock of its shard.
const maxExpire = 1000

// Expire implements store.Retention. Ballots go first.
func (s *Store) Expire(ctx context.Context, f shard.Fence, e store.Expiry, limit int) (expired int, err error) {
	if limit < 1 || limit > maxExpire {
		return 0, fault.InvalidField("limit", "must be from 1 to %d, is %d", maxExpire, limit)
	}
	if f.Node == "" || f.Shard >= shard.Count {
		return 0, fault.New(fault.Fenced, "%q does not own shard %d", f.Node, f.Shard)
	}
	err = s.write(ctx, func(t txn) error {
		expired = 0
		if err := fence(t, f); err != nil {
			return err
		}
		n, err := expireBallots(t, f.Shard, e, limit)
		if err != nil {
			return err
		}
		expired = n
		if n == limit {
			return nil
		}
		n, err = expireOutages(t, f.Shard, e, limit-n)
		if expired += n; err != nil || expired == limit {
			return err
		}
		n, err = expireDeliveries(t, f.Shard, e, limit-expired)
		if expired += n; err != nil || expired == limit || e.Events.IsZero() {
			return err
		}
		n, err = expireEvents(t, f.Shard, toMillis(e.Events), limit-expired)
		expired += n
		return err
	})
	if err != nil {
		return 0, s.fault(fmt.Sprintf("expire the history of shard %d", f.Shard), err)
	}
	return expired, nil
}

// expireBallots goes bucket by bucket, since the index finds the oldest only within a bucket.
func expireBallots(t txn, s shard.ID, e store.Expiry, limit int) (expired int, err error) {
	if e.Ballots.IsZero() {
		return 0, nil
	}
	for i := range shard.BucketsPer {
		ids, err := t.ids(`SELECT id FROM jetmon_ballots WHERE outage_id = 0 AND bucket = ? AND decided_ms < ?
	ORDER BY decided_ms, id LIMIT ?`, int(s)*shard.BucketsPer+i, toMillis(e.Ballots), limit-expired)
		if err != nil {
			return expired, err
		}
		if err := t.remove("DELETE FROM jetmon_ballots WHERE id IN ", ids); err != nil {
			return expired, err
		}
		if expired += len(ids); expired == limit {
			break
		}
	}
	return expired, nil
}

func expireOutages(t txn, s shard.ID, e store.Expiry, limit int) (int, error) {
	if e.Outages.IsZero() {
		return 0, nil
	}
	in, args := inShards("o.bucket", []shard.ID{s})
	ids, err := t.ids(`SELECT o.id FROM jetmon_outages o WHERE o.end_ms > 0 AND o.end_ms < ? AND `+in+`
	AND NOT EXISTS (SELECT 1 FROM jetmon_outbox n WHERE n.site_id = o.site_id)
	AND COALESCE((SELECT d.id FROM jetmon_deliveries d WHERE d.lane = o.site_id AND d.state IN (1, 2, 6) LIMIT 1), 0) = 0
	ORDER BY o.end_ms, o.id LIMIT ?`, append(append([]any{toMillis(e.Outages)}, args...), limit)...)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		var site int64
		if _, err := t.find([]any{&site}, "SELECT site_id FROM jetmon_outages WHERE id = ?", id); err != nil {
			return 0, err
		}
		for _, table := range []string{"jetmon_ballots", "jetmon_transitions"} {
			// The index on sites finds the rows: no index begins with the outage.
			if _, err := t.exec("DELETE FROM "+table+" WHERE site_id = ? AND outage_id = ?", site, id); err != nil {
				return 0, err
			}
		}
	}
	return len(ids), t.remove("DELETE FROM jetmon_outages WHERE end_ms > 0 AND id IN ", ids)
}

// expireDeliveries deletes deliveries of a shard that have ended, and those of subscriptions that
// are gone.
func expireDeliveries(t txn, s shard.ID, e store.Expiry, limit int) (expired int, err error) {
	subscriptions, err := t.ids("SELECT subscription_id FROM jetmon_delivery_counts WHERE shard = ?", s)
	if err != nil {
		return 0, err
	}
	there, err := t.ids("SELECT id FROM jetmon_subscriptions")
	if err != nil {
		return 0, err
	}
	there = append(there, int64(subscription.WordPressCom))
	for _, id := range subscriptions {
		gone := !slices.Contains(there, id)
		for _, state := range allStates {
			before := map[delivery.State]time.Time{delivery.Delivered: e.Deliveries, delivery.Superseded: e.Deliveries, delivery.Dead: e.DeadLetters}[state]
			until := toMillis(before)
			if gone {
				until = math.MaxInt64
			}
			if until == 0 {
				continue
			}
			found, err := t.deliveriesOf("d.subscription_id = ? AND d.state = ? AND d.shard = ? AND d.next_ms < ? ORDER BY d.next_ms, d.id LIMIT ?",
				id, state, s, until, limit-expired)
			if err != nil {
				return expired, err
			}
			if err := t.drop(found); err != nil {
				return expired, err
			}
			if expired += len(found); expired == limit {
				return expired, nil
			}
		}
	}
	return expired, nil
}

// deliveriesOf reads rows of jetmon_deliveries, which the condition calls d.
func (t txn) deliveriesOf(where string, args ...any) (all []delivery.Delivery, err error) {
	rows, err := t.tx.QueryContext(t.ctx, "SELECT "+deliveryColumns+" FROM jetmon_deliveries d WHERE "+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		d, err := scanDelivery(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, rows.Err()
}

// ids reads a list of row ids.
func (t txn) ids(query string, args ...any) (ids []any, err error) {
	rows, err := t.tx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// remove runs a DELETE to which it adds the list of ids.
func (t txn) remove(query string, ids []any) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := t.exec(query+marks(len(ids)), ids...)
	return err
}
