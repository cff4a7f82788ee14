// Package retention deletes history that is too old, so that the database does not grow
// for ever: ballots that opened no outage, events, deliveries that have ended and, if
// Options.Outages is set, outages that are over; also what is kept of checks, old records of the
// audit trail, and idempotency keys. It owns the pace: small batches, with pauses between them, once an hour.
// store.Retention decides what may be deleted. A late deletion does no harm.
//
// Goroutines: none; Run is one, and ends with ctx.
package retention

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
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
	// auditShard is the shard whose owner deletes the old records of the audit trail, and
	// idempotency keys, which belong to no shard.
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
	// outages and incidents that are over, Events how long to keep events; 0 keeps them for ever.
	Ballots, Outages, Events time.Duration
	// Deliveries is how long to keep deliveries that were accepted or superseded, DeadLetters
	// those that were given up; 0 keeps them for ever.
	Deliveries, DeadLetters time.Duration
	// Checks is how long to keep what became of every turn, Summaries how long to keep what that
	// comes to by day; 0 keeps them for ever. Whole days of UTC are deleted.
	Checks, Summaries time.Duration
	// Audit is how long to keep the audit trail; 0 keeps it for ever.
	Audit time.Duration
	Log   *slog.Logger
}

// Store is what a Sweeper needs of the store.
type Store interface {
	store.Retention
	ExpireChecks(ctx context.Context, f shard.Fence, e store.CheckExpiry, limit int) (int, error)
	ExpireAudit(ctx context.Context, before time.Time, limit int) (int, error)
	ExpireIncidents(ctx context.Context, before time.Time, limit int) (int, error)
	ExpireKeys(ctx context.Context, before time.Time, limit int) (int, error)
}

// Sweeper deletes history that is too old. New makes one.
type Sweeper struct{ o Options }

// New makes a Sweeper. It deletes nothing before Run.
func New(o Options) *Sweeper { return &Sweeper{o} }

// Run makes a pass once an hour until ctx ends; then it returns nil.
func (w *Sweeper) Run(ctx context.Context) error {
	for wait := first; pause.For(ctx, wait); wait = every {
		began := time.Now()
		deleted, err := w.pass(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			w.o.Log.Warn("deleting old history failed", "deleted", deleted, "next_in", every, "error", err)
		case deleted > 0:
			w.o.Log.Info("old history deleted", "rows", deleted, "took", time.Since(began).Round(time.Millisecond))
		}
	}
	return nil
}

// pass sweeps each of our shards once. A shard that fails does not stop the others.
func (w *Sweeper) pass(ctx context.Context) (deleted int, err error) {
	for _, s := range w.o.Shards.Held().Staying() {
		if s == auditShard {
			n, auditErr := w.unsharded(ctx)
			deleted, err = deleted+n, errors.Join(err, auditErr)
		}
		for _, expire := range w.kinds() {
			n, shardErr := w.shard(ctx, s, expire)
			deleted += n
			if shardErr != nil {
				err = shardErr
			}
		}
	}
	return deleted, err
}

// unsharded deletes what belongs to no shard: old records of the audit trail, and idempotency
// keys. Two coordinators that both do so for a moment do no harm.
func (w *Sweeper) unsharded(ctx context.Context) (deleted int, err error) {
	if w.o.Audit > 0 {
		deleted, err = batches(ctx, time.Now().Add(-w.o.Audit), w.o.Store.ExpireAudit)
	}
	if w.o.Outages > 0 {
		n, incidentsErr := batches(ctx, time.Now().Add(-w.o.Outages), w.o.Store.ExpireIncidents)
		deleted, err = deleted+n, errors.Join(err, incidentsErr)
	}
	// Keys are forgotten, not history: nobody counts them.
	_, keysErr := batches(ctx, time.Now().Add(-store.KeyLife), w.o.Store.ExpireKeys)
	return deleted, errors.Join(err, keysErr)
}

// batches calls expire until nothing is left.
func batches(ctx context.Context, before time.Time, expire func(ctx context.Context, before time.Time, limit int) (int, error)) (deleted int, err error) {
	for {
		n, err := batch(ctx, before, expire)
		deleted += n
		if err != nil || n < batchSize || !pause.For(ctx, batchPause) {
			return deleted, err
		}
	}
}

func batch(ctx context.Context, before time.Time, expire func(ctx context.Context, before time.Time, limit int) (int, error)) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return expire(ctx, before, batchSize)
}

// expire deletes a batch of what is too old of a shard.
type expire func(ctx context.Context, f shard.Fence) (int, error)

// kinds are the kinds of history of a shard that are not kept for ever.
func (w *Sweeper) kinds() (all []expire) {
	if w.o.Ballots+w.o.Outages+w.o.Events+w.o.Deliveries+w.o.DeadLetters > 0 {
		all = append(all, w.judgements)
	}
	if w.o.Checks+w.o.Summaries > 0 {
		all = append(all, w.checks)
	}
	return all
}

// judgements deletes ballots, outages, events and deliveries.
func (w *Sweeper) judgements(ctx context.Context, f shard.Fence) (int, error) {
	var e store.Expiry
	for age, before := range map[*time.Duration]*time.Time{
		&w.o.Ballots: &e.Ballots, &w.o.Outages: &e.Outages, &w.o.Events: &e.Events, &w.o.Deliveries: &e.Deliveries, &w.o.DeadLetters: &e.DeadLetters,
	} {
		if *age > 0 {
			*before = time.Now().Add(-*age)
		}
	}
	return w.o.Store.Expire(ctx, f, e, batchSize)
}

// checks deletes days of checks.
func (w *Sweeper) checks(ctx context.Context, f shard.Fence) (int, error) {
	var e store.CheckExpiry
	if w.o.Checks > 0 {
		e.Checks = history.DayOf(time.Now().Add(-w.o.Checks))
	}
	if w.o.Summaries > 0 {
		e.Summaries = history.DayOf(time.Now().Add(-w.o.Summaries))
	}
	return w.o.Store.ExpireChecks(ctx, f, e, batchSize)
}

// shard deletes batch after batch, until nothing is left or the shard is no longer ours.
func (w *Sweeper) shard(ctx context.Context, s shard.ID, expire expire) (deleted int, err error) {
	for {
		fence, ours := w.o.Shards.Fence(s)
		if !ours {
			return deleted, nil
		}
		n, err := inTime(ctx, fence, expire)
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

func inTime(ctx context.Context, f shard.Fence, expire expire) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return expire(ctx, f)
}
