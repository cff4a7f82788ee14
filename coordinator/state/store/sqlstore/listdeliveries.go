package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	// maxDeliveries bounds a page.
	maxDeliveries = 1000
	// maxArms bounds the parts of one statement.
	maxArms = 50
)

// allStates are the states of deliveries, endedStates those that can be told again.
var (
	allStates   = [...]delivery.State{delivery.Waiting, delivery.Behind, delivery.Delivered, delivery.Dead, delivery.Superseded, delivery.Alive}
	endedStates = [...]delivery.State{delivery.Delivered, delivery.Dead, delivery.Superseded}
)

// ListDeliveries implements store.Deliveries.
func (s *Store) ListDeliveries(ctx context.Context, q store.DeliveryQuery) ([]delivery.Delivery, error) {
	if q.Limit < 1 || q.Limit > maxDeliveries {
		return nil, fault.InvalidField("page_size", "must be from 1 to %d, is %d", maxDeliveries, q.Limit)
	}
	all, err := s.deliveries(ctx, q, "")
	if err != nil {
		return nil, s.fault("list deliveries", err)
	}
	return all, nil
}

// deliveries reads a page, with one more condition.
func (s *Store) deliveries(ctx context.Context, q store.DeliveryQuery, also string, alsoArgs ...any) ([]delivery.Delivery, error) {
	if q.Subscriptions != nil && len(q.Subscriptions) == 0 {
		return nil, nil
	}
	where, args := restricted(q)
	if also != "" {
		where, args = where+" AND "+also, append(args, alsoArgs...)
	}
	subscriptions := q.Subscriptions
	switch {
	case q.ID != 0 || q.Key != "" || q.SiteID != 0:
		return s.listThose(ctx, where+among("d.state", q.States)+among("d.subscription_id", subscriptions), append(args, anys(q.States, subscriptions)...), q.Limit)
	case len(q.States) == 0 && subscriptions == nil:
		return s.listThose(ctx, where, args, q.Limit)
	case subscriptions == nil:
		var err error
		if subscriptions, err = list(ctx, s.reader, func(rows *sql.Rows) (id int64, err error) { return id, rows.Scan(&id) },
			"SELECT id FROM jetmon_subscriptions ORDER BY id"); err != nil {
			return nil, err
		}
		subscriptions = append(subscriptions, subscription.WordPressCom)
	}
	return s.listBy(ctx, subscriptions, q, where, args)
}

// listBy reads the newest of each subscription and state, which an index has in order, and merges
// them.
func (s *Store) listBy(ctx context.Context, subscriptions []int64, q store.DeliveryQuery, where string, args []any) ([]delivery.Delivery, error) {
	states := q.States
	if len(states) == 0 {
		states = allStates[:]
	}
	var all []delivery.Delivery
	var arms []string
	var values []any
	flush := func() (err error) {
		if len(arms) > 0 {
			all, err = appendRows(ctx, all, s.reader, scanDelivery, strings.Join(arms, " UNION ALL "), values...)
		}
		arms, values = arms[:0], values[:0]
		return err
	}
	for _, id := range subscriptions {
		for _, state := range states {
			arms = append(arms, "SELECT "+strings.ReplaceAll(deliveryColumns, "d.", "")+" FROM (SELECT "+deliveryColumns+" FROM jetmon_deliveries d WHERE d.subscription_id = ? AND d.state = ? AND "+
				where+" ORDER BY d.id DESC LIMIT ?) s"+fmt.Sprint(len(arms)))
			values = append(append(append(values, id, state), args...), q.Limit)
			if len(arms) < maxArms {
				continue
			}
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b delivery.Delivery) int { return cmp.Compare(b.ID, a.ID) })
	return all[:min(len(all), q.Limit)], nil
}

func (s *Store) listThose(ctx context.Context, where string, args []any, limit int) ([]delivery.Delivery, error) {
	return list(ctx, s.reader, scanDelivery, "SELECT "+deliveryColumns+" FROM jetmon_deliveries d WHERE "+where+" ORDER BY d.id DESC LIMIT ?",
		append(args, limit)...)
}

