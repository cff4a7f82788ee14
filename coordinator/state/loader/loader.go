package loader

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// Store is what is read.
type Store interface {
	ScanBuckets(ctx context.Context, first, last check.BucketID, f func([]store.Site) error) error
	ReadSpan(ctx context.Context, span store.Span, known map[shard.ID]store.Digest) (store.SpanRead, error)
	SpanEnd(ctx context.Context, after check.SiteID, n int) (id check.SiteID, ok bool, err error)
	ListSuspects(ctx context.Context, s shard.ID) ([]store.Suspect, error)
}

// Options for New. All are required.
type Options struct {
	Store  Store
	Engine *engine.Engine
	// Shards says whether a shard is surely ours.
	Shards shard.Holder
	// First and Last bound the buckets to read, both included.
	First, Last check.BucketID
	Log         *slog.Logger
}

// Loader reads the sites of our shards. New makes one.
type Loader struct {
	o       Options
	shards  *shards
	settled chan struct{}
	settle  func()
	// tried is closed when what had been gained at first was loaded, or that was tried.
	tried, loaded chan struct{}
}

// New makes an loader of no shards. Nothing is read before Run.
func New(o Options) *Loader {
	settled := make(chan struct{})
	return &Loader{
		o: o, shards: newShards(), tried: make(chan struct{}), loaded: make(chan struct{}),
		settled: settled, settle: sync.OnceFunc(func() { close(settled) }),
	}
}

// Run reads until ctx ends.
func (in *Loader) Run(ctx context.Context) error {
	var both errgroup.Group
	both.Go(func() error { in.load(ctx); return nil })
	both.Go(func() error { in.reread(ctx); return nil })
	return both.Wait()
}

// Gained has the sites of a shard loaded that is now ours. It does not wait for that.
func (in *Loader) Gained(s shard.ID) {
	in.o.Engine.DropShard(s) // an edit may have come too late for Lost
	in.shards.gain(s)
}

// Settled says that what could be had at first has been gained. Nothing is loaded before.
func (in *Loader) Settled() { in.settle() }

// Loaded is closed when what had been gained at first was loaded.
func (in *Loader) Loaded() <-chan struct{} { return in.loaded }

// Lost takes the sites of a shard off that is ours no more.
func (in *Loader) Lost(s shard.ID) {
	in.shards.lose(s) // first: what of it is read from now on would not be void
	in.o.Engine.DropShard(s)
}

// bucketsOf lists the buckets of shards that are ours to read, in order.
func (in *Loader) bucketsOf(shards ...shard.ID) (out []check.BucketID) {
	for _, s := range shards {
		for i := range shard.BucketsPer {
			b := check.BucketID(int(s)*shard.BucketsPer + i)
			if b >= in.o.First && b <= in.o.Last {
				out = append(out, b)
			}
		}
	}
	return out
}

// sleep waits; false when ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
