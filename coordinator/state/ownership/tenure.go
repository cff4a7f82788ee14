package ownership

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// stage is how far a tenure is.
type stage int

const (
	// held: ours.
	held stage = iota
	// leaving: to be given up, still ours until Lost has returned.
	leaving
	// lost: somebody else's.
	lost
	// releasing: nothing is done with it any more, and the store is to know.
	releasing
)

// tenure is the time for which a shard is ours.
type tenure struct {
	shard shard.ID
	// over is closed when the stage is held no more.
	over chan struct{}

	// What follows is guarded by Ownership.mu.

	lease shard.Lease
	// renewed is when the last successful renewal was sent, asked when the last one was.
	renewed, asked time.Time // monotonic
	stage          stage
}

// ours says whether a shard is still ours, surely or not. Its lock is Ownership.mu.
func (t *tenure) ours() bool { return t.stage == held || t.stage == leaving }

// provable says whether a lease can be relied on at now. Its lock is Ownership.mu.
func (t *tenure) provable(now time.Time) bool {
	return t.ours() && now.Sub(t.renewed) <= Self
}

// take begins a tenure with a lease that was claimed at began.
func (w *Ownership) take(run context.Context, lease shard.Lease, began time.Time) {
	t := &tenure{shard: lease.Shard, over: make(chan struct{}), lease: lease, renewed: began, asked: began}
	w.mu.Lock()
	w.held[t.shard] = t
	delete(w.twin, t.shard)
	w.wrote(began)
	w.mu.Unlock()
	w.tenant.Gained(t.shard)
	w.tenants.Go(func() { w.serve(run, t) }) // now: Lost comes after Gained
}

// serve ends a tenure when it is over.
func (w *Ownership) serve(run context.Context, t *tenure) {
	select {
	case <-t.over:
	case <-run.Done():
	}
	if run.Err() != nil {
		return // Run gives everything back
	}
	w.tenant.Lost(t.shard)
	w.mu.Lock()
	given := t.stage == leaving
	if given {
		t.stage = releasing
	}
	w.mu.Unlock()
	if given && !w.release(run, t) {
		return
	}
	w.mu.Lock()
	delete(w.held, t.shard)
	w.past[t.shard] = t.lease.Term
	w.mu.Unlock()
}

// end takes a shard that is ours out of use: because it is to leave, or is lost.
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

// fenced drops a shard that somebody else has.
func (w *Ownership) fenced(t *tenure) {
	if !w.end(t, lost) {
		return
	}
	w.mu.Lock()
	w.twin[t.shard] = true
	w.mu.Unlock()
	w.o.Log.Error("lost a shard to another owner", "shard", t.shard, "term", t.lease.Term)
}

// release tells the store that a shard is free, until it knows or the lease has ended.
// It answers false when ctx ends before.
func (w *Ownership) release(ctx context.Context, t *tenure) bool {
	over, cancel := context.WithDeadline(ctx, t.renewed.Add(TTL))
	defer cancel()
	for w.giveBack(over, t.lease) != nil && pause(over, retry) {
	}
	return ctx.Err() == nil
}

func (w *Ownership) giveBack(ctx context.Context, l shard.Lease) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := w.o.Store.ReleaseShard(ctx, l)
	if err != nil {
		w.o.Log.Warn("could not give a shard back", "shard", l.Shard, "err", err)
	}
	return err
}

// releaseAll gives everything back at once. We are taken off first, so that the others
// do not leave the shards to us.
func (w *Ownership) releaseAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	if w.o.Members != nil {
		if err := w.o.Members.Retire(ctx, w.o.Node); err != nil {
			w.o.Log.Warn("could not say that we are leaving", "err", err)
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
		g.Go(func() error { return w.giveBack(ctx, l) })
	}
	_ = g.Wait() // each said for itself what went wrong
}
