package store

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/internal/check"
)

// Deliveries keeps what subscriptions are to be told, and what came of it. The transaction of
// an event writes one delivery for each subscription that is active or paused and whose filter
// admits the event, unless the event is muted. WordPress.com, subscription 0, gets one for each
// change of status.
//
// What changes deliveries does so under the fence of their shard, or with its lock: so commits
// and results of attempts come one after the other, and no lane is left without a first.
type Deliveries interface {
	// DueDeliveries reads deliveries of one subscription that are due, the first of each lane
	// only: first recoveries that were not tried yet, then by the time at which they are due.
	DueDeliveries(ctx context.Context, q DueQuery) ([]delivery.Due, error)
	// BeginDeliveries notes that delayed deliveries of the fence's shard are about to be told
	// for the first time, at most 500, and returns the ids of those that are still waiting:
	// the others were superseded. After that a recovery does not supersede them. Fenced when
	// the caller no longer owns the shard.
	BeginDeliveries(ctx context.Context, f shard.Fence, ids []int64, at time.Time) ([]int64, error)
	// SettleDeliveries records results of attempts at deliveries of the fence's shard, at most
	// 500, in one transaction. The next of a lane follows when its first has ended. A result of
	// a delivery that has ended or is gone is ignored. Fenced when the caller no longer owns the
	// shard: then nothing is recorded, and the next owner tells it again under the same key.
	SettleDeliveries(ctx context.Context, f shard.Fence, results []delivery.Result) error
	// CountDeliveries counts the deliveries of each subscription in each of the given shards, in
	// any order; those that have none, neither pending nor dead, are left out.
	CountDeliveries(ctx context.Context, shards []shard.ID) ([]delivery.Count, error)
	// OldestDelivery returns since when the oldest delivery of a subscription that is still to be
	// told could be, in all shards: since it was made, or its delay was over. The zero time when
	// there is none.
	OldestDelivery(ctx context.Context, subscriptionID int64) (time.Time, error)
	// AdoptOutbox moves notifications that an older version left for WordPress.com in the
	// fence's shard to the deliveries: at most limit, and returns how many; fewer than limit
	// means that none is left. Fenced when the caller no longer owns the shard.
	AdoptOutbox(ctx context.Context, f shard.Fence, limit int) (int, error)

	// ListDeliveries reads a page, by falling id: those made last come first.
	ListDeliveries(ctx context.Context, q DeliveryQuery) ([]delivery.Delivery, error)
	// Delivery reads one delivery, and its newest attempts, at most delivery.MaxAttempts, by
	// rising number. NotFound when there is none.
	Delivery(ctx context.Context, id int64) (delivery.Delivery, []delivery.Attempt, error)
	// Redeliver has deliveries that have ended told again, under the same keys and in the order
	// of their lanes: at most limit, from 1 to 500. It returns how many; fewer than limit means
	// that none is left. It takes those of the query that are Delivered, Dead or Superseded, and
	// that were not told again at this time already; the query's page is ignored. NotFound when the query names an id that does not exist,
	// Conflict when that one has not ended.
	Redeliver(ctx context.Context, q DeliveryQuery, at time.Time, limit int) (int, error)
	// ForgetDeliveries deletes deliveries of a subscription in any state, at most limit, from 1
	// to 500, and returns how many; fewer than limit means that none is left. It is for one that
	// was deleted.
	ForgetDeliveries(ctx context.Context, subscriptionID int64, limit int) (int, error)
}

// DueQuery selects deliveries of a subscription that are due.
type DueQuery struct {
	Subscription int64
	// Looks says how many to read in each shard at most.
	Looks []Look
	Now   time.Time
	// Skip, if not nil, reports deliveries that are not wanted; they count as read.
	Skip func(id, lane int64) bool
	// Changes has the changes of status read instead of the events.
	Changes bool
	// Alive selects the deliveries to repeat instead of those that wait.
	Alive bool
}

// Look is how many deliveries to read in a shard.
type Look struct {
	Shard shard.ID
	Limit int
}

// DeliveryQuery selects deliveries. Zero fields do not restrict.
type DeliveryQuery struct {
	// ID is one delivery.
	ID int64
	// Before is the last id of the previous page.
	Before int64
	// Limit is the page's size, 1..1000.
	Limit int
	// Subscriptions, when not nil, are those whose deliveries are selected; at most 1000.
	Subscriptions []int64
	SiteID        check.SiteID
	// OutageID is the outage of SiteID that the events are about.
	OutageID int64
	// Blogs, when not empty, are those of which the events tell, as the sites were then; an event
	// that is kept no more is of none.
	Blogs []check.BlogID
	// States, when not empty, are the states.
	States []delivery.State
	// Key is the event's.
	Key string
	// Since and Until bound when the deliveries were made: from Since on, and before Until.
	Since, Until time.Time
	// Tell, if not nil, makes the record that Redeliver keeps of how many it has had told again,
	// unless there are none.
	Tell func(n int) record.Audit
}

// Listeners reads who is told, for who tells them.
type Listeners interface {
	// Told reads the subscriptions that are not disabled, with their secrets, by id.
	// WordPress.com, subscription 0, is not among them.
	Told(ctx context.Context) ([]subscription.Subscription, error)
	// PauseSubscription pauses an active subscription, because its endpoint refuses us.
	// It changes nothing when the subscription is not active any more, or has another revision.
	PauseSubscription(ctx context.Context, id, revision int64, why string, at time.Time) error
	// ResumeSubscription makes a paused subscription active, because its endpoint has accepted a
	// delivery. It changes nothing when it is not paused, or has another revision.
	ResumeSubscription(ctx context.Context, id, revision int64, at time.Time) error
}
