package ownership

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/fault"
)

// The times of a lease.
const (
	TTL = 15 * time.Second
	// Renew is the time between renewals, Self when to stop trusting a lease that
	// could not be renewed.
	Renew = 5 * time.Second
	Self  = 10 * time.Second

	callTimeout = 4 * time.Second
	// releaseTime bounds giving all shards back; they expire by themselves besides.
	releaseTime = time.Second
)

// Options for New.
type Options struct {
	Store          store.Ownership
	Node, Endpoint string
	// Shards to own, a static range.
	Shards []store.ShardID
	Log    *slog.Logger
	// Gained is called when a shard becomes ours, Lost when it is ours no more.
	// Both are called from Run and may take their time.
	Gained func(context.Context, store.ShardID) error
	Lost   func(store.ShardID)
	// Settled is called once, when each shard was tried for the first time.
	Settled func()
}

// Ownership holds the leases of one coordinator.
type Ownership struct {
	o Options

	mu    sync.Mutex
	owned map[store.ShardID]holding
	// usurped says that a shard was taken over, perhaps by a second process under our
	// own name: its lease must expire before we claim it again. Only Run touches it.
	usurped map[store.ShardID]bool
}

type holding struct {
	lease   store.Lease
	renewed time.Time // monotonic
}

// New makes an ownership of nothing; Run claims.
func New(o Options) *Ownership {
	return &Ownership{o: o, owned: map[store.ShardID]holding{}, usurped: map[store.ShardID]bool{}}
}

// Fence proves that a shard is ours; false when it is not, or not surely.
func (w *Ownership) Fence(s store.ShardID) (store.Fence, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h, ok := w.owned[s]
	if !ok || time.Since(h.renewed) > Self {
		return store.Fence{}, false
	}
	return h.lease.Fence(), true
}

// Owned lists the shards that are ours, in order.
func (w *Ownership) Owned() []store.ShardID {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []store.ShardID
	for _, s := range w.o.Shards {
		if _, ok := w.owned[s]; ok {
			out = append(out, s)
		}
	}
	return out
}

// Run claims and renews until ctx ends, then gives back.
func (w *Ownership) Run(ctx context.Context) error {
	ticker := time.NewTicker(Renew)
	defer ticker.Stop()
	for settled := false; ; settled = true {
		for _, s := range w.o.Shards {
			if ctx.Err() == nil {
				w.keep(ctx, s)
			}
		}
		if !settled {
			w.o.Settled()
		}
		select {
		case <-ctx.Done():
			w.releaseAll(context.WithoutCancel(ctx))
			return nil
		case <-ticker.C:
		}
	}
}

// keep renews a shard that is ours, or tries to claim it.
func (w *Ownership) keep(ctx context.Context, s store.ShardID) {
	w.mu.Lock()
	h, owned := w.owned[s]
	w.mu.Unlock()
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	began := time.Now()
	if !owned {
		w.claim(ctx, call, s)
		return
	}
	lease, err := w.o.Store.RenewShard(call, h.lease, began.Add(TTL))
	switch {
	case err == nil:
		w.set(s, holding{lease, began})
	case fault.Is(err, fault.Fenced):
		w.o.Log.Error("lost a shard to another owner", "shard", s, "term", h.lease.Term)
		w.drop(s, true)
	default:
		w.o.Log.Warn("could not renew a shard", "shard", s, "err", err)
		if time.Since(h.renewed) > Self {
			w.drop(s, false)
		}
	}
}

func (w *Ownership) claim(ctx, call context.Context, s store.ShardID) {
	began := time.Now()
	if w.usurped[s] {
		leases, err := w.o.Store.ListShards(call)
		if err != nil {
			return
		}
		for _, l := range leases {
			if l.Shard == s && l.Expires.After(began) {
				return
			}
		}
	}
	lease, err := w.o.Store.ClaimShard(call, s, store.Owner{Node: w.o.Node, Endpoint: w.o.Endpoint, TTL: TTL}, began)
	switch {
	case fault.Is(err, fault.Conflict):
		return // somebody else's, until it expires
	case err != nil:
		if ctx.Err() == nil {
			w.o.Log.Warn("could not claim a shard", "shard", s, "err", err)
		}
		return
	}
	w.set(s, holding{lease, began})
	delete(w.usurped, s)
	if err := w.o.Gained(ctx, s); err != nil && ctx.Err() == nil {
		w.o.Log.Error("could not take a shard over", "shard", s, "err", err)
		w.drop(s, false)
	}
}

func (w *Ownership) set(s store.ShardID, h holding) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owned[s] = h
}

func (w *Ownership) drop(s store.ShardID, usurped bool) {
	w.mu.Lock()
	delete(w.owned, s)
	w.mu.Unlock()
	w.usurped[s] = usurped
	w.o.Lost(s)
}

func (w *Ownership) releaseAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	w.mu.Lock()
	owned := w.owned
	w.owned = map[store.ShardID]holding{}
	w.mu.Unlock()
	for s, h := range owned {
		if err := w.o.Store.ReleaseShard(ctx, h.lease); err != nil {
			w.o.Log.Warn("could not give a shard back", "shard", s, "err", err)
			return
		}
	}
}
