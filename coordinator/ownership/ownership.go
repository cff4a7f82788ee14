package ownership

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/store"
)

// The times of a lease.
const (
	TTL = 15 * time.Second
	// Renew is the time between renewals, Self when to stop trusting a lease that
	// could not be renewed.
	Renew = 5 * time.Second
	Self  = 10 * time.Second
	// Look is the time between two looks at who is there and who has what.
	Look = time.Second

	// retry is the time between renewals while one fails.
	retry = time.Second
	// grace is for how long leases that have run out are let be after the database was
	// out of sight for longer than Renew: a renewal is tried every second, for 4 s.
	grace       = 6 * time.Second
	callTimeout = 4 * time.Second
	// releaseTime bounds giving all shards back; they expire by themselves besides.
	releaseTime = time.Second
)

const (
	// calls is how many calls of one kind go to the store at once.
	calls = 8
	// loaders is how many shards are loaded at once, handing how many are given up.
	loaders = 4
	handing = 4
)

// Options for New.
type Options struct {
	Store store.Ownership
	// Members tells who else is there; nil when nobody can be.
	Members        store.Members
	Node, Endpoint string
	// First and Last bound the shards to take, both included.
	First, Last store.ShardID
	Log         *slog.Logger
	// Gained is called when a shard becomes ours, to load what it holds. When it fails it
	// is called again, until the shard is lost. Its ctx ends when the shard is lost.
	Gained func(context.Context, store.ShardID) error
	// Lost is called when a shard is ours no more, or is to be another's: while Fence is
	// true it can still be written to. It must not take longer than a few seconds.
	// Both are called for several shards at once.
	Lost func(store.ShardID)
	// Settled is called once, when each shard that could be had at first was loaded, or
	// loading it was tried.
	Settled func()
}

// Ownership holds the leases of one coordinator.
type Ownership struct {
	o       Options
	loading chan struct{} // one place for each load
	tenants sync.WaitGroup

	mu   sync.Mutex
	held map[store.ShardID]*tenure
	// twin says that a shard was taken over, perhaps by a second process under our own
	// name: that lease must end before we claim it again.
	twin map[store.ShardID]bool
	// past is the last term in which a shard was ours: a row that still says so is old.
	past   [store.Shards]uint64
	view   view
	counts Counts
	// announced is when we last could say that we are there.
	announced time.Time

	// What follows is Run's alone.

	// seen is when the database last answered a look, and cautious until when the leases
	// of others that have run out are let be.
	seen, cautious time.Time
	lookTrouble    trouble
}

// view is what was last read.
type view struct {
	members []store.Member
	leases  []store.Lease
}

// Counts are of events since the start, and of now.
type Counts struct {
	// Claimed shards, those lost to another owner, and those given up in order.
	Claimed, Fenced, Given uint64
	// Loading shards are ours and were not loaded yet; Unsure ones are ours for all we
	// know, and could not be renewed of late.
	Loading, Unsure int
	// UnsureSince is when that unsure shard was last renewed for which it is longest ago;
	// zero when none is unsure.
	UnsureSince time.Time
}

// New makes an ownership of nothing; Run claims.
func New(o Options) *Ownership {
	return &Ownership{
		o: o, loading: make(chan struct{}, loaders),
		held: map[store.ShardID]*tenure{}, twin: map[store.ShardID]bool{},
	}
}

// Fence proves that a shard is ours; false when it is not, or not surely.
func (w *Ownership) Fence(s store.ShardID) (store.Fence, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.held[s]
	if t == nil || !t.provable(time.Now()) {
		return store.Fence{}, false
	}
	return t.lease.Fence(), true
}

// Sure says whether a shard is ours for certain, and to stay.
func (w *Ownership) Sure(s store.ShardID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.held[s]
	return t != nil && t.stage == held && t.provable(time.Now())
}

// Term is the term in which a shard is ours, surely or not; 0 when it is not.
func (w *Ownership) Term(s store.ShardID) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.held[s]; t != nil && (t.stage == held || t.stage == leaving) {
		return t.lease.Term
	}
	return 0
}

// Owned lists the shards that are ours and to stay, in order. Those that are unsure are
// among them: ask Fence before writing.
func (w *Ownership) Owned() []store.ShardID {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []store.ShardID
	for s, t := range w.held {
		if t.stage == held {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

// Holds says whether a shard is ours, surely or not, and to stay. Who reads for a shard
// asks when the reading has begun: what has begun before Lost is Lost's to end.
func (w *Ownership) Holds(s store.ShardID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.held[s]
	return t != nil && t.stage == held
}

// Leases lists who has which shard, by shard, as last read; ours are as we know them.
func (w *Ownership) Leases() []store.Lease {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := slices.Clone(w.view.leases)
	for _, t := range w.held {
		if t.stage != held && t.stage != leaving {
			continue
		}
		i, found := slices.BinarySearchFunc(out, t.shard, func(l store.Lease, s store.ShardID) int { return cmp.Compare(l.Shard, s) })
		switch {
		case !found:
			out = slices.Insert(out, i, t.lease)
		case out[i].Term <= t.lease.Term:
			out[i] = t.lease
		}
	}
	return out
}

// Members lists the coordinators that were there when last read, by name.
func (w *Ownership) Members() []store.Member {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.view.members)
}

// Counts counts.
func (w *Ownership) Counts() Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.counts
	now := time.Now()
	for _, t := range w.held {
		if t.stage != held {
			continue
		}
		if !t.loaded {
			c.Loading++
		}
		if t.provable(now) {
			continue
		}
		c.Unsure++
		if c.UnsureSince.IsZero() || t.renewed.Before(c.UnsureSince) {
			c.UnsureSince = t.renewed
		}
	}
	return c
}

// Run claims, renews and shares until ctx ends, then gives back.
func (w *Ownership) Run(ctx context.Context) error {
	var others sync.WaitGroup
	w.seen = time.Now()
	w.announced = w.seen
	there := w.announce(ctx) == nil
	others.Go(func() { w.renewing(ctx, there) })
	for begun := false; ctx.Err() == nil; begun = true {
		next := time.Now().Add(Look)
		w.look(ctx)
		if !begun {
			waiting := w.tenures()
			others.Go(func() { w.settle(ctx, waiting) })
		}
		pause(ctx, time.Until(next))
	}
	others.Wait()
	w.tenants.Wait()
	w.releaseAll(context.WithoutCancel(ctx))
	return nil
}

// settle waits until each shard was tried.
func (w *Ownership) settle(ctx context.Context, waiting []*tenure) {
	for _, t := range waiting {
		select {
		case <-t.tried:
		case <-ctx.Done():
			return
		}
	}
	w.o.Settled()
}

// tenures lists what is in hand.
func (w *Ownership) tenures() []*tenure {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]*tenure, 0, len(w.held))
	for _, t := range w.held {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b *tenure) int { return cmp.Compare(a.shard, b.shard) })
	return out
}

// pause waits; false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
