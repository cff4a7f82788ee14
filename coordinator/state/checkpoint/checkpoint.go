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
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/obs"
)

const (
	every = 2 * time.Second
	// batch bounds the sites of one transaction, which a commit of the same shard has to
	// wait for; turn bounds the batches of one shard before the other shards have a turn.
	batch = 500
	turn  = 10
	// writers bounds the shards that are written at once: one that hangs does not delay
	// the others.
	writers = 4
	// writeTimeout bounds one write, lastTime the round after ctx has ended.
	writeTimeout = 2500 * time.Millisecond
	lastTime     = time.Second
)

// Options for New. All but Metrics are required.
type Options struct {
	Engine interface {
		Unsaved(now time.Time, s shard.ID, limit int) []snapshot.Update
		Unwritten([]snapshot.Update)
	}
	Store store.Snapshots
	// Shards has the fences that prove that a shard is ours.
	Shards  shard.Holder
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Checkpoint writes snapshots. New makes one.
type Checkpoint struct {
	o       Options
	refused prometheus.Counter

	round chan struct{} // has room while no round is under way
	edge  obs.Edge      // of rounds

	refusals sync.Mutex
	logged   bool // whether a refusal has been logged
}

// New makes a Checkpoint. It writes nothing before Run.
func New(o Options) (*Checkpoint, error) {
	c := &Checkpoint{
		o: o, round: make(chan struct{}, 1),
		edge: obs.Edge{Log: o.Log, What: "writing snapshots of sites in trouble", Level: slog.LevelWarn},
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jetmon_memos_refused_total",
			Help: "Snapshots of sites in trouble that the database refused and that are not kept.",
		}),
	}
	if o.Metrics != nil {
		if err := o.Metrics.Register(c.refused); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return c, nil
}

// Run writes until ctx ends, and then makes one last round.
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

// Flush writes all unsaved snapshots now instead of within two seconds.
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

// all gives each of our shards a turn, and reports whether one has more to write. A batch
// that fails waits for the next two seconds, with the rest of its shard.
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
	if err := g.Wait(); ctx.Err() == nil {
		c.edge.Note(err)
	}
	return left.Load()
}

// shard writes snapshots of one shard, the oldest first, and gives those that it could not
// write back to the engine.
func (c *Checkpoint) shard(ctx context.Context, s shard.ID) (more bool, err error) {
	for range turn {
		if _, ours := c.o.Shards.Fence(s); !ours {
			return false, nil
		}
		snapshots := c.o.Engine.Unsaved(time.Now(), s, batch)
		if len(snapshots) == 0 {
			return false, nil
		}
		if err := c.write(ctx, s, snapshots); err != nil {
			c.o.Engine.Unwritten(snapshots)
			if fault.Is(err, fault.Fenced) {
				return false, nil // no longer ours, or uncertain
			}
			return false, err
		}
		if len(snapshots) < batch {
			return false, nil
		}
	}
	return true, nil
}

// write writes a batch. When the store refuses it because of one snapshot, write splits it
// until that one is alone, and drops it: the store would refuse it again.
func (c *Checkpoint) write(ctx context.Context, s shard.ID, snapshots []snapshot.Update) error {
	err := c.keep(ctx, s, snapshots)
	if !fault.Is(err, fault.Invalid) {
		return err
	}
	if len(snapshots) == 1 {
		c.refuse(snapshots[0], err)
		return nil
	}
	half := len(snapshots) / 2
	if err := c.write(ctx, s, snapshots[:half]); err != nil {
		return err
	}
	return c.write(ctx, s, snapshots[half:])
}

// refuse counts a snapshot that is not kept. It logs the first one only.
func (c *Checkpoint) refuse(u snapshot.Update, err error) {
	c.refused.Inc()
	c.refusals.Lock()
	defer c.refusals.Unlock()
	if !c.logged {
		c.logged = true
		c.o.Log.Error("snapshot refused; later ones are only counted", "site_id", u.Site, "error", err)
	}
}

// keep writes snapshots in one transaction.
func (c *Checkpoint) keep(ctx context.Context, id shard.ID, snapshots []snapshot.Update) error {
	f, ok := c.o.Shards.Fence(id)
	if !ok {
		return fault.New(fault.Fenced, "shard %d is not ours at this moment", id)
	}
	var keep []record.Snapshot
	var forget []check.SiteID
	for _, u := range snapshots {
		if u.Forget {
			forget = append(forget, u.Site)
			continue
		}
		s, err := u.Encode()
		if err != nil {
			return fault.New(fault.Invalid, "%w", err)
		}
		keep = append(keep, s)
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return c.o.Store.KeepSnapshots(ctx, f, keep, forget)
}
