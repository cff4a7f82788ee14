package checkpoint

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	every = 2 * time.Second
	// batch is how many sites are written at once, most how many in one round: in a mass
	// outage changes of status come first.
	batch = 500
	most  = 20_000
	// writeTimeout bounds one write, lastTime the round after the end.
	writeTimeout = 5 * time.Second
	lastTime     = time.Second
)

// Options for New. All are required.
type Options struct {
	Engine interface {
		Unsaved(now time.Time, limit int) []engine.Memo
		Unwritten([]engine.Memo)
	}
	Store store.Suspects
	// Fence proves that a shard is ours; false while it is not, or not surely.
	Fence func(store.ShardID) (store.Fence, bool)
	Log   *slog.Logger
}

// Checkpoint writes memos. New makes one.
type Checkpoint struct {
	o Options

	mu      sync.Mutex // held for a round
	failing bool
}

// New makes a checkpoint. Nothing is written before Run.
func New(o Options) *Checkpoint { return &Checkpoint{o: o} }

// Run writes until ctx ends, and then once more.
func (c *Checkpoint) Run(ctx context.Context) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
			defer cancel()
			c.round(last)
			return nil
		case <-ticker.C:
			c.round(ctx)
		}
	}
}

// Flush writes what is to be written now instead of within two seconds.
func (c *Checkpoint) Flush(ctx context.Context) { c.round(ctx) }

// round writes what is to be written now, a shard at a time. What fails waits for the
// next round, and so does the rest then: the store is away.
func (c *Checkpoint) round(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	memos := c.o.Engine.Unsaved(time.Now(), most)
	shardOf := func(m engine.Memo) store.ShardID { return store.ShardOf(m.Bucket) }
	slices.SortFunc(memos, func(a, b engine.Memo) int { return int(shardOf(a)) - int(shardOf(b)) })
	var err error
	for len(memos) > 0 && err == nil {
		n := 1
		for n < min(batch, len(memos)) && shardOf(memos[n]) == shardOf(memos[0]) {
			n++
		}
		if err = c.write(ctx, shardOf(memos[0]), memos[:n]); fault.Is(err, fault.Fenced) {
			// Not ours at this moment; the others may be.
			c.o.Engine.Unwritten(memos[:n])
			memos, err = memos[n:], nil
			continue
		}
		if err == nil {
			memos = memos[n:]
		}
	}
	c.o.Engine.Unwritten(memos)
	if failing := err != nil && ctx.Err() == nil; failing != c.failing {
		c.failing = failing
		c.o.Log.Warn("keeping what is known of sites in trouble", "failing", failing, "err", err)
	}
}

func (c *Checkpoint) write(ctx context.Context, shard store.ShardID, memos []engine.Memo) error {
	f, ok := c.o.Fence(shard)
	if !ok {
		return fault.New(fault.Fenced, "shard %d is not ours at this moment", shard)
	}
	var keep []store.Suspect
	var forget []check.SiteID
	for _, m := range memos {
		if m.Forget {
			forget = append(forget, m.Site)
			continue
		}
		s, err := m.Suspect()
		if err != nil { // plain values: cannot fail; what did would fail again
			c.o.Log.Error("memo", "err", err)
			continue
		}
		keep = append(keep, s)
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return c.o.Store.KeepSuspects(ctx, f, keep, forget)
}
