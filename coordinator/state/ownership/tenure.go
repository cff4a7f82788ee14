package ownership

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/pause"
)

// stage is the state of a tenure.
type stage int

const (
	// held: the shard is ours.
	held stage = iota
	// leaving: we are giving the shard up; it is ours until Lost has returned.
	leaving
	// lost: another coordinator has the shard.
	lost
	// releasing: we no longer use the shard and are releasing it in the store.
	releasing
)

// tenure is one period in which a shard is ours.
type tenure struct {
	shard shard.ID
	// idle is since when nobody had made the shard's checks when the tenure began.
	idle time.Time
	// over is closed when the stage is no longer held.
	over chan struct{}

	// Invariant: Ownership.mu guards the fields below.

	lease shard.Lease
	// renewed is when the last successful renewal was sent, asked when the last attempt was.
	renewed, asked time.Time // monotonic
	stage          stage
}

// ours reports whether a shard is still ours, certainly or not. The caller holds
// Ownership.mu.
func (t *tenure) ours() bool { return t.stage == held || t.stage == leaving }

// provable reports whether a lease is certainly ours at now. The caller holds Ownership.mu.
func (t *tenure) provable(now time.Time) bool {
	return t.ours() && now.Sub(t.renewed) <= SureFor
}

// take starts a tenure with a lease that was claimed at began, of a shard whose checks nobody
// has made since idle.
func (w *Ownership) take(run context.Context, lease shard.Lease, began, idle time.Time) {
	t := &tenure{shard: lease.Shard, idle: idle, over: make(chan struct{}), lease: lease, renewed: began, asked: began}
	w.mu.Lock()
	w.held[t.shard] = t
	delete(w.duplicated, t.shard)
	w.wrote(began)
	w.mu.Unlock()
	w.tenant.Gained(t.shard)
	w.tenants.Go(func() { w.serve(run, t) }) // after Gained, so that Lost follows it
}

// serve waits until a tenure is over, calls Lost and releases the shard.
func (w *Ownership) serve(run context.Context, t *tenure) {
	select {
	case <-t.over:
	case <-run.Done():
	}
	if run.Err() != nil {
		return // Run gives everything back
	}
	left := time.Now()
	w.tenant.Lost(t.shard)
	w.mu.Lock()
	given := t.stage == leaving
	if given {
		t.stage = releasing
	}
	w.mu.Unlock()
	if given && !w.release(run, t, left) {
		return
	}
	w.mu.Lock()
	delete(w.held, t.shard)
	w.past[t.shard] = t.lease.Term
	w.mu.Unlock()
}

// end moves a tenure to leaving or lost. It reports whether that was a change.
func (w *Ownership) end(t *tenure, to stage) (ended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case t.stage == held:
		close(t.over)
	case t.stage == leaving && to == lost:
	default:
		return false
	}
	t.stage = to
	return true
}

// fenced drops a shard whose lease has been ended: another coordinator has taken the shard, or
// it was handed over and is free. row, if known, is its row.
func (w *Ownership) fenced(t *tenure, row *shard.Lease) {
	if !w.end(t, lost) {
		return
	}
	w.mu.Lock()
	w.duplicated[t.shard] = true
	w.mu.Unlock()
	switch {
	case row == nil:
		w.o.Log.Error("shard is no longer ours", "shard", t.shard, "term", t.lease.Term)
	case row.Node == "":
		w.o.Log.Info("shard was handed over, and is claimed anew", "shard", t.shard, "term", t.lease.Term, "taken_from_v1", !row.Taken.IsZero())
	default:
		w.o.Log.Error("shard lost to another owner", "shard", t.shard, "term", t.lease.Term, "owner", row.Node)
	}
}

// release tries to release a shard, whose checks were made until left, in the store until that
// succeeds or the lease has ended. It reports false when ctx ends first.
func (w *Ownership) release(ctx context.Context, t *tenure, left time.Time) bool {
	over, cancel := context.WithDeadline(ctx, t.renewed.Add(ttl))
	defer cancel()
	for w.giveBack(over, t.lease, left) != nil && pause.For(over, retry) {
	}
	return ctx.Err() == nil
}

// giveBack releases a lease in the store once, and logs its error. left is until when the checks
// of its shard were made.
func (w *Ownership) giveBack(ctx context.Context, l shard.Lease, left time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	l.Expires = left
	err := w.o.Store.ReleaseShard(ctx, l)
	if err != nil {
		w.o.Log.Warn("releasing a shard failed", "shard", l.Shard, "error", err)
	}
	return err
}

// releaseAll releases all shards concurrently. It retires us first, so that the others do
// not leave the shards to us.
func (w *Ownership) releaseAll(ctx context.Context) {
	left := time.Now()
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	if w.o.Members != nil {
		if err := w.o.Members.Retire(ctx, w.o.Node); err != nil {
			w.o.Log.Warn("retiring failed", "error", err)
		}
	}
	w.mu.Lock()
	var leases []shard.Lease
	for _, t := range w.held {
		leases = append(leases, t.lease)
	}
	clear(w.held)
	w.mu.Unlock()
	var g errgroup.Group
	g.SetLimit(2 * calls)
	for _, l := range leases {
		g.Go(func() error { return w.giveBack(ctx, l, left) })
	}
	_ = g.Wait() // giveBack has logged each error
}
