package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/coordinator/state/store"
)

// Due reads what WordPress.com is to be told of some shards.
func Due(ctx context.Context, s store.Deliveries, shards []shard.ID, now time.Time, limit int) ([]delivery.Due, error) {
	const mostInShard = 300
	q := store.DueQuery{Subscription: subscription.WordPressCom, Now: now, Changes: true}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(shards))) {
		q.Looks = append(q.Looks, store.Look{Shard: id, Limit: min(limit, mostInShard)})
	}
	all, err := s.DueDeliveries(ctx, q)
	all = slices.DeleteFunc(all, func(d delivery.Due) bool { return d.Change == nil })
	return all[:min(limit, len(all))], err
}

// Accept records that an endpoint has accepted a delivery.
func Accept(ctx context.Context, s store.Store, d delivery.Due, at time.Time) error {
	return settle(ctx, s, delivery.Result{
		Delivery: d.Delivery, At: at, Answer: delivery.Answer{Accepted: true}, Then: delivery.Delivered,
	})
}

// Postpone records that it has not, for a reason, and when it is tried again.
func Postpone(ctx context.Context, s store.Store, d delivery.Due, next time.Time, why string) error {
	return settle(ctx, s, delivery.Result{
		Delivery: d.Delivery, At: noon(), Answer: delivery.Answer{Text: why}, Then: delivery.Waiting, Again: next,
	})
}

// settle records results as the owner of the shard does.
func settle(ctx context.Context, s store.Store, results ...delivery.Result) error {
	f, err := fenceOf(ctx, s, results[0].Shard)
	if err != nil {
		return err
	}
	return s.SettleDeliveries(ctx, f, results)
}

// fenceOf returns the fence of a shard's owner, who is new if there is none.
func fenceOf(ctx context.Context, s store.Store, id shard.ID) (shard.Fence, error) {
	leases, err := s.ListShards(ctx)
	if err != nil {
		return shard.Fence{}, err
	}
	for _, l := range leases {
		if l.Shard == id && l.Node != "" {
			return l.Fence(), nil
		}
	}
	l, err := s.ClaimShard(ctx, id, shard.Owner{Node: "storetest", TTL: time.Minute}, noon())
	return l.Fence(), err
}

// CountNotifications counts what WordPress.com is still to be told of some shards.
func CountNotifications(ctx context.Context, s store.Deliveries, shards []shard.ID) (n int, err error) {
	counts, err := s.CountDeliveries(ctx, shards)
	for _, c := range counts {
		if c.Subscription == subscription.WordPressCom {
			n += c.Pending
		}
	}
	return n, err
}
