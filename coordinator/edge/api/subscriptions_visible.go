package api

import (
	"context"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/fault"
)

// noSubscription is what the store says of a subscription that does not exist.
func noSubscription(id int64) error {
	return fault.New(fault.NotFound, "there is no subscription %d", id)
}

// CreateSubscription implements store.Subscriptions. What was made under the key may tell of
// other blogs by now.
func (v visible) CreateSubscription(ctx context.Context, key store.Key, s subscription.Subscription,
	tell func(subscription.Subscription) record.Audit) (subscription.Subscription, error) {
	made, err := v.Store.CreateSubscription(ctx, key, s, tell)
	if err == nil && !seesSubscription(access.From(ctx), made) {
		return subscription.Subscription{}, noSubscription(made.ID)
	}
	return made, err
}

// Subscription implements store.Subscriptions.
func (v visible) Subscription(ctx context.Context, id int64) (subscription.Subscription, error) {
	s, err := v.Store.Subscription(ctx, id)
	if err == nil && !seesSubscription(access.From(ctx), s) {
		return subscription.Subscription{}, noSubscription(id)
	}
	return s, err
}

// ListSubscriptions implements store.Subscriptions. Of the few that there are it reads all for
// a limited caller.
func (v visible) ListSubscriptions(ctx context.Context, after int64, limit int) ([]subscription.Subscription, error) {
	c := access.From(ctx)
	if !c.Limited() {
		return v.Store.ListSubscriptions(ctx, after, limit)
	}
	rows, err := v.Store.ListSubscriptions(ctx, after, store.MaxSubscriptions)
	var seen []subscription.Subscription
	for _, row := range rows {
		if seesSubscription(c, row) && len(seen) < limit {
			seen = append(seen, row)
		}
	}
	return seen, err
}

// EditSubscription implements store.Subscriptions.
func (v visible) EditSubscription(ctx context.Context, id int64, edit func(subscription.Subscription) (subscription.Subscription, error),
	tell func(before, after subscription.Subscription) record.Audit) (subscription.Subscription, error) {
	return v.Store.EditSubscription(ctx, id, func(s subscription.Subscription) (subscription.Subscription, error) {
		if !seesSubscription(access.From(ctx), s) {
			return s, noSubscription(id)
		}
		return edit(s)
	}, tell)
}

// DeleteSubscription implements store.Subscriptions.
func (v visible) DeleteSubscription(ctx context.Context, id int64, allow func(subscription.Subscription) error,
	tell func(subscription.Subscription) record.Audit) error {
	return v.Store.DeleteSubscription(ctx, id, func(s subscription.Subscription) error {
		if !seesSubscription(access.From(ctx), s) {
			return noSubscription(id)
		}
		return allow(s)
	}, tell)
}
