package notify_test

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/fault"
)

// outbox is notify.Store in memory. It outlives a Deliverer, as a database does. What no test
// needs is left to the embedded interface, which is nil.
type outbox struct {
	notify.Store
	mu   sync.Mutex
	rows map[int64]delivery.Due
	subs map[int64]subscription.Subscription
	// away makes every call fail; readOnly every write.
	away, readOnly bool
	reads          int
	withdrawn      int
	mutes          []shard.Fence
	adopted        []shard.Fence
	// settled has the sizes of the groups of results.
	settled []int
	// slow is how long storing results takes. beginNothing has no delayed delivery begin.
	slow         time.Duration
	beginNothing bool
}

func newOutbox(notifications ...delivery.Due) *outbox {
	o := &outbox{rows: map[int64]delivery.Due{}, subs: map[int64]subscription.Subscription{}}
	for _, n := range notifications {
		o.add(n)
	}
	return o
}

// add adds a delivery, whose change may say in which bucket it is.
func (o *outbox) add(n delivery.Due) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n.Change != nil {
		n.Shard = shard.Of(n.Change.Bucket)
	}
	n.State = delivery.Behind
	o.rows[n.ID] = n
	o.promote()
}

// promote makes the first of each lane that has none wait.
func (o *outbox) promote() {
	type lane struct{ to, id int64 }
	headed := map[lane]bool{}
	for _, n := range o.rows {
		if n.State == delivery.Waiting {
			headed[lane{n.Subscription, n.Lane}] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(o.rows)) {
		n := o.rows[id]
		if l := (lane{n.Subscription, n.Lane}); n.State == delivery.Behind && !headed[l] {
			n.State, headed[l] = delivery.Waiting, true
			o.rows[id] = n
		}
	}
}

func (o *outbox) set(away, readOnly bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away, o.readOnly = away, readOnly
}

// takes says how long storing results takes.
func (o *outbox) takes(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.slow = d
}

// begins says whether delayed deliveries begin.
func (o *outbox) begins(do bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.beginNothing = !do
}

// subscribe adds a subscription or changes it.
func (o *outbox) subscribe(s subscription.Subscription) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.Revision = o.subs[s.ID].Revision + 1
	o.subs[s.ID] = s
}

func (o *outbox) subscription(id int64) subscription.Subscription {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.subs[id]
}

// left returns what is still to be told.
func (o *outbox) left() []delivery.Due {
	return slices.DeleteFunc(o.all(), func(d delivery.Due) bool { return !d.State.Pending() })
}

func (o *outbox) all() []delivery.Due {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.SortedFunc(maps.Values(o.rows), func(a, b delivery.Due) int { return cmp.Compare(a.ID, b.ID) })
}

func (o *outbox) remove(id int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.rows, id)
}

func (o *outbox) readCount() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reads
}

func (o *outbox) reason(id int64) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.rows[id].Newest.Text
}

func (o *outbox) DueDeliveries(ctx context.Context, q store.DueQuery) ([]delivery.Due, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fails(ctx, o.away); err != nil {
		return nil, err
	}
	state := delivery.Waiting
	if q.Alive {
		state = delivery.Alive
	}
	var due []delivery.Due
	for _, l := range q.Looks {
		var here []delivery.Due
		for _, n := range o.rows {
			if n.Subscription == q.Subscription && n.Shard == l.Shard && n.State == state && !n.Next.After(q.Now) {
				here = append(here, n)
			}
		}
		slices.SortFunc(here, inOrder)
		due = append(due, here[:min(l.Limit, len(here))]...)
	}
	slices.SortFunc(due, inOrder)
	return slices.DeleteFunc(due, func(d delivery.Due) bool { return q.Skip != nil && q.Skip(d.ID, d.Lane) }), nil
}

// inOrder has recoveries that were not tried first.
func inOrder(a, b delivery.Due) int {
	rank := func(d delivery.Due) int {
		if d.Type == event.SiteUp && d.Attempts == 0 {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.ID, b.ID))
}

func (o *outbox) BeginDeliveries(ctx context.Context, f shard.Fence, ids []int64, at time.Time) (begun []int64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fails(ctx, o.away || o.readOnly); err != nil {
		return nil, err
	}
	for _, id := range ids {
		if n := o.rows[id]; n.State == delivery.Waiting && n.Shard == f.Shard && !o.beginNothing {
			n.Tried = at
			o.rows[id], begun = n, append(begun, id)
		}
	}
	return begun, nil
}