// restricted returns the conditions of a query but for subscriptions and states.
func restricted(q store.DeliveryQuery) (where string, args []any) {
	before := q.Before
	if before == 0 {
		before = math.MaxInt64
	}
	where, args = "d.id < ?", []any{before}
	for _, c := range []struct {
		wanted bool
		text   string
		value  any
	}{
		{q.ID != 0, "d.id = ?", q.ID},
		{q.Key != "", "d.event_key = ?", q.Key},
		{q.SiteID != 0, "d.lane = ?", q.SiteID},
		{q.OutageID != 0, "EXISTS (SELECT 1 FROM jetmon_transitions c WHERE c.id = d.transition_id AND c.outage_id = ?)", q.OutageID},
		{!q.Since.IsZero(), "d.created_ms >= ?", toMillis(q.Since)},
		{!q.Until.IsZero(), "d.created_ms < ?", toMillis(q.Until)},
	} {
		if c.wanted {
			where, args = where+" AND "+c.text, append(args, c.value)
		}
	}
	if len(q.Blogs) == 0 {
		return where, args
	}
	// No text inside the JSON has a quote that is not escaped.
	var blogs []string
	for _, b := range q.Blogs {
		blogs, args = append(blogs, "e.body LIKE ?"), append(args, `%"blog_id":"`+strconv.FormatInt(int64(b), 10)+`"%`)
	}
	return where + " AND EXISTS (SELECT 1 FROM jetmon_events e WHERE e.id = d.event_id AND (" + strings.Join(blogs, " OR ") + "))", args
}

// among returns the condition that a column has one of some values; none when there are none.
func among[T any](column string, values []T) string {
	if len(values) == 0 {
		return ""
	}
	return " AND " + column + " IN " + marks(len(values))
}

func anys(states []delivery.State, ids []int64) (all []any) {
	for _, s := range states {
		all = append(all, s)
	}
	for _, id := range ids {
		all = append(all, id)
	}
	return all
}

// Delivery implements store.Deliveries.
func (s *Store) Delivery(ctx context.Context, id int64) (delivery.Delivery, []delivery.Attempt, error) {
	found, err := s.listThose(ctx, "d.id = ?", []any{id}, 1)
	if err == nil && len(found) == 0 {
		err = fault.New(fault.NotFound, "there is no delivery %d", id)
	}
	if err != nil {
		return delivery.Delivery{}, nil, s.fault(fmt.Sprintf("read delivery %d", id), err)
	}
	d := found[0]
	attempts, err := list(ctx, s.reader, func(rows *sql.Rows) (a delivery.Attempt, err error) {
		var at, took int64
		err = rows.Scan(&a.Number, &at, &took, &a.HTTPStatus, &a.Text)
		a.At, a.Took = fromMillis(at), time.Duration(took)*time.Millisecond
		return a, err
	}, "SELECT n, at_ms, took_ms, http_status, answer FROM jetmon_attempts WHERE delivery_id = ? ORDER BY n", id)
	if err != nil {
		return delivery.Delivery{}, nil, s.fault(fmt.Sprintf("read the attempts at delivery %d", id), err)
	}
	if d.Newest.Accepted { // which is in no table of its own
		attempts = append(attempts, delivery.Attempt{Number: d.Attempts, At: d.Tried, Answer: d.Newest})
	}
	if n := len(attempts); n > 0 && d.Attempts > 0 {
		d.Newest = attempts[n-1].Answer
	}
	return d, attempts[max(0, len(attempts)-delivery.MaxAttempts):], nil
}

// Redeliver implements store.Deliveries.
func (s *Store) Redeliver(ctx context.Context, q store.DeliveryQuery, at time.Time, limit int) (n int, err error) {
	if limit < 1 || limit > maxSettle {
		return 0, fault.InvalidField("limit", "must be from 1 to %d, is %d", maxSettle, limit)
	}
	q.Before, q.Limit = 0, limit
	q.States = slices.DeleteFunc(slices.Clone(q.States), func(s delivery.State) bool { return !slices.Contains(endedStates[:], s) })
	if len(q.States) == 0 {
		q.States = endedStates[:]
	}
	found, err := s.deliveries(ctx, q, "d.since_ms < ?", toMillis(at))
	if err == nil && len(found) == 0 && q.ID != 0 {
		if _, _, err := s.Delivery(ctx, q.ID); err != nil {
			return 0, err
		}
		return 0, fault.New(fault.Conflict, "delivery %d is still to be told", q.ID)
	}
	if err == nil && len(found) > 0 {
		err = s.again(ctx, func(t txn) (err error) {
			n, err = t.redeliver(found, at)
			if err == nil && n > 0 && q.Tell != nil {
				err = keepAudit(t, q.Tell(n))
			}
			return err
		})
	}
	if err != nil {
		return 0, s.fault("tell deliveries again", err)
	}
	return n, nil
}

