package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// maxDue bounds the deliveries that one call of DueDeliveries reads.
const maxDue = 10_000

const deliveryColumns = `d.id, d.subscription_id, d.shard, d.lane, d.seq, d.event_key, d.type, d.event_id, d.transition_id, d.state,
	d.attempts, d.next_ms, d.created_ms, d.since_ms, d.delay_ms, d.tried_ms, d.done_ms, d.http_status, d.answer`

// deliveryRow is a row of jetmon_deliveries.
type deliveryRow struct {
	d                                        delivery.Delivery
	next, created, since, delay, tried, done int64
}

func (r *deliveryRow) dest() []any {
	d := &r.d
	return []any{&d.ID, &d.Subscription, &d.Shard, &d.Lane, &d.Sequence, &d.Key, &d.Type, &d.EventID, &d.TransitionID, &d.State,
		&d.Attempts, &r.next, &r.created, &r.since, &r.delay, &r.tried, &r.done, &d.Newest.HTTPStatus, &d.Newest.Text}
}

func (r *deliveryRow) delivery() delivery.Delivery {
	d := r.d
	if d.Lane > 0 {
		d.SiteID = check.SiteID(d.Lane)
	}
	d.Created, d.Since = fromMillis(r.created), fromMillis(r.since)
	d.Delayed, d.Tried, d.Done = r.delay > 0, fromMillis(r.tried), fromMillis(r.done)
	if d.State == delivery.Waiting || d.State == delivery.Alive {
		d.Next = fromMillis(max(r.next, r.created))
	}
	if d.Newest.Accepted = d.State == delivery.Delivered || d.State == delivery.Alive; d.Newest.Accepted {
		d.Newest.Took = d.Done.Sub(d.Tried)
	}
	return d
}

func scanDelivery(rows *sql.Rows) (delivery.Delivery, error) {
	var r deliveryRow
	if err := rows.Scan(r.dest()...); err != nil {
		return delivery.Delivery{}, err
	}
	return r.delivery(), nil
}

// slot is a row that is due.
type slot struct{ id, lane, next int64 }

// DueDeliveries implements store.Deliveries. It finds the rows in an index first, shard by shard,
// so that what waits beyond the limit costs nothing, and reads only those that are wanted.
func (s *Store) DueDeliveries(ctx context.Context, q store.DueQuery) ([]delivery.Due, error) {
	state := delivery.Waiting
	if q.Alive {
		state = delivery.Alive
	}
	places, err := s.slots(ctx, q, state)
	if err != nil {
		return nil, s.fault("find due deliveries", err)
	}
	wanted := make([]any, 0, len(places))
	for _, p := range places {
		if q.Skip == nil || !q.Skip(p.id, p.lane) {
			wanted = append(wanted, p.id)
		}
	}
	order := make(map[int64]int, len(wanted))
	for i, id := range wanted {
		order[id.(int64)] = i
	}
	var due []delivery.Due
	err = inParts(wanted, func(part []any) (err error) {
		due, err = s.appendDue(ctx, due, q, state, part)
		return err
	})
	if err != nil {
		return nil, s.fault("read due deliveries", err)
	}
	slices.SortFunc(due, func(a, b delivery.Due) int { return cmp.Compare(order[a.ID], order[b.ID]) })
	return due, nil
}

// slots finds the rows of a query in the order in which they are due.
func (s *Store) slots(ctx context.Context, q store.DueQuery, state delivery.State) ([]slot, error) {
	var arms []string
	var args []any
	total := 0
	for _, l := range q.Looks {
		if total += l.Limit; l.Limit < 0 || l.Shard >= shard.Count || total > maxDue {
			return nil, fault.InvalidField("looks", "must be of shards, and for at most %d deliveries", maxDue)
		}
		if l.Limit == 0 {
			continue
		}
		arms = append(arms, `SELECT id, lane, next_ms FROM (SELECT id, lane, next_ms FROM jetmon_deliveries
	WHERE subscription_id = ? AND state = ? AND shard = ? AND next_ms <= ? ORDER BY next_ms, id LIMIT ?) s`+fmt.Sprint(len(arms)))
		args = append(args, q.Subscription, state, l.Shard, toMillis(q.Now), l.Limit)
	}
	if len(arms) == 0 {
		return nil, nil
	}
	all, err := list(ctx, s.writer, func(rows *sql.Rows) (p slot, err error) { return p, rows.Scan(&p.id, &p.lane, &p.next) },
		strings.Join(arms, " UNION ALL "), args...)
	slices.SortFunc(all, func(a, b slot) int { return cmp.Or(cmp.Compare(a.next, b.next), cmp.Compare(a.id, b.id)) })
	return all, err
}