func (o *outbox) SettleDeliveries(ctx context.Context, f shard.Fence, results []delivery.Result) error {
	o.mu.Lock()
	slow := o.slow
	o.mu.Unlock()
	time.Sleep(slow)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fails(ctx, o.away || o.readOnly); err != nil {
		return err
	}
	o.settled = append(o.settled, len(results))
	for _, r := range results {
		n, ok := o.rows[r.ID]
		if !ok || n.State != r.State || n.Shard != f.Shard {
			continue
		}
		n.State, n.Attempts, n.Next, n.Tried, n.Newest = r.Then, n.Attempts+1, r.Again, r.At, r.Answer
		o.rows[r.ID] = n
	}
	o.promote()
	return nil
}

func (o *outbox) CountDeliveries(ctx context.Context, shards []shard.ID) (counts []delivery.Count, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reads++
	if err := o.fails(ctx, o.away); err != nil {
		return nil, err
	}
	by := map[delivery.Count]delivery.Count{}
	for _, n := range o.rows {
		k := delivery.Count{Subscription: n.Subscription, Shard: n.Shard}
		c := by[k]
		if n.State.Pending() {
			c.Pending++
		}
		if n.State == delivery.Dead {
			c.Dead++
		}
		by[k] = c
	}
	for k, c := range by {
		if slices.Contains(shards, k.Shard) {
			counts = append(counts, delivery.Count{Subscription: k.Subscription, Shard: k.Shard, Pending: c.Pending, Dead: c.Dead})
		}
	}
	return counts, nil
}

func (o *outbox) OldestDelivery(ctx context.Context, id int64) (oldest time.Time, err error) {
	for _, n := range o.left() {
		if n.Subscription == id && (oldest.IsZero() || n.Since.Before(oldest)) {
			oldest = n.Since
		}
	}
	return oldest, ctx.Err()
}

func (o *outbox) AdoptOutbox(ctx context.Context, f shard.Fence, _ int) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reads++
	if err := o.fails(ctx, o.away || o.readOnly); err != nil {
		return 0, err
	}
	o.adopted = append(o.adopted, f)
	return 0, nil
}

func (o *outbox) Told(ctx context.Context) ([]subscription.Subscription, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := slices.SortedFunc(maps.Values(o.subs), func(a, b subscription.Subscription) int { return cmp.Compare(a.ID, b.ID) })
	return slices.DeleteFunc(all, func(s subscription.Subscription) bool { return s.State == subscription.Disabled }), o.fails(ctx, o.away)
}

func (o *outbox) PauseSubscription(ctx context.Context, id, revision int64, why string, at time.Time) error {
	return o.turn(id, revision, subscription.Active, subscription.Paused, why, at)
}

func (o *outbox) ResumeSubscription(ctx context.Context, id, revision int64, at time.Time) error {
	return o.turn(id, revision, subscription.Paused, subscription.Active, "", at)
}

func (o *outbox) turn(id, revision int64, from, to subscription.State, why string, at time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s := o.subs[id]; s.State == from && s.Revision == revision {
		s.State, s.Why, s.Since, s.Revision = to, why, at, s.Revision+1
		o.subs[id] = s
	}
	return nil
}

func (o *outbox) Mute(ctx context.Context, f shard.Fence, limit int) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fails(ctx, o.away || o.readOnly); err != nil {
		return 0, err
	}
	n := 0
	o.mutes = append(o.mutes, f)
	maps.DeleteFunc(o.rows, func(_ int64, d delivery.Due) bool {
		mine := n < limit && d.Shard == f.Shard && d.Subscription == subscription.WordPressCom
		if mine {
			n++
		}
		return mine
	})
	o.withdrawn += n
	return n, nil
}

// muted counts the calls of Mute that succeeded, by term.
func (o *outbox) muted() map[uint64]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	count := map[uint64]int{}
	for _, f := range o.mutes {
		count[f.Term]++
	}
	return count
}

func (o *outbox) CountUntold(ctx context.Context, _ []shard.ID) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.withdrawn, o.fails(ctx, o.away)
}

func (o *outbox) fails(ctx context.Context, away bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if away {
		return fault.New(fault.Unavailable, "database is away")
	}
	return nil
}
