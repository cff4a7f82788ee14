package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/internal/fault"
)

// maxSettle bounds one transaction of SettleDeliveries, which holds the lock of its shard.
const maxSettle = 500

// tallies are changes of jetmon_delivery_counts.
type tallies map[tallyOf]tally

type tallyOf struct {
	subscription int64
	shard        shard.ID
}

type tally struct{ pending, dead int }

func (s tallies) add(subscriptionID int64, in shard.ID, pending, dead int) {
	k := tallyOf{subscriptionID, in}
	s[k] = tally{s[k].pending + pending, s[k].dead + dead}
}

// tally writes changes of the counts, in the order of their rows.
func (t txn) tally(sums tallies) error {
	keys := make([]tallyOf, 0, len(sums))
	for k, v := range sums {
		if v != (tally{}) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b tallyOf) int {
		return cmp.Or(cmp.Compare(a.subscription, b.subscription), cmp.Compare(a.shard, b.shard))
	})
	for _, k := range keys {
		v := sums[k]
		n, err := t.exec("UPDATE jetmon_delivery_counts SET pending = pending + ?, dead = dead + ? WHERE subscription_id = ? AND shard = ?",
			v.pending, v.dead, k.subscription, k.shard)
		if err == nil && n == 0 {
			_, err = t.exec("INSERT INTO jetmon_delivery_counts (subscription_id, shard, pending, dead) VALUES (?, ?, ?, ?)",
				k.subscription, k.shard, v.pending, v.dead)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fenced checks what every call under a fence gets.
func fenced(f shard.Fence, n, most int) error {
	switch {
	case n > most:
		return fault.InvalidField("deliveries", "must be at most %d, are %d", most, n)
	case f.Node == "" || f.Shard >= shard.Count:
		return fault.New(fault.Fenced, "%q does not own shard %d", f.Node, f.Shard)
	}
	return nil
}

// again runs a transaction once more when a row has changed since it was read.
func (s *Store) again(ctx context.Context, f func(txn) error) (err error) {
	for range maxRuns {
		if err = s.write(ctx, f); err == nil || !s.moved(err) {
			return err
		}
	}
	return err
}

// BeginDeliveries implements store.Deliveries.
func (s *Store) BeginDeliveries(ctx context.Context, f shard.Fence, ids []int64, at time.Time) (begun []int64, err error) {
	if err := fenced(f, len(ids), maxSettle); err != nil || len(ids) == 0 {
		return nil, err
	}
	err = s.write(ctx, func(t txn) error {
		begun = nil
		if err := fence(t, f); err != nil {
			return err
		}
		args := []any{toMillis(at), f.Shard, delivery.Waiting}
		for _, id := range ids {
			args = append(args, id)
		}
		if _, err := t.exec("UPDATE jetmon_deliveries SET tried_ms = ? WHERE shard = ? AND state = ? AND id IN "+marks(len(ids)), args...); err != nil {
			return err
		}
		found, err := t.ids("SELECT id FROM jetmon_deliveries WHERE shard = ? AND state = ? AND id IN "+marks(len(ids)), args[1:]...)
		for _, id := range found {
			begun = append(begun, id.(int64))
		}
		return err
	})
	if err != nil {
		return nil, s.fault(fmt.Sprintf("begin deliveries of shard %d", f.Shard), err)
	}
	return begun, nil
}

// SettleDeliveries implements store.Deliveries.
func (s *Store) SettleDeliveries(ctx context.Context, f shard.Fence, results []delivery.Result) error {
	if err := fenced(f, len(results), maxSettle); err != nil || len(results) == 0 {
		return err
	}
	err := s.again(ctx, func(t txn) error {
		if err := fence(t, f); err != nil {
			return err
		}
		return t.settle(f, results)
	})
	if err != nil {
		return s.fault(fmt.Sprintf("record %d results of shard %d", len(results), f.Shard), err)
	}
	return nil
}

// outcome is what a group of results has in common.
type outcome struct {
	subscription int64
	accepted     bool
	from, then   delivery.State
}

// settle changes rows before it reads any: see the remark on lanes of two shards in deliver.go.
func (t txn) settle(f shard.Fence, results []delivery.Result) error {
	groups := map[outcome][]*delivery.Result{}
	var order []outcome
	for i := range results {
		r := &results[i]
		k := outcome{r.Subscription, r.Accepted, r.State, r.Then}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], r)
	}
	sums := tallies{}
	var ended []any
	for _, k := range order {
		same := groups[k]
		n, err := t.settleAlike(f, k, same)
		if err != nil {
			return err
		}
		pending, dead := 0, 0
		if k.from == delivery.Waiting && k.then != delivery.Waiting {
			pending = -n
		}
		if k.then == delivery.Dead {
			dead = n
		}
		sums.add(k.subscription, f.Shard, pending, dead)
		if k.then != delivery.Waiting && k.then != k.from {
			for _, r := range same {
				ended = append(ended, r.ID)
			}
		}
		if !k.accepted && n == len(same) {
			if err := t.keepAttempts(same); err != nil {
				return err
			}
		}
		if err := t.noteTold(k, same); err != nil {
			return err
		}
	}
	if err := t.tally(sums); err != nil {
		return err
	}
	return t.followUp(ended)
}

