package ownership

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
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
	// handing is how many shards are given up at once.
	handing = 4
)

// Options for New.
type Options struct {
	Store store.Ownership
	// Members tells who else is there; nil when nobody can be.
	Members        store.Members
	Node, Endpoint string
	// First and Last bound the shards to take, both included.
	First, Last shard.ID
	Log         *slog.Logger
}

// Tenant is told which shards come and go. Gained and Lost are called for several shards
// at once.
type Tenant interface {
	// Gained is called as soon as a shard is ours. It must not wait for anything.
	Gained(shard.ID)
	// Lost is called when a shard is ours no more, or is to be another's: while Fence is
	// true it can still be written to. It must not take longer than a few seconds.
	Lost(shard.ID)
	// Settled is called once, when each shard that could be had at first has been gained.
	// While the database is away that is not known.
	Settled()
}

// Ownership holds the leases of one coordinator. It is a shard.Holder.
type Ownership struct {
	o       Options
	tenant  Tenant // Run's
	tenants sync.WaitGroup

	mu   sync.Mutex
	held map[shard.ID]*tenure
	// twin says that a shard was taken over, perhaps by a second process under our own
	// name: that lease must end before we claim it again.
	twin map[shard.ID]bool
	// past is the last term in which a shard was ours: a row that still says so is old.
	past [shard.Count]uint64
	// directory is as last read.
	directory shard.Directory
	reading   reading
	// announced is when we last could say that we are there, written when the database
	// last took a write of ours.
	announced, written time.Time

	// What follows is Run's alone.

	// seen is when the database last answered a look, and cautious until when the leases
	// of others that have run out are let be.
	seen, cautious time.Time
	lookTrouble    trouble
}

var _ shard.Holder = (*Ownership)(nil)

// New makes an ownership of nothing; Run claims.
func New(o Options) *Ownership {
	return &Ownership{o: o, held: map[shard.ID]*tenure{}, twin: map[shard.ID]bool{}, reading: newReading()}
}

// Fence is the lease of a shard in the term in which it is ours, zero when it is not; and
// whether that is certain at this moment, so that the shard may be written to.
func (w *Ownership) Fence(s shard.ID) (shard.Fence, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.held[s]
	if t == nil || !t.ours() {
		return shard.Fence{}, false
	}
	return t.lease.Fence(), t.provable(time.Now())
}

// Held tells how the shards are ours, all at one moment.
func (w *Ownership) Held() (h shard.Held) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for s, t := range w.held {
		if t.ours() {
			h[s] = shard.Tenure{Term: t.lease.Term, Sure: t.provable(now), Leaving: t.stage == leaving, Renewed: t.renewed}
		}
	}
	return h
}

// Written is when the database last took a write of ours, a renewal or an announcement,
// of which one is due every Renew; zero while it has taken none. What it took late counts
// from when it was sent.
func (w *Ownership) Written() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written
}

// Run claims, renews and shares for a tenant until ctx ends, then gives back. It is called
// once.
func (w *Ownership) Run(ctx context.Context, t Tenant) error {
	w.tenant = t
	w.seen = time.Now()
	w.announced = w.seen
	there := w.announce(ctx) == nil
	var beside sync.WaitGroup
	beside.Go(func() { w.renewing(ctx, there) })
	beside.Go(func() { w.refreshing(ctx) })
	settled := sync.OnceFunc(t.Settled)
	for ctx.Err() == nil {
		next := time.Now().Add(Look)
		if err := w.look(ctx); err == nil || w.holds() {
			settled()
		}
		pause(ctx, time.Until(next))
	}
	beside.Wait()
	w.tenants.Wait()
	w.releaseAll(context.WithoutCancel(ctx))
	return nil
}

// holds reports whether any shard is in hand.
func (w *Ownership) holds() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.held) > 0
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
