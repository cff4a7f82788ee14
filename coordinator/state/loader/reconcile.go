package loader

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/obs"
	"github.com/Automattic/jetmon/internal/pause"
)

const (
	// period is the time between two polls of a range; pollers bounds the polls at once.
	// About every fullReadEvery a range is read even if its digests have not changed.
	period        = 50 * time.Second
	pollers       = 4
	fullReadEvery = 15 * time.Minute
	// pollRetry is the wait before a poll that failed is tried once more.
	pollRetry = time.Second
	// rangeRows is the number of rows of a new range. A range of more than twice as many
	// is split.
	rangeRows = 10_000
)

// idRange is a span of the table with the result of its last poll. Invariant: all ranges
// together cover all ids.
type idRange struct {
	record.Span
	// rows is the number of our rows in the range at the last poll.
	rows int
	// known has for each shard the digest of the rows that were last read, and the number
	// of the tenure in which they were read.
	known [shard.Count]struct {
		tenure uint64
		digest store.Digest
	}
	// until is when known expires.
	until time.Time
	// edits is the engine's edit count at the last poll: an edit that is made through our
	// API and undone in the table leaves the digests unchanged.
	edits uint64
}

func newRange(of record.Span) *idRange {
	r := &idRange{Span: of, rows: math.MaxInt}
	r.forget()
	return r
}

// forget makes the next poll read the whole range. The next expiry is random, so that
// ranges that are read together now are read at different times later.
func (r *idRange) forget() {
	clear(r.known[:])
	r.until = time.Now().Add(fullReadEvery/2 + rand.N(fullReadEvery))
}

// reconcile takes over the edits that WordPress.com makes in the table. It polls each range
// once a period, at fixed times, so that the time that polls take does not add up.
func (l *Loader) reconcile(ctx context.Context) {
	select {
	case <-l.tried:
	case <-ctx.Done():
		return
	}
	edge := obs.Edge{Log: l.o.Log, What: "reconciling sites with the table", Level: slog.LevelWarn}
	note := func(err error) {
		if ctx.Err() == nil {
			edge.Note(err)
		}
	}
	ranges := []*idRange{newRange(record.Span{First: 1, Last: math.MaxInt64})}
	for start := time.Now(); ctx.Err() == nil; {
		var err error
		if ranges, err = l.split(ctx, ranges); err != nil {
			note(err)
			pause.For(ctx, retryMost)
			start = time.Now()
			continue
		}
		var polls errgroup.Group
		polls.SetLimit(pollers)
		for i, r := range ranges {
			if !pause.Until(ctx, start.Add(period*time.Duration(i)/time.Duration(len(ranges)))) {
				break
			}
			polls.Go(func() error {
				err := l.poll(ctx, r)
				if err != nil && pause.For(ctx, pollRetry) { // not only in the next period
					err = l.poll(ctx, r)
				}
				note(err)
				return nil
			})
		}
		_ = polls.Wait() // each poll has reported its own error
		note(l.noteIndexed(ctx, ranges))
		start = later(start.Add(period), time.Now().Add(-period))
		pause.Until(ctx, start)
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// split splits the ranges that have too many rows. Its result covers all ids, even when it
// fails.
func (l *Loader) split(ctx context.Context, ranges []*idRange) (out []*idRange, err error) {
	for _, r := range ranges {
		for r.rows > 2*rangeRows && err == nil {
			var end check.SiteID
			var more bool
			switch end, more, err = l.o.Store.SpanEnd(ctx, r.First-1, rangeRows); {
			case err != nil:
			case more && end < r.Last:
				front := newRange(record.Span{First: r.First, Last: end})
				front.rows = rangeRows
				out, r = append(out, front), newRange(record.Span{First: end + 1, Last: r.Last})
			default:
				r.rows = rangeRows
			}
		}
		out = append(out, r)
	}
	return out, err
}

// poll reads the shards of a range whose digest has changed or is unknown. After an edit
// through our API, or when the digests have expired, it reads all of them.
func (l *Loader) poll(ctx context.Context, r *idRange) error {
	edits := l.o.Engine.Edits(r.Span)
	expired := time.Now().After(r.until)
	if edits != r.edits || expired {
		r.forget()
	}
	r.edits = edits
	var ours []tenure
	var reading *engine.Reading
	known := map[shard.ID]store.Digest{}
	l.shards.withLoaded(func(loaded []tenure) {
		var buckets []check.BucketID
		for _, t := range loaded {
			if _, sure := l.o.Shards.Fence(t.shard); !sure {
				continue
			}
			ours, buckets = append(ours, t), append(buckets, l.bucketsOf(t.shard)...)
			if k := r.known[t.shard]; k.tenure == t.number {
				known[t.shard] = k.digest
			} else {
				known[t.shard] = 0
			}
		}
		reading = l.o.Engine.Read(time.Now(), buckets...)
	})
	if len(ours) == 0 {
		return nil
	}
	read, err := l.o.Store.ReadSpan(ctx, r.Span, known)
	if err != nil {
		return fmt.Errorf("poll the sites %d to %d: %w", r.First, r.Last, err)
	}
	if len(read.Changed) > 0 {
		reading.PutSpan(r.Span, read.Changed, l.sampled(read.Sites))
	}
	reading.Done()
	if len(read.Changed) > 0 {
		if err := l.o.Store.IndexHosts(ctx, r.Span, read.Changed, expired); err != nil {
			return err // the next poll reads these shards again
		}
	}
	for _, t := range ours {
		r.known[t.shard].tenure, r.known[t.shard].digest = t.number, read.Digests[t.shard]
	}
	r.rows = read.Rows
	return nil
}

// noteIndexed records which shards have all their hosts in the index, once a tenure: those of
// which every range has been read since they were gained.
func (l *Loader) noteIndexed(ctx context.Context, ranges []*idRange) error {
	var done []tenure
	l.shards.withLoaded(func(loaded []tenure) {
		for _, t := range loaded {
			missing := func(r *idRange) bool { return r.known[t.shard].tenure != t.number }
			if l.indexed[t.shard] != t.number && !slices.ContainsFunc(ranges, missing) {
				done = append(done, t)
			}
		}
	})
	if len(done) == 0 {
		return nil
	}
	shards := make([]shard.ID, len(done))
	for i, t := range done {
		shards[i] = t.shard
	}
	if err := l.o.Store.HostsIndexed(ctx, shards, time.Now()); err != nil {
		return err
	}
	for _, t := range done {
		l.indexed[t.shard] = t.number
	}
	return nil
}