// settleAlike records results that lead from one state to another, and returns how many rows
// were in the first.
func (t txn) settleAlike(f shard.Fence, k outcome, same []*delivery.Result) (int, error) {
	set, args := "state = ?, attempts = attempts + 1", []any{k.then}
	column := func(name string, value func(*delivery.Result) any) {
		text, values := perRow(same, value)
		set, args = set+", "+name+" = "+text, append(args, values...)
	}
	ends := func(r *delivery.Result) any { return toMillis(r.At.Add(r.Took)) }
	next := ends
	if k.then == delivery.Waiting || k.then == delivery.Alive {
		next = func(r *delivery.Result) any { return toMillis(r.Again) }
	}
	column("next_ms", next)
	column("tried_ms", func(r *delivery.Result) any { return toMillis(r.At) })
	if k.then != delivery.Waiting {
		column("done_ms", ends)
	}
	column("http_status", func(r *delivery.Result) any { return r.HTTPStatus })
	column("answer", func(r *delivery.Result) any { return clip(r.Text, 500) })
	// The count of attempts tells this result from one that was recorded before, as when the
	// answer to that was lost.
	tries, tried := perRow(same, func(r *delivery.Result) any { return r.Attempts })
	args = append(append(args, f.Shard, k.from), tried...)
	for _, r := range same {
		args = append(args, r.ID)
	}
	n, err := t.exec("UPDATE jetmon_deliveries SET "+set+" WHERE shard = ? AND state = ? AND attempts = "+tries+" AND id IN "+marks(len(same)), args...)
	return int(n), err
}

// perRow returns an expression for a value of each row: one for all if they are the same.
func perRow(same []*delivery.Result, value func(*delivery.Result) any) (text string, args []any) {
	alike := true
	for _, r := range same {
		v := value(r)
		alike = alike && v == value(same[0])
		args = append(args, r.ID, v)
	}
	if alike {
		return "?", args[1:2]
	}
	return caseOf("id", len(same)), args
}

// noteTold notes in the changes of status what WordPress.com was told.
func (t txn) noteTold(k outcome, same []*delivery.Result) error {
	if k.subscription != subscription.WordPressCom || k.then != delivery.Delivered && k.then != delivery.Dead {
		return nil
	}
	text, args := perRow(same, func(r *delivery.Result) any {
		if k.then == delivery.Dead {
			return neverDelivered
		}
		return toMillis(r.At.Add(r.Took))
	})
	var ids []any
	for i, r := range same {
		if len(args) > 1 {
			args[2*i] = r.TransitionID
		}
		ids = append(ids, r.TransitionID)
	}
	_, err := t.exec("UPDATE jetmon_transitions SET delivered_ms = "+text+" WHERE delivered_ms <= 0 AND id IN "+marks(len(ids)), append(args, ids...)...)
	return err
}

// keepAttempts keeps attempts that were not accepted, the newest of each delivery.
func (t txn) keepAttempts(same []*delivery.Result) error {
	rows := make([][]any, len(same))
	for i, r := range same {
		rows[i] = []any{r.ID, r.Attempts + 1, toMillis(r.At), r.Took.Milliseconds(), r.HTTPStatus, clip(r.Text, 500)}
		if r.Attempts >= delivery.MaxAttempts {
			if _, err := t.exec("DELETE FROM jetmon_attempts WHERE delivery_id = ? AND n <= ?", r.ID, r.Attempts+1-delivery.MaxAttempts); err != nil {
				return err
			}
		}
	}
	return t.insertRows("INSERT INTO jetmon_attempts (delivery_id, n, at_ms, took_ms, http_status, answer) VALUES ", rows)
}

// followUp brings the next of each lane forward whose first has ended.
func (t txn) followUp(ended []any) error {
	if len(ended) == 0 {
		return nil
	}
	rows, err := t.tx.QueryContext(t.ctx, `SELECT (SELECT n.id FROM jetmon_deliveries n
		WHERE n.lane = d.lane AND n.state = ? AND n.subscription_id = d.subscription_id ORDER BY n.seq, n.id LIMIT 1)
	FROM jetmon_deliveries d WHERE d.id IN `+marks(len(ended))+` AND NOT EXISTS (SELECT 1 FROM jetmon_deliveries h
		WHERE h.lane = d.lane AND h.state = ? AND h.subscription_id = d.subscription_id)`,
		append(append([]any{delivery.Behind}, ended...), delivery.Waiting)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var next []any
	for rows.Next() {
		var id number
		if err := rows.Scan(&id); err != nil {
			return err
		}
		if id != 0 {
			next = append(next, int64(id))
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	rows.Close()
	return t.bringForward(next)
}

// moved reports whether a transaction met a row that has changed since it read it.
func (s *Store) moved(err error) bool { return errors.Is(err, errMoved) || s.isDuplicate(err) }
