package checkpoint

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/engine/snapshot"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	every = 2 * time.Second
	// batch is how many sites are written in one transaction, which a commit of the same
	// shard has to wait for; turn how many batches of a shard before the others have a turn.
	batch = 500
	turn  = 10
	// writers is how many shards are written at once, so that one that hangs holds up no other.
	writers = 4
	// writeTimeout bounds one write, lastTime the round after the end.
	writeTimeout = 2500 * time.Millisecond
	lastTime     = time.Second
)

// Options for New. All but Metrics are required.
type Options struct {
	Engine interface {
		Unsaved(now time.Time, s shard.ID, limit int) []snapshot.Update
		Unwritten([]snapshot.Update)
	}
	Store store.Suspects
	// Shards proves that a shard is ours.
	Shards  shard.Holder
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Checkpoint writes memos. New makes one.
type Checkpoint struct {
	o       Options
	refused prometheus.Counter

	round   chan struct{} // has room while no round is under way
	failing bool          // that of the round

	refusals sync.Mutex
	told     bool // that memos are refused
}

// New makes a checkpoint. Nothing is written before Run.
func New(o Options) (*Checkpoint, error) {
	c := &Checkpoint{o: o, round: make(chan struct{}, 1), refused: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "jetmon_memos_refused_total",
		Help: "What was known of a site in trouble and the database refused: it is not kept.",
	})}
	if o.Metrics != nil {
		if err := o.Metrics.Register(c.refused); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return c, nil
}

// Run writes until ctx ends, and then once more.
func (c *Checkpoint) Run(ctx context.Context) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
			defer cancel()
			c.Flush(last)
			return nil
		case <-ticker.C:
			c.Flush(ctx)
		}
	}
}

// Flush writes what is to be written now instead of within two seconds.
func (c *Checkpoint) Flush(ctx context.Context) {
	for more := true; more; {
		select {
		case c.round <- struct{}{}:
			more = c.all(ctx)
			<-c.round
		case <-ctx.Done():
			return
		}
	}
}

// all gives each shard of ours a turn, and says whether one has more to write. What fails
// waits for the next two seconds, and so does the rest of its shard then.
func (c *Checkpoint) all(ctx context.Context) (more bool) {
	var left atomic.Bool
	var g errgroup.Group
	g.SetLimit(writers)
	for s := range shard.ID(shard.Count) {
		g.Go(func() error {
			more, err := c.shard(ctx, s)
			if more {
				left.Store(true)
			}
			return err
		})
	}
	err := g.Wait()
	if failing := err != nil && ctx.Err() == nil; failing != c.failing {
		c.failing = failing
		c.o.Log.Warn("keeping what is known of sites in trouble", "failing", failing, "err", err)
	}
	return left.Load()
}

// shard writes memos of one shard, the oldest first, and gives back what could not be
// written.
func (c *Checkpoint) shard(ctx context.Context, s shard.ID) (more bool, err error) {
	for range turn {
		if _, ours := c.o.Shards.Fence(s); !ours {
			return false, nil
		}
		memos := c.o.Engine.Unsaved(time.Now(), s, batch)
		if len(memos) == 0 {
			return false, nil
		}
		if err := c.write(ctx, s, memos); err != nil {
			c.o.Engine.Unwritten(memos)
			if fault.Is(err, fault.Fenced) {
				return false, nil // not ours any more, or not at this moment
			}
			return false, err
		}
		if len(memos) < batch {
			return false, nil
		}
	}
	return true, nil
}

// write writes a batch. When it is refused, one of its memos is: halves of it are written
// until that one is alone, and left out. It would be refused again.
func (c *Checkpoint) write(ctx context.Context, s shard.ID, memos []snapshot.Update) error {
	err := c.keep(ctx, s, memos)
	if !fault.Is(err, fault.Invalid) {
		return err
	}
	if len(memos) == 1 {
		c.refuse(memos[0], err)
		return nil
	}
	half := len(memos) / 2
	if err := c.write(ctx, s, memos[:half]); err != nil {
		return err
	}
	return c.write(ctx, s, memos[half:])
}

// refuse counts a memo that is not kept. The first one is told of.
func (c *Checkpoint) refuse(m snapshot.Update, err error) {
	c.refused.Inc()
	c.refusals.Lock()
	defer c.refusals.Unlock()
	if !c.told {
		c.told = true
		c.o.Log.Error("what is known of a site in trouble is refused and not kept; more of them are only counted",
			"site", m.Site, "err", err)
	}
}

// keep writes memos in one transaction.
func (c *Checkpoint) keep(ctx context.Context, id shard.ID, memos []snapshot.Update) error {
	f, ok := c.o.Shards.Fence(id)
	if !ok {
		return fault.New(fault.Fenced, "shard %d is not ours at this moment", id)
	}
	var keep []store.Suspect
	var forget []check.SiteID
	for _, m := range memos {
		if m.Forget {
			forget = append(forget, m.Site)
			continue
		}
		s, err := m.Suspect()
		if err != nil {
			return fault.New(fault.Invalid, "%w", err)
		}
		keep = append(keep, s)
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return c.o.Store.KeepSuspects(ctx, f, keep, forget)
}
