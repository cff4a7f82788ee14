// Package retention deletes history that is too old, so that the database does not grow
// for ever: ballots that opened no outage and, if Options.Outages is set, outages that
// are over. It owns the pace: small batches, with pauses between them, once an hour.
// store.Retention decides what may be deleted. A late deletion does no harm.
//
// Goroutines: none; Run is one, and ends with ctx.
package retention

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/pause"
)

const (
	// first is the time from the start to the first pass, every the time between passes.
	first = time.Minute
	every = time.Hour
	// batchSize bounds the rows that one transaction deletes; batchPause is the time
	// between two transactions.
	batchSize  = 200
	batchPause = 100 * time.Millisecond
	// auditShard is the shard whose owner deletes the old records of the audit trail, which
	// belong to no shard.
	auditShard = shard.ID(0)
	// callTimeout bounds one transaction.
	callTimeout = 10 * time.Second
)

// Options for New.
type Options struct {
	Store Store
	// Shards reports which shards are ours, with the fences for writes.
	Shards shard.Holder
	// Ballots is how long to keep ballots that opened no outage, Outages how long to keep
	// outages that are over; 0 keeps them for ever.
	Ballots, Outages time.Duration
	// Audit is how long to keep the audit trail; 0 keeps it for ever.
	Audit time.Duration
	Log   *slog.Logger
}

// Store is what a Sweeper needs of the store.
type Store interface {
	store.Retention
	ExpireAudit(ctx context.Context, before time.Time, limit int) (int, error)
}

// Sweeper deletes history that is too old. New makes one.
type Sweeper struct{ o Options }

// New makes a Sweeper. It deletes nothing before Run.
func New(o Options) *Sweeper { return &Sweeper{o} }

// Run makes a pass once an hour until ctx ends; then it returns nil.
func (w *Sweeper) Run(ctx context.Context) error {
	if w.o.Ballots == 0 && w.o.Outages == 0 && w.o.Audit == 0 {
		<-ctx.Done()
		return nil
	}
	for wait := first; pause.For(ctx, wait); wait = every {
		began := time.Now()
		deleted, err := w.pass(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			w.o.Log.Warn("deleting old history failed", "deleted", deleted, "next_in", every, "error", err)
		case deleted > 0:
			w.o.Log.Info("old history deleted", "ballots_and_outages", deleted, "took", time.Since(began).Round(time.Millisecond))
		}
	}
	return nil
}

// pass sweeps each of our shards once. A shard that fails does not stop the others.
func (w *Sweeper) pass(ctx context.Context) (deleted int, err error) {
	for _, s := range w.o.Shards.Held().Staying() {
		if s == auditShard && w.o.Audit > 0 {
			n, auditErr := w.audit(ctx)
			deleted, err = deleted+n, errors.Join(err, auditErr)
		}
		n, shardErr := w.shard(ctx, s)
		deleted += n
		if shardErr != nil {
			err = shardErr
		}
	}
	return deleted, err
}

// audit deletes old records of the audit trail. Two coordinators that both do so for a moment
// do no harm.
func (w *Sweeper) audit(ctx context.Context) (deleted int, err error) {
	before := time.Now().Add(-w.o.Audit)
	for {
		n, err := w.auditBatch(ctx, before)
		deleted += n
		if err != nil || n < batchSize || !pause.For(ctx, batchPause) {
			return deleted, err
		}
	}
}

func (w *Sweeper) auditBatch(ctx context.Context, before time.Time) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return w.o.Store.ExpireAudit(ctx, before, batchSize)
}

// shard deletes batch after batch, until nothing is left or the shard is no longer ours.
func (w *Sweeper) shard(ctx context.Context, s shard.ID) (deleted int, err error) {
	var e store.Expiry
	if w.o.Ballots > 0 {
		e.Ballots = time.Now().Add(-w.o.Ballots)
	}
	if w.o.Outages > 0 {
		e.Outages = time.Now().Add(-w.o.Outages)
	}
	for {
		fence, ours := w.o.Shards.Fence(s)
		if !ours {
			return deleted, nil
		}
		n, err := w.batch(ctx, fence, e)
		deleted += n
		switch {
		case fault.Is(err, fault.Fenced):
			return deleted, nil // the next owner continues
		case err != nil:
			return deleted, err
		case n < batchSize || !pause.For(ctx, batchPause):
			return deleted, nil
		}
	}
}

func (w *Sweeper) batch(ctx context.Context, f shard.Fence, e store.Expiry) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return w.o.Store.Expire(ctx, f, e, batchSize)
}
