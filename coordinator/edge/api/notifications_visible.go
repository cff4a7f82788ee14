package api

import (
	"context"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/fault"
)

// mine restricts a query to the subscriptions that exist for a limited caller, and to events of
// its blogs: a subscription may have been told of others before its filter was changed. False
// when it leaves none.
func (v visible) mine(ctx context.Context, q *store.DeliveryQuery) (bool, error) {
	c := access.From(ctx)
	if !c.Limited() {
		return true, nil
	}
	all, err := v.ListSubscriptions(ctx, 0, store.MaxSubscriptions)
	if err != nil {
		return false, err
	}
	asked := q.Subscriptions
	q.Subscriptions, q.Blogs = []int64{}, c.Blogs
	if q.OutageID != 0 { // whose outage it is may know what WordPress.com was told of it
		q.Subscriptions = append(q.Subscriptions, subscription.WordPressCom)
	}
	for _, s := range all {
		if asked == nil || slices.Contains(asked, s.ID) {
			q.Subscriptions = append(q.Subscriptions, s.ID)
		}
	}
	return len(q.Subscriptions) > 0 && len(q.Blogs) > 0, nil
}

// ListDeliveries implements store.Deliveries.
func (v visible) ListDeliveries(ctx context.Context, q store.DeliveryQuery) ([]delivery.Delivery, error) {
	if some, err := v.mine(ctx, &q); err != nil || !some {
		return nil, err
	}
	return v.Store.ListDeliveries(ctx, q)
}

// Delivery implements store.Deliveries.
func (v visible) Delivery(ctx context.Context, id int64) (delivery.Delivery, []delivery.Attempt, error) {
	if access.From(ctx).Limited() {
		switch found, err := v.ListDeliveries(ctx, store.DeliveryQuery{ID: id, Limit: 1}); {
		case err != nil:
			return delivery.Delivery{}, nil, err
		case len(found) == 0:
			return delivery.Delivery{}, nil, fault.New(fault.NotFound, "there is no delivery %d", id)
		}
	}
	return v.Store.Delivery(ctx, id)
}

// Redeliver implements store.Deliveries.
func (v visible) Redeliver(ctx context.Context, q store.DeliveryQuery, at time.Time, limit int) (int, error) {
	if some, err := v.mine(ctx, &q); err != nil || !some {
		return 0, err
	}
	return v.Store.Redeliver(ctx, q, at, limit)
}
