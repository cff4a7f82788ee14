package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/subscription"
)

// listeners remembers the subscriptions that were read, by id: a commit reads their states and
// revisions only.
type listeners struct {
	mu   sync.Mutex
	byID map[int64]*subscription.Subscription
}

// revised is what a commit reads of each subscription.
type revised struct {
	id, revision int64
	state        subscription.State
}

// told reads the subscriptions that get deliveries, as the transaction sees them.
func (t txn) told() ([]*subscription.Subscription, error) {
	rows, err := t.tx.QueryContext(t.ctx, "SELECT id, state, revision FROM jetmon_subscriptions ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []revised
	for rows.Next() {
		var r revised
		if err := rows.Scan(&r.id, &r.state, &r.revision); err != nil {
			return nil, err
		}
		if r.state == subscription.Active || r.state == subscription.Paused {
			all = append(all, r)
		}
	}
	if err := rows.Err(); err != nil || len(all) == 0 {
		return nil, err
	}
	return t.listeners.read(t, all)
}

// read returns the subscriptions with the given revisions, from memory as far as possible.
func (l *listeners) read(t txn, all []revised) ([]*subscription.Subscription, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := make(map[int64]*subscription.Subscription, len(all))
	told := make([]*subscription.Subscription, 0, len(all))
	for _, r := range all {
		s := l.byID[r.id]
		if s == nil || s.Revision != r.revision || s.State != r.state {
			fresh, found, err := t.subscription(r.id)
			if err != nil {
				return nil, err
			}
			if !found {
				continue
			}
			s = &fresh
		}
		next[r.id], told = s, append(told, s)
	}
	l.byID = next
	return told, nil
}

const toldColumns = "SELECT id, name, kind, state, state_why, state_ms, revision, body, secrets, created_ms, updated_ms FROM jetmon_subscriptions"

func scanTold(scan func(...any) error) (s subscription.Subscription, err error) {
	var body, secrets string
	var since, created, updated int64
	if err := scan(&s.ID, &s.Name, &s.Kind, &s.State, &s.Why, &since, &s.Revision, &body, &secrets, &created, &updated); err != nil {
		return s, err
	}
	s.Since, s.Created, s.Updated = fromMillis(since), fromMillis(created), fromMillis(updated)
	return s, s.Restore(body, secrets)
}

// subscription reads one, as a transaction sees it.
func (t txn) subscription(id int64) (s subscription.Subscription, found bool, err error) {
	rows, err := t.tx.QueryContext(t.ctx, toldColumns+" WHERE id = ?", id)
	if err != nil {
		return s, false, err
	}
	defer rows.Close()
	if rows.Next() {
		found = true
		s, err = scanTold(rows.Scan)
	}
	if err == nil {
		err = rows.Err()
	}
	return s, found, err
}

// Told implements store.Listeners.
func (s *Store) Told(ctx context.Context) ([]subscription.Subscription, error) {
	all, err := list(ctx, s.writer, func(rows *sql.Rows) (subscription.Subscription, error) { return scanTold(rows.Scan) },
		toldColumns+" WHERE state IN (?, ?) ORDER BY id", subscription.Active, subscription.Paused)
	if err != nil {
		return nil, s.fault("read the subscriptions", err)
	}
	return all, nil
}

// PauseSubscription implements store.Listeners.
func (s *Store) PauseSubscription(ctx context.Context, id, revision int64, why string, at time.Time) error {
	return s.turnSubscription(ctx, turn{id, revision, subscription.Active, subscription.Paused, why, at})
}

// ResumeSubscription implements store.Listeners.
func (s *Store) ResumeSubscription(ctx context.Context, id, revision int64, at time.Time) error {
	return s.turnSubscription(ctx, turn{id, revision, subscription.Paused, subscription.Active, "", at})
}

// turn is a change of a subscription's state.
type turn struct {
	id, revision int64
	from, to     subscription.State
	why          string
	at           time.Time
}

// turnSubscription changes the state of a subscription that is as the caller knows it.
func (s *Store) turnSubscription(ctx context.Context, c turn) error {
	err := s.write(ctx, func(t txn) error {
		_, err := t.exec(`UPDATE jetmon_subscriptions SET state = ?, state_why = ?, state_ms = ?, revision = revision + 1
	WHERE id = ? AND revision = ? AND state = ?`, c.to, clip(c.why, 500), toMillis(c.at), c.id, c.revision, c.from)
		return err
	})
	if err != nil {
		return s.fault(fmt.Sprintf("change the state of subscription %d", c.id), err)
	}
	return nil
}
