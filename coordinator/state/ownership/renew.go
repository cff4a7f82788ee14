package ownership

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/fault"
)

// renewing renews all leases and our announcement until ctx ends. It waits for nothing
// but the store.
func (w *Ownership) renewing(ctx context.Context, good bool) {
	var t trouble
	for began := time.Now(); ; {
		every := Renew
		if !good {
			every = retry
		}
		if !pause(ctx, time.Until(began.Add(every))) {
			return
		}
		began = time.Now()
		err := w.renewAll(ctx)
		good = err == nil
		if ctx.Err() == nil {
			t.note(w.o.Log, "renewing the leases of shards", err)
		}
	}
}

// renewAll renews once what can be renewed before the next round is due, those first
// that had to wait longest. The error is that of one that failed.
func (w *Ownership) renewAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, Renew)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(calls)
	g.Go(func() error { return w.announce(ctx) })
	for _, t := range w.renewable() {
		g.Go(func() error { return w.renew(ctx, t) })
	}
	return g.Wait()
}

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

// announce says that we are there.
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

// self is what we say of ourselves.
func (w *Ownership) self(now time.Time) shard.Member {
	return shard.Member{Node: w.o.Node, Endpoint: w.o.Endpoint, First: w.o.First, Last: w.o.Last, Expires: now.Add(TTL)}
}

func (w *Ownership) renew(ctx context.Context, t *tenure) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// The lease runs from when it was asked for, not from when that was answered.
	began := time.Now()
	w.mu.Lock()
	lease := t.lease
	t.asked = began
	w.mu.Unlock()
	renewed, err := w.o.Store.RenewShard(ctx, lease, began.Add(TTL))
	if fault.Is(err, fault.Fenced) {
		w.fenced(t)
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

// wrote notes that the database took a write that was sent at a time. Its lock is
// Ownership.mu.
func (w *Ownership) wrote(sent time.Time) {
	if sent.After(w.written) {
		w.written = sent
	}
}

// trouble tells of a beginning and an end, and not of each time between.
type trouble struct {
	mu    sync.Mutex
	since time.Time
}

func (t *trouble) note(log *slog.Logger, what string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err != nil && t.since.IsZero() && !errors.Is(err, context.Canceled):
		t.since = time.Now()
		log.Warn(what+" fails", "err", err)
	case err == nil && !t.since.IsZero():
		log.Info(what+" works again", "after", time.Since(t.since).Round(time.Millisecond))
		t.since = time.Time{}
	}
}
