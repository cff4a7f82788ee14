package intake

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

const (
	// again is the time between two looks at a bucket, rereaders how many are looked at at
	// once. Each bucket is read anyway about every readAnyway.
	again      = 50 * time.Second
	rereaders  = 4
	readAnyway = 15 * time.Minute
)

// reread takes over what WordPress.com changed in the table: each bucket is looked at
// once a period, paced by the clock, so that the time that reading takes does not add up.
func (in *Intake) reread(ctx context.Context) {
	first, n := int(in.o.First), int(in.o.Last-in.o.First)+1
	var readers errgroup.Group
	readers.SetLimit(rereaders)
	var failing atomic.Bool
	for start := time.Now(); ; start = later(start.Add(again), time.Now().Add(-again)) {
		for i := range n {
			if !sleep(ctx, time.Until(start.Add(again*time.Duration(i)/time.Duration(n)))) {
				_ = readers.Wait() // each said for itself what went wrong
				return
			}
			b := check.BucketID(first + i)
			if _, ours := in.o.Fence(store.ShardOf(b)); !ours || !in.shards.isLoaded(store.ShardOf(b)) {
				continue
			}
			readers.Go(func() error {
				err := in.refresh(ctx, b)
				if failed := err != nil && ctx.Err() == nil; failing.CompareAndSwap(!failed, failed) {
					in.o.Log.Warn("reading the sites again", "failing", failed, "err", err)
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
func (in *Intake) refresh(ctx context.Context, b check.BucketID) error {
	st := &in.buckets[b]
	st.mu.Lock()
	defer st.mu.Unlock()
	edits := in.o.Engine.Edits(b)
	digest, ok, err := in.o.Store.BucketDigest(ctx, b)
	if err != nil {
		return err
	}
	if ok && st.known && edits == st.edits && digest == st.digest && time.Now().Before(st.until) {
		return nil
	}
	st.edits = edits
	return in.read(ctx, b, digest, ok)
}

// read scans a bucket, whose digest was just taken, and remembers the digest if it is the
// same afterwards. The bucket's state is locked.
func (in *Intake) read(ctx context.Context, b check.BucketID, before uint64, ok bool) error {
	st := &in.buckets[b]
	// Buckets that were read at once are not read at once again.
	st.known, st.until = false, time.Now().Add(readAnyway/2+rand.N(readAnyway))
	if err := in.scan(ctx, b); err != nil || !ok {
		return err
	}
	after, ok, err := in.o.Store.BucketDigest(ctx, b)
	if err != nil {
		return err
	}
	st.digest, st.known = after, ok && after == before
	return nil
}

// scan hands all sites of a bucket to the engine, as they are read.
func (in *Intake) scan(ctx context.Context, b check.BucketID) error {
	reading := in.o.Engine.Read(time.Now(), b)
	if !in.shards.isLoaded(store.ShardOf(b)) {
		return nil
	}
	err := in.o.Store.ScanBucket(ctx, b, func(rows []store.Site) error {
		reading.Put(rows)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read bucket %d: %w", b, err)
	}
	reading.Done()
	return nil
}
