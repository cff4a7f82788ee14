package ownership

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/obs"
	"github.com/Automattic/jetmon/internal/pause"
)

// The times of a lease.
const (
	// ttl is how long a lease lasts.
	ttl = 15 * time.Second
	// renewEvery is the time between renewals; a lease that could not be renewed for SureFor
	// is uncertain.
	renewEvery = 5 * time.Second
	SureFor    = 10 * time.Second
	// lookEvery is the time between two rounds of sharing.
	lookEvery = time.Second

	// retry is the time between renewals while one fails.
	retry = time.Second
	// grace is the time for which expired leases of others are not claimed after the
	// database was away for longer than renewEvery: their owners try to renew them every
	// second, with a timeout of 4 s.
	grace       = 6 * time.Second
	callTimeout = 4 * time.Second
	// releaseTime bounds the release of all shards at the end; later they expire anyway.
	releaseTime = time.Second
)

const (
	// calls bounds the concurrent calls of one kind to the store.
	calls = 8
	// handing bounds the shards that are given up at once.
	handing = 4
)

// Options for New.
type Options struct {
	Store store.Ownership
	// Members lists the other coordinators; nil when there can be none.
	Members        store.Members
	Node, Endpoint string
	// First and Last bound the shards to take, both included.
	First, Last shard.ID
	// Voice is who hears of the shards' changes. If it is OnTrial, Sample is 1 for a trial of
	// all sites, n for one of one site in n.
	Voice  shard.Voice
	Sample int
	Log    *slog.Logger
}

// Tenant receives the shards that come and go. Ownership calls Gained and Lost concurrently
// for different shards.
type Tenant interface {
	// Gained is called as soon as a shard is ours. It must not block.
	Gained(shard.ID)
	// Lost is called when a shard is lost, or about to go to another owner: while Fence
	// reports true it can still be written to. It must not take longer than a few seconds.
	Lost(shard.ID)
	// Settled is called once, when all shards that were free at the start have been gained.
	// It is not called while the database is away.
	Settled()
}

// Ownership holds the leases of one coordinator. It is a shard.Holder.
type Ownership struct {
	o       Options
	tenant  Tenant // Run's
	tenants sync.WaitGroup

	mu   sync.Mutex
	held map[shard.ID]*tenure
	// duplicated marks shards that were taken over, perhaps by a second process under our own
	// name: its lease must end before we claim the shard again.
	duplicated map[shard.ID]bool
	// past has the last term in which each shard was ours: a row in our name with that term
	// or an earlier one is stale.
	past [shard.Count]uint64
	// directory is as of the last read, without our own leases.
	directory shard.Directory
	reading   reading
	// announced is the time of our last successful announcement, written that of the last
	// write that the database took from us.
	announced, written time.Time

	// Invariant: only Run's goroutine uses the fields below.

	// seen is when the database last answered a round of sharing. Until cautious, expired
	// leases of others are not claimed.
	seen, cautious time.Time
	sharing        obs.Edge
}

var _ shard.Holder = (*Ownership)(nil)

// New makes an Ownership of no shards; Run claims them.
func New(o Options) *Ownership {
	return &Ownership{
		o: o, held: map[shard.ID]*tenure{}, duplicated: map[shard.ID]bool{}, reading: newReading(),
		sharing: obs.Edge{Log: o.Log, What: "sharing shards", Level: slog.LevelWarn},
	}
}

// Fence returns the fence of a shard, zero when the shard is not ours, and reports whether
// our ownership is certain at this moment, so that the shard may be written to.
func (w *Ownership) Fence(s shard.ID) (shard.Fence, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.held[s]
	if t == nil || !t.ours() {
		return shard.Fence{}, false
	}
	return t.lease.Fence(), t.provable(time.Now())
}

// Held returns the tenures of our shards, all at one moment.
func (w *Ownership) Held() (h shard.Held) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for s, t := range w.held {
		if t.ours() {
			h[s] = shard.Tenure{Term: t.lease.Term, Sure: t.provable(now), Leaving: t.stage == leaving, Renewed: t.renewed, Idle: t.idle, Voice: w.o.Voice.Of(t.lease)}
		}
	}
	return h
}

// Written is when the database last took a write of ours, a renewal or an announcement,
// of which one is due every renewEvery; zero while it has taken none. What it took late counts
// from when it was sent.
func (w *Ownership) Written() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written
}

// Run claims, renews and shares shards for a tenant until ctx ends, then gives them back.
// It is called once.
func (w *Ownership) Run(ctx context.Context, t Tenant) error {
	w.tenant = t
	w.seen = time.Now()
	w.announced = w.seen
	announced := w.announce(ctx) == nil
	var others sync.WaitGroup
	others.Go(func() { w.renewing(ctx, announced) })
	others.Go(func() { w.refreshing(ctx) })
	settled := sync.OnceFunc(t.Settled)
	for ctx.Err() == nil {
		next := time.Now().Add(lookEvery)
		if err := w.share(ctx); err == nil || w.holds() {
			settled()
		}
		pause.Until(ctx, next)
	}
	others.Wait()
	w.tenants.Wait()
	w.releaseAll(context.WithoutCancel(ctx))
	return nil
}

// holds reports whether we have any shard.
func (w *Ownership) holds() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.held) > 0
}
