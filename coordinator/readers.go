package coordinator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
)

// gained loads the sites of a shard that is now ours, and what its last owner knew of
// those in trouble.
func (c *Coordinator) gained(ctx context.Context, s store.ShardID) error {
	suspects, err := c.o.Store.ListSuspects(ctx, s)
	if err != nil {
		return fmt.Errorf("read the suspects of shard %d: %w", s, err)
	}
	c.engine.Recall(suspects)
	for _, b := range c.buckets(s) {
		if err := c.load(ctx, b); err != nil {
			return err
		}
	}
	c.engine.Recalled(s)
	c.deliverOwned()
	return nil
}

// deliverOwned has the notices of our shards delivered. Shards come and go at once.
func (c *Coordinator) deliverOwned() {
	c.delivered.Lock()
	defer c.delivered.Unlock()
	c.notify.SetShards(c.ownership.Owned())
}

// lost forgets the sites of a shard that is ours no more. One that is handed over in
// order is ours until it returns: what was decided and is known of its sites is written
// first, so that the next owner finds it.
func (c *Coordinator) lost(s store.ShardID) {
	if _, ours := c.ownership.Fence(s); ours {
		ctx, cancel := context.WithTimeout(context.Background(), handOver)
		defer cancel()
		c.ledger.Await(ctx, s)
		c.memos.Flush(ctx)
	}
	c.engine.DropShard(s)
	c.ledger.Forget(s)
	c.deliverOwned()
}

// buckets lists the buckets of a shard that are ours to watch.
func (c *Coordinator) buckets(s store.ShardID) []check.BucketID {
	var out []check.BucketID
	for i := range store.BucketsPerShard {
		b := check.BucketID(int(s)*store.BucketsPerShard + i)
		if b >= c.o.BucketMin && b <= c.o.BucketMax {
			out = append(out, b)
		}
	}
	return out
}

// reread takes over what WordPress.com changed in the table: each bucket is looked at
// once a period, paced by the clock, so that the time that reading takes does not add up.
func (c *Coordinator) reread(ctx context.Context) error {
	first, n := int(c.o.BucketMin), int(c.o.BucketMax-c.o.BucketMin)+1
	var readers errgroup.Group
	readers.SetLimit(rereaders)
	var failing atomic.Bool
	for start := time.Now(); ; start = later(start.Add(reread), time.Now().Add(-reread)) {
		for i := range n {
			if !sleep(ctx, time.Until(start.Add(reread*time.Duration(i)/time.Duration(n)))) {
				return readers.Wait()
			}
			b := check.BucketID(first + i)
			if _, ours := c.ownership.Fence(store.ShardOf(b)); !ours {
				continue
			}
			readers.Go(func() error {
				err := c.refresh(ctx, b)
				if failed := err != nil && ctx.Err() == nil; failing.CompareAndSwap(!failed, failed) {
					c.o.Log.Warn("reading the sites again", "failing", failed, "err", err)
				}
				return nil
			})
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// bucketState is what is known of one bucket's rows in the store.
type bucketState struct {
	mu sync.Mutex // held while the bucket is read: there is one reader of it at a time
	// digest is of the rows as they were read; known is false when it is not known, or
	// when there are no digests here. It is trusted until then.
	digest uint64
	known  bool
	until  time.Time
	// edits is the engine's count then: an edit that is made through our API and taken
	// back in the table leaves the digest as it was.
	edits uint64
}

// refresh reads a bucket again if its digest says that it was edited, if it has none, or
// if it has not been read for long.
func (c *Coordinator) refresh(ctx context.Context, b check.BucketID) error {
	st := &c.bucketStates[b]
	st.mu.Lock()
	defer st.mu.Unlock()
	edits := c.engine.Edits(b)
	digest, ok, err := c.o.Store.BucketDigest(ctx, b)
	if err != nil {
		return err
	}
	if ok && st.known && edits == st.edits && digest == st.digest && time.Now().Before(st.until) {
		return nil
	}
	st.edits = edits
	return c.read(ctx, b, digest, ok)
}

// load reads a bucket for the first time, as fast as it can be scanned: digests are for
// later.
func (c *Coordinator) load(ctx context.Context, b check.BucketID) error {
	st := &c.bucketStates[b]
	st.mu.Lock()
	defer st.mu.Unlock()
	st.known = false
	return c.scan(ctx, b)
}

// read scans a bucket, whose digest was just taken, and remembers the digest if it is the
// same afterwards. The bucket's state is locked.
func (c *Coordinator) read(ctx context.Context, b check.BucketID, before uint64, ok bool) error {
	st := &c.bucketStates[b]
	// Buckets that were read at once are not read at once again.
	st.known, st.until = false, time.Now().Add(readAnyway/2+rand.N(readAnyway))
	if err := c.scan(ctx, b); err != nil || !ok {
		return err
	}
	after, ok, err := c.o.Store.BucketDigest(ctx, b)
	if err != nil {
		return err
	}
	st.digest, st.known = after, ok && after == before
	return nil
}

// scan hands all sites of a bucket to the engine, as they are read.
func (c *Coordinator) scan(ctx context.Context, b check.BucketID) error {
	reading := c.engine.Read(time.Now(), b)
	// Asked after the reading has begun, which is void when the shard is lost from now on.
	if !c.ownership.Holds(store.ShardOf(b)) {
		return nil
	}
	err := c.o.Store.ScanBucket(ctx, b, func(rows []store.Site) error {
		reading.Put(rows)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read bucket %d: %w", b, err)
	}
	reading.Done()
	return nil
}

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
