package ownership

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/obs"
	"github.com/Automattic/jetmon/internal/pause"
)

// renewing renews all leases and our announcement until ctx ends. It waits for nothing
// but the store. good reports whether the last attempt succeeded.
func (w *Ownership) renewing(ctx context.Context, good bool) {
	edge := obs.Edge{Log: w.o.Log, What: "renewing leases", Level: slog.LevelWarn}
	for began := time.Now(); ; {
		every := renewEvery
		if !good {
			every = retry
		}
		if !pause.Until(ctx, began.Add(every)) {
			return
		}
		began = time.Now()
		err := w.renewAll(ctx)
		good = err == nil
		if ctx.Err() == nil {
			edge.Note(err)
		}
	}
}

// renewAll renews once the leases that it can renew before the next round is due, those
// that have waited longest first. It returns the first error.
func (w *Ownership) renewAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, renewEvery)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(calls)
	g.Go(func() error { return w.announce(ctx) })
	for _, t := range w.renewable() {
		g.Go(func() error { return w.renew(ctx, t) })
	}
	return g.Wait()
}

// renewable lists the tenures of our shards, those whose last renewal is oldest first.
func (w *Ownership) renewable() []*tenure {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*tenure
	for _, t := range w.held {
		if t.ours() {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *tenure) int { return a.asked.Compare(b.asked) })
	return out
}

// announce extends our membership.
func (w *Ownership) announce(ctx context.Context) error {
	if w.o.Members == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	now := time.Now()
	err := w.o.Members.Announce(ctx, w.self(now))
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.announced = now
	w.wrote(now)
	return nil
}

// self returns our own membership.
func (w *Ownership) self(now time.Time) shard.Member {
	return shard.Member{Node: w.o.Node, Endpoint: w.o.Endpoint, First: w.o.First, Last: w.o.Last, Expires: now.Add(ttl)}
}

// renew renews one lease. A tenure whose lease is fenced ends without an error.
func (w *Ownership) renew(ctx context.Context, t *tenure) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// The lease runs from the request, not from the answer.
	began := time.Now()
	w.mu.Lock()
	lease := t.lease
	t.asked = began
	w.mu.Unlock()
	renewed, err := w.o.Store.RenewShard(ctx, lease, began.Add(ttl))
	if fault.Is(err, fault.Fenced) {
		w.fenced(t, nil)
		return nil
	}
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrote(began)
	if t.ours() {
		t.lease, t.renewed = renewed, began
	}
	return nil
}

// wrote records that the database took a write that was sent at a time. The caller holds mu.
func (w *Ownership) wrote(sent time.Time) {
	if sent.After(w.written) {
		w.written = sent
	}
}
