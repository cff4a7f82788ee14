package loader

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/backoff"
	"github.com/Automattic/jetmon/internal/pause"
)

const (
	// together is the number of shards from which on they are loaded in one scan, in the
	// table's order: a quarter of all, see Sites.ScanBuckets. Fewer are loaded one by one,
	// by the index on buckets, at most loaders at once.
	together = shard.Count / 4
	loaders  = 4
	// retryMost is the longest wait after a failure.
	retryMost = 5 * time.Second
)

// retries are the waits between attempts to load.
func retries() backoff.Policy { return backoff.Policy{Base: time.Second, Most: retryMost} }

// load loads the shards that are gained, until ctx ends.
func (l *Loader) load(ctx context.Context) {
	select {
	case <-l.settled:
	case <-ctx.Done():
		return
	}
	err := l.loadAll(ctx)
	close(l.tried)
	loaded := sync.OnceFunc(func() { close(l.loaded) })
	for failures := 0; ctx.Err() == nil; err = l.loadAll(ctx) {
		if err != nil {
			failures++
			wait := retries().Range(failures)
			l.o.Log.Error("loading sites failed", "error", err, "retry_in", wait)
			pause.For(ctx, wait)
			continue
		}
		loaded()
		failures = 0
		select {
		case <-l.shards.more:
		case <-ctx.Done():
		}
	}
}

// loadAll loads all shards that wait.
func (l *Loader) loadAll(ctx context.Context) error {
	tenures := l.shards.toLoad()
	if len(tenures) >= together {
		return l.loadGroup(ctx, tenures)
	}
	var group errgroup.Group
	group.SetLimit(loaders)
	for i := range tenures {
		group.Go(func() error { return l.loadGroup(ctx, tenures[i:i+1]) })
	}
	return group.Wait()
}

// loadGroup puts the sites of some shards on the schedule, with the last owners' snapshots
// of those in trouble.
func (l *Loader) loadGroup(ctx context.Context, tenures []tenure) error {
	began := time.Now()
	if err := l.recall(ctx, tenures); err != nil {
		return err
	}
	var reading *engine.Reading
	l.shards.still(tenures, func(ours []shard.ID) { reading = l.o.Engine.Read(began, l.bucketsOf(ours...)...) })
	if reading == nil {
		return nil // all are lost
	}
	first, last := l.bucketsOf(tenures[0].shard), l.bucketsOf(tenures[len(tenures)-1].shard)
	sites := 0
	err := l.o.Store.ScanBuckets(ctx, first[0], last[len(last)-1], func(rows []record.Site) error {
		sites += reading.Put(l.sampled(rows))
		return nil
	})
	if err != nil {
		return fmt.Errorf("load the sites of %d shards: %w", len(tenures), err)
	}
	reading.Done()
	l.shards.done(tenures, func(ours []shard.ID) {
		for _, s := range ours {
			l.o.Engine.Recalled(s)
		}
		l.o.Log.Info("sites loaded", "shards", len(ours), "sites", sites,
			"took_ms", time.Since(began).Milliseconds())
	})
	return nil
}

// recall gives the engine the last owners' snapshots of sites in trouble, and what they remarked
// about others.
func (l *Loader) recall(ctx context.Context, tenures []tenure) error {
	var group errgroup.Group
	group.SetLimit(loaders)
	for i, t := range tenures {
		group.Go(func() error {
			snapshots, err := l.o.Store.ListSnapshots(ctx, t.shard)
			if err != nil {
				return fmt.Errorf("read the snapshots of shard %d: %w", t.shard, err)
			}
			remarks, err := l.o.Store.ShardRemarks(ctx, t.shard)
			if err != nil {
				return fmt.Errorf("read the remarks about sites of shard %d: %w", t.shard, err)
			}
			l.shards.still(tenures[i:i+1], func([]shard.ID) {
				l.o.Engine.Recall(snapshots)
				l.o.Engine.RecallRemarks(remarks)
			})
			return nil
		})
	}
	return group.Wait()
}
