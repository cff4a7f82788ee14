package notify_test

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// outbox is store.Outbox in memory. It outlives a Deliverer, as a database does.
type outbox struct {
	mu      sync.Mutex
	notices []store.Notice
	why     map[int64]string
	// away makes every call fail; readOnly every write.
	away, readOnly bool
	reads          int
	withdrawn      int
	mutes          []shard.Fence
}

func newOutbox(notices ...store.Notice) *outbox {
	return &outbox{notices: notices, why: make(map[int64]string)}
}

func (o *outbox) add(n store.Notice) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.notices = append(o.notices, n)
}

func (o *outbox) set(away, readOnly bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away, o.readOnly = away, readOnly
}

func (o *outbox) left() []store.Notice {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.notices)
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

func (o *outbox) DueNotices(ctx context.Context, shards []shard.ID, now time.Time, limit int) ([]store.Notice, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reads++
	if err := o.fails(ctx, o.away); err != nil {
		return nil, err
	}
	seen := make(map[check.SiteID]bool)
	var due []store.Notice
	for _, n := range slices.SortedFunc(slices.Values(o.notices), byID) {
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

func byID(a, b store.Notice) int { return cmp.Compare(a.ID, b.ID) }

func (o *outbox) Delivered(ctx context.Context, n store.Notice, _ time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fails(ctx, o.away || o.readOnly); err != nil {
		return err
	}
	o.notices = slices.DeleteFunc(o.notices, func(m store.Notice) bool { return m.ID == n.ID })
	return nil
}

func (o *outbox) Postponed(ctx context.Context, n store.Notice, next time.Time, why string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fails(ctx, o.away || o.readOnly); err != nil {
		return err
	}
	i := slices.IndexFunc(o.notices, func(m store.Notice) bool { return m.ID == n.ID })
	if i < 0 {
		return fault.New(fault.NotFound, "notice %d", n.ID)
	}
	o.notices[i].Attempts++
	o.notices[i].NextAttempt = next
	o.why[n.ID] = why
	return nil
}

func (o *outbox) CountNotices(ctx context.Context, shards []shard.ID) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fails(ctx, o.away); err != nil {
		return 0, err
	}
	count := 0
	for _, n := range o.notices {
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
	o.notices = slices.DeleteFunc(o.notices, func(m store.Notice) bool {
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