// appendDue reads deliveries with what is to be told.
func (s *Store) appendDue(ctx context.Context, due []delivery.Due, q store.DueQuery, state delivery.State, ids []any) ([]delivery.Due, error) {
	scan := func(rows *sql.Rows) (delivery.Due, error) {
		var r deliveryRow
		var body text
		if err := rows.Scan(append(r.dest(), &body)...); err != nil {
			return delivery.Due{}, err
		}
		return delivery.Due{Delivery: r.delivery(), Body: string(body)}, nil
	}
	query := "SELECT " + deliveryColumns + ", e.body FROM jetmon_deliveries d LEFT JOIN jetmon_events e ON e.id = d.event_id"
	if q.Changes {
		scan = s.scanChange
		query = "SELECT " + deliveryColumns + ", c.body, " + ballotColumns + ` FROM jetmon_deliveries d
	LEFT JOIN jetmon_transitions c ON c.id = d.transition_id LEFT JOIN jetmon_ballots b ON b.id = c.ballot_id`
	}
	return appendRows(ctx, due, s.writer, scan, query+" WHERE d.state = ? AND d.id IN "+marks(len(ids)), append([]any{state}, ids...)...)
}

// scanChange leaves the change nil when it is unreadable: one damaged row must not delay the
// notifications of all other sites.
func (s *Store) scanChange(rows *sql.Rows) (d delivery.Due, err error) {
	var r deliveryRow
	var body text
	var ballot ballotRow
	if err := rows.Scan(append(append(r.dest(), &body), ballot.dest()...)...); err != nil {
		return d, err
	}
	d.Delivery = r.delivery()
	if body == "" {
		return d, nil
	}
	c, err := reported(string(body), ballot)
	if err != nil {
		s.log.Error("notification unreadable", "delivery_id", d.ID, "key", d.Key, "error", err)
		return d, nil
	}
	d.Change = &c
	return d, nil
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

// CountDeliveries implements store.Deliveries.
func (s *Store) CountDeliveries(ctx context.Context, shards []shard.ID) ([]delivery.Count, error) {
	if len(shards) == 0 {
		return nil, nil
	}
	args := make([]any, len(shards))
	for i, id := range shards {
		args[i] = id
	}
	counts, err := list(ctx, s.writer, func(rows *sql.Rows) (c delivery.Count, err error) {
		return c, rows.Scan(&c.Subscription, &c.Shard, &c.Pending, &c.Dead)
	}, "SELECT subscription_id, shard, pending, dead FROM jetmon_delivery_counts WHERE (pending > 0 OR dead > 0) AND shard IN "+marks(len(args)), args...)
	if err != nil {
		return nil, s.fault("count deliveries", err)
	}
	return counts, nil
}

// OldestDelivery implements store.Deliveries.
func (s *Store) OldestDelivery(ctx context.Context, subscriptionID int64) (time.Time, error) {
	var oldest int64
	for _, state := range []delivery.State{delivery.Waiting, delivery.Behind} {
		found, err := list(ctx, s.writer, func(rows *sql.Rows) (at int64, err error) { return at, rows.Scan(&at) },
			"SELECT since_ms + delay_ms FROM jetmon_deliveries WHERE subscription_id = ? AND state = ? ORDER BY id LIMIT ?", subscriptionID, state, 1)
		if err != nil {
			return time.Time{}, s.fault("find the oldest delivery", err)
		}
		if len(found) > 0 && (oldest == 0 || found[0] < oldest) {
			oldest = found[0]
		}
	}
	return fromMillis(oldest), nil
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
