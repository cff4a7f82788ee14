package loader

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

const (
	// again is the time between two looks at a stripe, rereaders how many are looked at at
	// once. Each is read anyway about every readAnyway.
	again      = 50 * time.Second
	rereaders  = 4
	readAnyway = 15 * time.Minute
	// lookAgain is when a look that failed is tried once more.
	lookAgain = time.Second
	// stripeRows is how many rows a stripe has when it is made. One of more than twice as
	// many is cut.
	stripeRows = 10_000
)

// stripe is a span of the table, and what is known of it. All stripes together are all ids.
type stripe struct {
	store.Span
	// rows is how many it had that are ours, when it was looked at last.
	rows int
	// known are digests of what was read of each shard, and in which of its tenures; they
	// are trusted until then.
	known [shard.Count]struct {
		tenure uint64
		digest store.Digest
	}
	until time.Time
	// edits is the engine's count then: an edit that is made through our API and taken
	// back in the table leaves the digests as they were.
	edits uint64
}

func newStripe(of store.Span) *stripe {
	s := &stripe{Span: of, rows: math.MaxInt}
	s.forget()
	return s
}

// forget has all of it read. Stripes that are read at once are not read at once again.
func (s *stripe) forget() {
	clear(s.known[:])
	s.until = time.Now().Add(readAnyway/2 + rand.N(readAnyway))
}

// reread takes over what WordPress.com changed in the table: each stripe is looked at
// once a period, paced by the clock, so that the time that reading takes does not add up.
func (in *Loader) reread(ctx context.Context) {
	select {
	case <-in.tried:
	case <-ctx.Done():
		return
	}
	var failing atomic.Bool
	tell := func(err error) {
		if failed := err != nil && ctx.Err() == nil; failing.CompareAndSwap(!failed, failed) {
			in.o.Log.Warn("reading the sites again", "failing", failed, "err", err)
		}
	}
	stripes := []*stripe{newStripe(store.Span{First: 1, Last: math.MaxInt64})}
	for start := time.Now(); ctx.Err() == nil; {
		var err error
		if stripes, err = in.cut(ctx, stripes); err != nil {
			tell(err)
			sleep(ctx, loadAgainMost)
			start = time.Now()
			continue
		}
		var readers errgroup.Group
		readers.SetLimit(rereaders)
		for i, s := range stripes {
			if !sleep(ctx, time.Until(start.Add(again*time.Duration(i)/time.Duration(len(stripes))))) {
				break
			}
			readers.Go(func() error {
				err := in.look(ctx, s)
				if err != nil && sleep(ctx, lookAgain) { // not only in the next period
					err = in.look(ctx, s)
				}
				tell(err)
				return nil
			})
		}
		_ = readers.Wait() // each said for itself what went wrong
		start = later(start.Add(again), time.Now().Add(-again))
		sleep(ctx, time.Until(start))
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// cut makes stripes of those that have too many rows. What it answers are all ids, whether
// it failed or not.
func (in *Loader) cut(ctx context.Context, stripes []*stripe) (out []*stripe, err error) {
	for _, s := range stripes {
		for s.rows > 2*stripeRows && err == nil {
			var end check.SiteID
			var more bool
			switch end, more, err = in.o.Store.SpanEnd(ctx, s.First-1, stripeRows); {
			case err != nil:
			case more && end < s.Last:
				front := newStripe(store.Span{First: s.First, Last: end})
				front.rows = stripeRows
				out, s = append(out, front), newStripe(store.Span{First: end + 1, Last: s.Last})
			default:
				s.rows = stripeRows
			}
		}
		out = append(out, s)
	}
	return out, err
}

// look reads of a stripe what its digests say was edited, what has none, or all of it if
// it has not been read for long.
func (in *Loader) look(ctx context.Context, s *stripe) error {
	edits := in.o.Engine.Edits(s.Span)
	if edits != s.edits || time.Now().After(s.until) {
		s.forget()
	}
	s.edits = edits
	var ours []tenure
	var reading *engine.Reading
	known := map[shard.ID]store.Digest{}
	in.shards.whatIsLoaded(func(loaded []tenure) {
		var buckets []check.BucketID
		for _, t := range loaded {
			if _, sure := in.o.Shards.Fence(t.shard); !sure {
				continue
			}
			ours, buckets = append(ours, t), append(buckets, in.bucketsOf(t.shard)...)
			if k := s.known[t.shard]; k.tenure == t.number {
				known[t.shard] = k.digest
			} else {
				known[t.shard] = 0
			}
		}
		reading = in.o.Engine.Read(time.Now(), buckets...)
	})
	if len(ours) == 0 {
		return nil
	}
	read, err := in.o.Store.ReadSpan(ctx, s.Span, known)
	if err != nil {
		return fmt.Errorf("look at the sites %d to %d: %w", s.First, s.Last, err)
	}
	if len(read.Changed) > 0 {
		reading.PutSpan(s.Span, read.Changed, read.Sites)
	}
	reading.Done()
	for _, t := range ours {
		s.known[t.shard].tenure, s.known[t.shard].digest = t.number, read.Digests[t.shard]
	}
	s.rows = read.Rows
	return nil
}
