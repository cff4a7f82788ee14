package sqlstore

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/fault"
)

// subscriptionsSlot is the slot of jetmon_site_locks in which subscriptions are added one after
// the other.
const subscriptionsSlot = 2 * slots

// maxWhy bounds the reason for a state, in characters.
const maxWhy = 500

func readSubscription(rows *sql.Rows) (subscription.Subscription, error) { return scanTold(rows.Scan) }

// CreateSubscription implements store.Subscriptions.
func (s *Store) CreateSubscription(ctx context.Context, key store.Key, sub subscription.Subscription,
	tell func(subscription.Subscription) record.Audit) (made subscription.Subscription, err error) {
	body, secrets, err := sub.Stored()
	if err != nil {
		return made, err
	}
	err = s.edit(ctx, func(t txn) error {
		if err := s.lock(t, subscriptionsSlot); err != nil {
			return err
		}
		var found bool
		if made, found, err = t.subscriptionOf(key); err != nil || found {
			return err
		}
		var count int
		if _, err := t.find([]any{&count}, "SELECT COUNT(*) FROM jetmon_subscriptions"); err != nil {
			return err
		}
		if count >= store.MaxSubscriptions {
			return fault.New(fault.Fenced, "there are %d subscriptions, which is the most; delete some", count)
		}
		made = sub
		made.Revision = 1
		keyHash, requestHash := keyTexts(key)
		id, err := t.insert(`INSERT INTO jetmon_subscriptions
	(name, kind, state, state_why, state_ms, revision, body, secrets, created_ms, updated_ms, key_hash, request_hash)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			made.Name, made.Kind, made.State, clip(made.Why, maxWhy), toMillis(made.Since), made.Revision, body, secrets,
			toMillis(made.Created), toMillis(made.Updated), keyHash, requestHash)
		if s.isDuplicate(err) {
			return nameTaken(made.Name)
		}
		if err != nil {
			return err
		}
		made.ID = id
		return keepAudit(t, tell(made))
	})
	if err != nil {
		return subscription.Subscription{}, s.fault("create a subscription", err)
	}
	return made, nil
}

func nameTaken(name string) error {
	return fault.New(fault.AlreadyExists, "another subscription has the name %q", name)
}

func keyTexts(key store.Key) (keyHash, requestHash string) {
	if key == (store.Key{}) {
		return "", ""
	}
	return hex.EncodeToString(key.Hash[:]), hex.EncodeToString(key.Request[:])
}

// subscriptionOf returns the subscription that was made under a key.
func (t txn) subscriptionOf(key store.Key) (s subscription.Subscription, found bool, err error) {
	keyHash, wanted := keyTexts(key)
	if keyHash == "" {
		return s, false, nil
	}
	var id int64
	var request string
	found, err = t.find([]any{&id, &request}, "SELECT id, request_hash FROM jetmon_subscriptions WHERE key_hash = ? AND created_ms >= ?",
		keyHash, toMillis(key.At.Add(-store.KeyLife)))
	switch {
	case err != nil || !found:
		return s, false, err
	case request != wanted:
		return s, false, fault.InvalidField("idempotency_key", "was used for another subscription, less than %v ago: give each one a key of its own", store.KeyLife)
	}
	s, err = t.oneSubscription(id)
	return s, true, err
}

// oneSubscription reads one, as the transaction sees it. NotFound when there is none.
func (t txn) oneSubscription(id int64) (subscription.Subscription, error) {
	s, found, err := t.subscription(id)
	if err == nil && !found {
		err = noSubscription(id)
	}
	return s, err
}

func noSubscription(id int64) error {
	return fault.New(fault.NotFound, "there is no subscription %d", id)
}

// Subscription implements store.Subscriptions.
func (s *Store) Subscription(ctx context.Context, id int64) (subscription.Subscription, error) {
	found, err := list(ctx, s.reader, readSubscription, toldColumns+" WHERE id = ?", id)
	if err != nil {
		return subscription.Subscription{}, s.fault(fmt.Sprintf("read subscription %d", id), err)
	}
	if len(found) == 0 {
		return subscription.Subscription{}, noSubscription(id)
	}
	return found[0], nil
}

// ListSubscriptions implements store.Subscriptions.
func (s *Store) ListSubscriptions(ctx context.Context, after int64, limit int) ([]subscription.Subscription, error) {
	if limit < 1 || limit > maxPage {
		return nil, fault.InvalidField("page_size", "must be from 1 to %d, is %d", maxPage, limit)
	}
	found, err := list(ctx, s.reader, readSubscription, toldColumns+" WHERE id > ? ORDER BY id LIMIT ?", after, limit)
	if err != nil {
		return nil, s.fault("read subscriptions", err)
	}
	return found, nil
}

// EditSubscription implements store.Subscriptions.
func (s *Store) EditSubscription(ctx context.Context, id int64, edit func(subscription.Subscription) (subscription.Subscription, error),
	tell func(before, after subscription.Subscription) record.Audit) (after subscription.Subscription, err error) {
	var refused error
	err = s.edit(ctx, func(t txn) error {
		refused = nil
		before, err := t.oneSubscription(id)
		if err != nil {
			return err
		}
		if after, refused = edit(before); refused != nil {
			return refused
		}
		after.ID, after.Kind, after.Created, after.Revision = id, before.Kind, before.Created, before.Revision
		changed, err := s.saveSubscription(t, before, &after)
		if err != nil || !changed {
			return err
		}
		return keepAudit(t, tell(before, after))
	})
	switch {
	case refused != nil:
		return subscription.Subscription{}, refused
	case err != nil:
		return subscription.Subscription{}, s.fault(fmt.Sprintf("edit subscription %d", id), err)
	}
	return after, nil
}

// saveSubscription writes what changed of a subscription, and raises its revision.
func (s *Store) saveSubscription(t txn, before subscription.Subscription, after *subscription.Subscription) (changed bool, err error) {
	oldBody, oldSecrets, err := before.Stored()
	if err != nil {
		return false, err
	}
	body, secrets, err := after.Stored()
	if err != nil {
		return false, err
	}
	after.Why = clip(after.Why, maxWhy)
	if body == oldBody && secrets == oldSecrets && after.Name == before.Name && after.State == before.State && after.Why == before.Why {
		*after = before
		return false, nil
	}
	after.Revision = before.Revision + 1
	// As they are stored.
	after.Since, after.Updated = after.Since.Truncate(time.Millisecond), after.Updated.Truncate(time.Millisecond)
	err = t.update(1, `UPDATE jetmon_subscriptions
	SET name = ?, state = ?, state_why = ?, state_ms = ?, revision = ?, body = ?, secrets = ?, updated_ms = ?
	WHERE id = ? AND revision = ?`,
		after.Name, after.State, after.Why, toMillis(after.Since), after.Revision, body, secrets, toMillis(after.Updated), after.ID, before.Revision)
	if s.isDuplicate(err) {
		err = nameTaken(after.Name)
	}
	return true, err
}

// DeleteSubscription implements store.Subscriptions.
func (s *Store) DeleteSubscription(ctx context.Context, id int64, allow func(subscription.Subscription) error,
	tell func(subscription.Subscription) record.Audit) error {
	var refused error
	err := s.edit(ctx, func(t txn) error {
		refused = nil
		before, err := t.oneSubscription(id)
		if err != nil {
			return err
		}
		if refused = allow(before); refused != nil {
			return refused
		}
		if err := t.update(1, "DELETE FROM jetmon_subscriptions WHERE id = ? AND revision = ?", id, before.Revision); err != nil {
			return err
		}
		return keepAudit(t, tell(before))
	})
	switch {
	case refused != nil:
		return refused
	case err != nil:
		return s.fault(fmt.Sprintf("delete subscription %d", id), err)
	}
	return nil
}
