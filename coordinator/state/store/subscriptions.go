package store

import (
	"context"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
)

// MaxSubscriptions is how many subscriptions there may be.
const MaxSubscriptions = 1000

// Subscriptions keeps who is told of what. WordPress.com, subscription 0, is not among them.
type Subscriptions interface {
	// CreateSubscription adds a subscription and the record that tell makes of it as stored. It
	// ignores ID and Revision. Where key is known already it adds nothing and returns the
	// subscription of that call, Invalid when the call was about another one; a zero key is none.
	// AlreadyExists when another one has the name, Fenced when there are MaxSubscriptions.
	CreateSubscription(ctx context.Context, key Key, s subscription.Subscription, tell func(subscription.Subscription) record.Audit) (subscription.Subscription, error)
	// Subscription reads one, with its secrets. NotFound when there is none.
	Subscription(ctx context.Context, id int64) (subscription.Subscription, error)
	// ListSubscriptions reads a page of at most limit, by rising id after one, with their secrets.
	ListSubscriptions(ctx context.Context, after int64, limit int) ([]subscription.Subscription, error)
	// EditSubscription applies edit to a subscription and returns it as stored then, with a
	// higher revision, and adds the record that tell makes; unless nothing changed. ID, Kind,
	// Revision and Created stay as they are. It may call both several times, and returns edit's
	// error unchanged. NotFound and AlreadyExists as above.
	EditSubscription(ctx context.Context, id int64, edit func(subscription.Subscription) (subscription.Subscription, error),
		tell func(before, after subscription.Subscription) record.Audit) (subscription.Subscription, error)
	// DeleteSubscription removes a subscription and adds the record that tell makes of it. Its
	// deliveries stay: see Deliveries.ForgetDeliveries. It asks allow first, perhaps several
	// times, and returns its error unchanged. NotFound when there is none.
	DeleteSubscription(ctx context.Context, id int64, allow func(subscription.Subscription) error, tell func(subscription.Subscription) record.Audit) error
}
