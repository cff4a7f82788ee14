package notify_test

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// outbox is store.Outbox in memory. It outlives a Deliverer, as a database does.
type outbox struct {
	mu            sync.Mutex
	notifications []record.Notification
	why           map[int64]string
	// away makes every call fail; readOnly every write.
	away, readOnly bool
	reads          int
	withdrawn      int
	mutes          []shard.Fence
}

func newOutbox(notifications ...record.Notification) *outbox {
	return &outbox{notifications: notifications, why: make(map[int64]string)}
}

func (o *outbox) add(n record.Notification) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.notifications = append(o.notifications, n)
}

func (o *outbox) set(away, readOnly bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away, o.readOnly = away, readOnly
}

func (o *outbox) left() []record.Notification {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.notifications)
}

func (o *outbox) readCount() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reads
}

func (o *outbox) reason(id int64) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.why[id]
}

func (o *outbox) DueNotifications(ctx context.Context, shards []shard.ID, now time.Time, limit int) ([]record.Notification, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reads++
	if err := o.fails(ctx, o.away); err != nil {
		return nil, err
	}
	seen := make(map[check.SiteID]bool)
	var due []record.Notification
	for _, n := range slices.SortedFunc(slices.Values(o.notifications), byID) {
		c := n.Change
		if seen[c.SiteID] || !slices.Contains(shards, shard.Of(c.Bucket)) {
			continue
		}
		seen[c.SiteID] = true
		if !n.NextAttempt.After(now) && len(due) < limit {
			due = append(due, n)
		}
	}
	return due, nil
}

func byID(a, b record.Notification) int { return cmp.Compare(a.ID, b.ID) }

func (o *outbox) Delivered(ctx context.Context, n record.Notification, _ time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fails(ctx, o.away || o.readOnly); err != nil {
		return err
	}
	o.notifications = slices.DeleteFunc(o.notifications, func(m record.Notification) bool { return m.ID == n.ID })
	return nil
}

func (o *outbox) Postponed(ctx context.Context, n record.Notification, next time.Time, why string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fails(ctx, o.away || o.readOnly); err != nil {
		return err
	}
	i := slices.IndexFunc(o.notifications, func(m record.Notification) bool { return m.ID == n.ID })
	if i < 0 {
		return fault.New(fault.NotFound, "notification %d", n.ID)
	}
	o.notifications[i].Attempts++
	o.notifications[i].NextAttempt = next
	o.why[n.ID] = why
	return nil
}

func (o *outbox) CountNotifications(ctx context.Context, shards []shard.ID) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fails(ctx, o.away); err != nil {
		return 0, err
	}
	count := 0
	for _, n := range o.notifications {
		if slices.Contains(shards, shard.Of(n.Change.Bucket)) {
			count++
		}
	}
	return count, nil
}

func (o *outbox) Mute(ctx context.Context, f shard.Fence, limit int) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fails(ctx, o.away || o.readOnly); err != nil {
		return 0, err
	}
	n := 0
	o.mutes = append(o.mutes, f)
	o.notifications = slices.DeleteFunc(o.notifications, func(m record.Notification) bool {
		mine := n < limit && shard.Of(m.Change.Bucket) == f.Shard
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
