// Package retention forgets history that is too old, so that the database does not grow
// for ever: ballots that opened no outage and, if that is asked for, outages that are
// over. It owns the pace: small batches, with pauses between them, once an hour. What
// may go is store.Retention's to say. Losing time here is no harm.
//
// Goroutines: none; Run is one, and ends with ctx.
package retention

import (
	"context"
	"log/slog"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	// first is when, after the start, expiry begins, every when it does again.
	first = time.Minute
	every = time.Hour
	// batch is how much one transaction deletes, pause the time between two.
	batch = 200
	pause = 100 * time.Millisecond
	// within bounds one transaction.
	within = 10 * time.Second
)

// Options for New.
type Options struct {
	Store store.Retention
	// Shards says which shards are ours, and proves it.
	Shards shard.Holder
	// Ballots is how long ballots that opened no outage are kept, Outages how long
	// outages that are over; 0 is for ever.
	Ballots, Outages time.Duration
	Log              *slog.Logger
}

// Sweeper is the one that forgets. New makes one.
type Sweeper struct{ o Options }

// New makes an Sweeper. Nothing is forgotten before Run.
func New(o Options) *Sweeper { return &Sweeper{o} }

// Run forgets now and then, until ctx ends; then it returns nil.
func (x *Sweeper) Run(ctx context.Context) error {
	if x.o.Ballots == 0 && x.o.Outages == 0 {
		<-ctx.Done()
		return nil
	}
	for wait := first; sleep(ctx, wait); wait = every {
		began := time.Now()
		expired, err := x.pass(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			x.o.Log.Warn("history that is too old was not deleted; it is tried again", "after", every, "err", err)
		case expired > 0:
			x.o.Log.Info("history that is too old was deleted", "ballots_and_outages", expired, "took", time.Since(began).Round(time.Millisecond))
		}
	}
	return nil
}

// pass goes through all our shards once.
func (x *Sweeper) pass(ctx context.Context) (expired int, err error) {
	for _, s := range x.o.Shards.Held().Staying() {
		n, shardErr := x.shard(ctx, s)
		expired += n
		if shardErr != nil {
			err = shardErr
		}
	}
	return expired, err
}

// shard deletes batch after batch, until nothing is left or the shard is not ours any more.
func (x *Sweeper) shard(ctx context.Context, s shard.ID) (expired int, err error) {
	var e store.Expiry
	if x.o.Ballots > 0 {
		e.Ballots = time.Now().Add(-x.o.Ballots)
	}
	if x.o.Outages > 0 {
		e.Outages = time.Now().Add(-x.o.Outages)
	}
	for {
		fence, ours := x.o.Shards.Fence(s)
		if !ours {
			return expired, nil
		}
		n, err := x.batch(ctx, fence, e)
		expired += n
		switch {
		case fault.Is(err, fault.Fenced):
			return expired, nil // its next owner goes on
		case err != nil:
			return expired, err
		case n < batch || !sleep(ctx, pause):
			return expired, nil
		}
	}
}

func (x *Sweeper) batch(ctx context.Context, f shard.Fence, e store.Expiry) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return x.o.Store.Expire(ctx, f, e, batch)
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
