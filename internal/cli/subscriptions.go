package cli

import (
	"context"
	"io"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// testTimeout limits the time of a test of a subscription.
const testTimeout = 30 * time.Second

func (c Client) subscriptions() monitorv1.SubscriptionServiceClient {
	return monitorv1.NewSubscriptionServiceClient(c.Conn)
}

// ListSubscriptions prints the subscriptions; a limit of 0 means all.
func (c Client) ListSubscriptions(ctx context.Context, limit int) error {
	return list(ctx, c, listing[*monitorv1.Subscription]{
		name: "subscriptions", titles: format.SubscriptionTitles(), cells: format.SubscriptionCells, limit: limit,
		page: func(ctx context.Context, size int32, token string) ([]*monitorv1.Subscription, string, error) {
			resp, err := call(ctx, &monitorv1.ListSubscriptionsRequest{PageSize: size, PageToken: token}, c.subscriptions().ListSubscriptions)
			return resp.GetSubscriptions(), resp.GetNextPageToken(), err
		},
	})
}

// GetSubscription prints one subscription.
func (c Client) GetSubscription(ctx context.Context, id int64) error {
	resp, err := call(ctx, &monitorv1.GetSubscriptionRequest{SubscriptionId: id}, c.subscriptions().GetSubscription)
	if err != nil {
		return c.explain(err)
	}
	return c.showSubscription(resp.GetSubscription())
}

func (c Client) showSubscription(s *monitorv1.Subscription) error {
	return c.show(s, func(w io.Writer) error { return format.Subscription(w, s) })
}

// AddSubscription makes a subscription and prints it, with its secret. A key, which no other
// call has, makes it safe to repeat.
func (c Client) AddSubscription(ctx context.Context, s *monitorv1.Subscription, key string) error {
	resp, err := call(ctx, &monitorv1.CreateSubscriptionRequest{Subscription: s, IdempotencyKey: key}, c.subscriptions().CreateSubscription)
	if err != nil {
		return c.explain(err)
	}
	return c.show(resp, func(w io.Writer) error {
		return format.NewSubscription(w, resp.GetSubscription(), resp.GetSigningSecret())
	})
}

// EditSubscription changes the fields of a subscription that the mask names, and prints it.
func (c Client) EditSubscription(ctx context.Context, s *monitorv1.Subscription, mask []string) error {
	resp, err := call(ctx, &monitorv1.UpdateSubscriptionRequest{Subscription: s, UpdateMask: &fieldmaskpb.FieldMask{Paths: mask}}, c.subscriptions().UpdateSubscription)
	if err != nil {
		return c.explain(err)
	}
	return c.showSubscription(resp.GetSubscription())
}

// EnableSubscription has a subscription told again, and prints it.
func (c Client) EnableSubscription(ctx context.Context, id int64) error {
	resp, err := call(ctx, &monitorv1.EnableSubscriptionRequest{SubscriptionId: id}, c.subscriptions().EnableSubscription)
	if err != nil {
		return c.explain(err)
	}
	return c.showSubscription(resp.GetSubscription())
}

// DisableSubscription has a subscription told nothing, and prints it.
func (c Client) DisableSubscription(ctx context.Context, id int64) error {
	resp, err := call(ctx, &monitorv1.DisableSubscriptionRequest{SubscriptionId: id}, c.subscriptions().DisableSubscription)
	if err != nil {
		return c.explain(err)
	}
	return c.showSubscription(resp.GetSubscription())
}

// RotateSubscription gives a webhook a new secret and prints it, or ends the older ones. It is
// asked for once: a second attempt would make another secret.
func (c Client) RotateSubscription(ctx context.Context, id int64, finish bool) error {
	resp, err := once(ctx, askTimeout, &monitorv1.RotateSubscriptionSecretRequest{SubscriptionId: id, Finish: finish}, c.subscriptions().RotateSubscriptionSecret)
	if err != nil {
		return c.explain(err)
	}
	return c.show(resp, func(w io.Writer) error {
		return format.NewSubscription(w, resp.GetSubscription(), resp.GetSigningSecret())
	})
}

// DeleteSubscription removes a subscription and prints its id.
func (c Client) DeleteSubscription(ctx context.Context, id int64, etag string) error {
	if _, err := once(ctx, askTimeout, &monitorv1.DeleteSubscriptionRequest{SubscriptionId: id, Etag: etag}, c.subscriptions().DeleteSubscription); err != nil {
		return c.explain(err)
	}
	return c.show(&monitorv1.DeleteSubscriptionResponse{}, func(w io.Writer) error { return format.Deleted(w, "subscription", id) })
}

// DescribeSubscription returns a line about a subscription.
func (c Client) DescribeSubscription(ctx context.Context, id int64) (string, error) {
	resp, err := call(ctx, &monitorv1.GetSubscriptionRequest{SubscriptionId: id}, c.subscriptions().GetSubscription)
	if err != nil {
		return "", c.explain(err)
	}
	return format.SubscriptionLine(resp.GetSubscription()), nil
}

// TestSubscription sends a test, prints what came back, and reports whether it was accepted.
func (c Client) TestSubscription(ctx context.Context, id int64) (accepted bool, err error) {
	resp, err := once(ctx, testTimeout, &monitorv1.TestSubscriptionRequest{SubscriptionId: id}, c.subscriptions().TestSubscription)
	if err != nil {
		return false, c.explain(err)
	}
	err = c.show(resp, func(w io.Writer) error { return format.SubscriptionTest(w, resp) })
	return resp.GetVerdict() == monitorv1.DeliveryVerdict_DELIVERY_VERDICT_ACCEPTED, err
}