// redeliver has rows told again. It locks their shards first: their owners tell what it changes.
func (t txn) redeliver(found []delivery.Delivery, at time.Time) (int, error) {
	if err := t.lockShards(found); err != nil {
		return 0, err
	}
	slices.SortFunc(found, func(a, b delivery.Delivery) int {
		return cmp.Or(cmp.Compare(a.Subscription, b.Subscription), cmp.Compare(a.Lane, b.Lane), cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.ID, b.ID))
	})
	sums, total := tallies{}, 0
	for _, d := range found {
		var waits int64
		state := delivery.Waiting
		if ok, err := t.find([]any{&waits}, "SELECT id FROM jetmon_deliveries WHERE lane = ? AND state = ? AND subscription_id = ? LIMIT ?",
			d.Lane, delivery.Waiting, d.Subscription, 1); err != nil {
			return 0, err
		} else if ok {
			state = delivery.Behind
		}
		next := toMillis(at)
		if d.Type == event.SiteUp {
			next = 0
		}
		n, err := t.exec("UPDATE jetmon_deliveries SET state = ?, next_ms = ?, since_ms = ?, delay_ms = 0, done_ms = 0 WHERE id = ? AND state = ?",
			state, next, toMillis(at), d.ID, d.State)
		if err != nil {
			return 0, err
		}
		dead := 0
		if d.State == delivery.Dead {
			dead = -int(n)
		}
		sums.add(d.Subscription, d.Shard, int(n), dead)
		total += int(n)
	}
	return total, t.tally(sums)
}

// lockShards locks the rows of the shards of deliveries, in order, until the end of the
// transaction.
func (t txn) lockShards(of []delivery.Delivery) error {
	var shards []shard.ID
	for _, d := range of {
		shards = append(shards, d.Shard)
	}
	slices.Sort(shards)
	for _, id := range slices.Compact(shards) {
		if _, err := t.exec("UPDATE jetmon_shards SET writes = writes + 1 WHERE shard = ?", id); err != nil {
			return err
		}
	}
	return nil
}

// ForgetDeliveries implements store.Deliveries.
func (s *Store) ForgetDeliveries(ctx context.Context, subscriptionID int64, limit int) (n int, err error) {
	if limit < 1 || limit > maxSettle {
		return 0, fault.InvalidField("limit", "must be from 1 to %d, is %d", maxSettle, limit)
	}
	err = s.again(ctx, func(t txn) error {
		found, err := t.deliveriesOf("d.subscription_id = ? ORDER BY d.state, d.id LIMIT ?", subscriptionID, limit)
		if err != nil {
			return err
		}
		n = len(found)
		if n == 0 {
			_, err := t.exec("DELETE FROM jetmon_delivery_counts WHERE subscription_id = ?", subscriptionID)
			return err
		}
		return t.drop(found)
	})
	if err != nil {
		return 0, s.fault(fmt.Sprintf("forget the deliveries of subscription %d", subscriptionID), err)
	}
	return n, nil
}

// drop deletes rows with what belongs to them.
func (t txn) drop(found []delivery.Delivery) error {
	if len(found) == 0 {
		return nil
	}
	sums := tallies{}
	ids := make([]any, len(found))
	for i, d := range found {
		ids[i] = d.ID
		switch {
		case d.State.Pending():
			sums.add(d.Subscription, d.Shard, -1, 0)
		case d.State == delivery.Dead:
			sums.add(d.Subscription, d.Shard, 0, -1)
		}
	}
	if err := t.lockShards(found); err != nil {
		return err
	}
	if err := t.removeDeliveries(ids); err != nil {
		return err
	}
	return t.tally(sums)
}

// removeDeliveries deletes rows and the attempts at them.
func (t txn) removeDeliveries(ids []any) error {
	return inParts(ids, func(part []any) error {
		if err := t.remove("DELETE FROM jetmon_attempts WHERE delivery_id IN ", part); err != nil {
			return err
		}
		return t.remove("DELETE FROM jetmon_deliveries WHERE id IN ", part)
	})
}
