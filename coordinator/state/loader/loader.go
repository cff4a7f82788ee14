package loader

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// Store has the reads that a Loader makes.
type Store interface {
	ScanBuckets(ctx context.Context, first, last check.BucketID, f func([]record.Site) error) error
	ReadSpan(ctx context.Context, span record.Span, known map[shard.ID]store.Digest) (store.SpanRead, error)
	SpanEnd(ctx context.Context, after check.SiteID, n int) (id check.SiteID, ok bool, err error)
	ListSnapshots(ctx context.Context, s shard.ID) ([]record.Snapshot, error)
	ShardRemarks(ctx context.Context, s shard.ID) ([]record.Remark, error)
	IndexHosts(ctx context.Context, span record.Span, shards []shard.ID, sweep bool) error
	HostsIndexed(ctx context.Context, shards []shard.ID, at time.Time) error
}

// Options for New. All but Sample are required.
type Options struct {
	Store  Store
	Engine *engine.Engine
	// Shards reports whether a shard is certainly ours.
	Shards shard.Holder
	// First and Last bound the buckets to read, both included.
	First, Last check.BucketID
	// Sample, when more than 1, leaves all sites but one in Sample out of the shards on trial.
	Sample int
	Log    *slog.Logger
}

// Loader reads the sites of our shards. New makes one.
type Loader struct {
	o       Options
	shards  *shards
	settled chan struct{} // closed by settle
	settle  func()
	// tried is closed after the first attempt to load the first shards, loaded after they
	// have been loaded.
	tried, loaded chan struct{}
	// indexed has, for each shard, the number of the tenure in which noteIndexed recorded it.
	indexed [shard.Count]uint64
}

// New makes a Loader of no shards. It reads nothing before Run.
func New(o Options) *Loader {
	settled := make(chan struct{})
	return &Loader{
		o: o, shards: newShards(), tried: make(chan struct{}), loaded: make(chan struct{}),
		settled: settled, settle: sync.OnceFunc(func() { close(settled) }),
	}
}

// Run reads until ctx ends.
func (l *Loader) Run(ctx context.Context) error {
	var both errgroup.Group
	both.Go(func() error { l.load(ctx); return nil })
	both.Go(func() error { l.reconcile(ctx); return nil })
	return both.Wait()
}

// Gained starts to load the sites of a shard that is now ours, and does not wait for it.
func (l *Loader) Gained(s shard.ID) {
	l.o.Engine.DropShard(s) // an edit may have come too late for Lost
	l.shards.gain(s)
}

// Settled reports that all shards that were free at the start have been gained. Loading
// starts then.
func (l *Loader) Settled() { l.settle() }

// Loaded returns a channel that is closed once the first shards have been loaded.
func (l *Loader) Loaded() <-chan struct{} { return l.loaded }

// Lost drops the sites of a shard that is no longer ours.
func (l *Loader) Lost(s shard.ID) {
	l.shards.lose(s) // first, so that rows of it that are read from now on are discarded
	l.o.Engine.DropShard(s)
}

// sampled leaves the rows out that a trial does not watch.
func (l *Loader) sampled(rows []record.Site) []record.Site {
	if l.o.Sample <= 1 {
		return rows
	}
	held, sample := l.o.Shards.Held(), shard.Trial{Sample: l.o.Sample}
	return slices.DeleteFunc(rows, func(s record.Site) bool {
		return !sample.Has(s.ID) && held[shard.Of(s.Bucket)].Voice == shard.OnTrial
	})
}

// bucketsOf lists, in order, the buckets of some shards that lie between First and Last.
func (l *Loader) bucketsOf(shards ...shard.ID) (out []check.BucketID) {
	for _, s := range shards {
		for i := range shard.BucketsPer {
			b := check.BucketID(int(s)*shard.BucketsPer + i)
			if b >= l.o.First && b <= l.o.Last {
				out = append(out, b)
			}
		}
	}
	return out
}
