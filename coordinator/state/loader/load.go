package loader

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
)

const (
	// together is how many shards are loaded in one go, in the table's order; of fewer each
	// is loaded for itself, by the index on buckets, and loaders is how many at once. It is
	// a quarter of all: see Sites.ScanBuckets.
	together = shard.Count / 4
	loaders  = 4
	// loadAgain is when loading is tried again at first, loadAgainMost later.
	loadAgain     = time.Second
	loadAgainMost = 5 * time.Second
)

// load loads what is gained, until ctx ends.
func (in *Loader) load(ctx context.Context) {
	select {
	case <-in.settled:
	case <-ctx.Done():
		return
	}
	err := in.loadAll(ctx)
	close(in.tried)
	loaded := sync.OnceFunc(func() { close(in.loaded) })
	for wait := loadAgain; ctx.Err() == nil; err = in.loadAll(ctx) {
		if err != nil {
			in.o.Log.Error("could not load the sites of shards", "err", err, "again_in", wait)
			sleep(ctx, wait)
			wait = min(2*wait, loadAgainMost)
			continue
		}
		loaded()
		wait = loadAgain
		select {
		case <-in.shards.more:
		case <-ctx.Done():
		}
	}
}

// loadAll loads all that is to be loaded.
func (in *Loader) loadAll(ctx context.Context) error {
	tenures := in.shards.toLoad()
	if len(tenures) >= together {
		return in.loadGroup(ctx, tenures)
	}
	var group errgroup.Group
	group.SetLimit(loaders)
	for i := range tenures {
		group.Go(func() error { return in.loadGroup(ctx, tenures[i:i+1]) })
	}
	return group.Wait()
}

// loadGroup puts the sites of some shards on the schedule, with what their last owners
// knew of those in trouble.
func (in *Loader) loadGroup(ctx context.Context, tenures []tenure) error {
	began := time.Now()
	if err := in.recall(ctx, tenures); err != nil {
		return err
	}
	var reading *engine.Reading
	in.shards.still(tenures, func(ours []shard.ID) { reading = in.o.Engine.Read(began, in.bucketsOf(ours...)...) })
	if reading == nil {
		return nil // all are lost
	}
	first, last := in.bucketsOf(tenures[0].shard), in.bucketsOf(tenures[len(tenures)-1].shard)
	sites := 0
	err := in.o.Store.ScanBuckets(ctx, first[0], last[len(last)-1], func(rows []store.Site) error {
		sites += reading.Put(rows)
		return nil
	})
	if err != nil {
		return fmt.Errorf("load the sites of %d shards: %w", len(tenures), err)
	}
	reading.Done()
	in.shards.done(tenures, func(ours []shard.ID) {
		for _, s := range ours {
			in.o.Engine.Recalled(s)
		}
		in.o.Log.Info("loaded the sites of shards", "shards", len(ours), "sites", sites,
			"took_ms", time.Since(began).Milliseconds())
	})
	return nil
}

// recall gives the engine what the last owners knew of sites in trouble.
func (in *Loader) recall(ctx context.Context, tenures []tenure) error {
	var group errgroup.Group
	group.SetLimit(loaders)
	for i, t := range tenures {
		group.Go(func() error {
			suspects, err := in.o.Store.ListSuspects(ctx, t.shard)
			if err != nil {
				return fmt.Errorf("read the suspects of shard %d: %w", t.shard, err)
			}
			in.shards.still(tenures[i:i+1], func([]shard.ID) { in.o.Engine.Recall(suspects) })
			return nil
		})
	}
	return group.Wait()
}
