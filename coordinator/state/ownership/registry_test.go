package ownership_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// registry is a store of shards and members in memory.
type registry struct {
	mu      sync.Mutex
	leases  [shard.Count]shard.Lease
	members map[string]shard.Member
	claims  int // those that took a shard
	reads   int // of all shards
}

func newRegistry() *registry {
	r := &registry{members: map[string]shard.Member{}}
	for s := range r.leases {
		r.leases[s].Shard = shard.ID(s)
	}
	return r
}

func (r *registry) ClaimShard(_ context.Context, s shard.ID, o shard.Owner, now time.Time) (shard.Lease, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := &r.leases[s]
	if l.Node != "" && l.Node != o.Node && l.Expires.After(now) {
		return shard.Lease{}, fault.New(fault.Conflict, "held by %s", l.Node)
	}
	*l = shard.Lease{Shard: s, Node: o.Node, Endpoint: o.Endpoint, Term: l.Term + 1, Expires: now.Add(o.TTL), Taken: l.Taken}
	r.claims++
	return *l, nil
}

func (r *registry) RenewShard(_ context.Context, l shard.Lease, expires time.Time) (shard.Lease, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	have := &r.leases[l.Shard]
	if have.Term != l.Term || have.Node != l.Node || l.Node == "" {
		return shard.Lease{}, fault.New(fault.Fenced, "taken over")
	}
	have.Expires = expires
	return *have, nil
}

func (r *registry) ReleaseShard(_ context.Context, l shard.Lease) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if have := &r.leases[l.Shard]; have.Term == l.Term && have.Node == l.Node {
		*have = shard.Lease{Shard: l.Shard, Term: l.Term, Expires: l.Expires}
	}
	return nil
}

// handOver does what jetmon handover does to a shard.
func (r *registry) handOver(s shard.ID, taken time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leases[s] = shard.Lease{Shard: s, Term: r.leases[s].Term + 1, Taken: taken}
}

func (r *registry) ListShards(context.Context) ([]shard.Lease, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads++
	var out []shard.Lease
	for _, l := range r.leases {
		if l.Term > 0 {
			out = append(out, l)
		}
	}
	return out, nil
}

func (r *registry) Announce(_ context.Context, m shard.Member) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members[m.Node] = m
	return nil
}

func (r *registry) Retire(_ context.Context, node string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.members, node)
	return nil
}

func (r *registry) ListMembers(_ context.Context, now time.Time) ([]shard.Member, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []shard.Member
	for _, m := range r.members {
		if m.Expires.After(now) {
			out = append(out, m)
		}
	}
	return out, nil
}

// claimed counts the claims so far.
func (r *registry) claimed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.claims
}

// read counts the readings of all shards so far.
func (r *registry) read() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reads
}

// link is one instance's way to the registry, which can be bad.
type link struct {
	*registry
	mu     sync.Mutex
	faults faults
	rng    *rand.Rand
	resume chan struct{} // closed when a paused process goes on
}

// faults is how bad a link is.
type faults struct {
	// away: nothing gets through. readOnly: what writes fails.
	away, readOnly bool
	// lost is the share of calls whose answer is lost after they were done; 0..1.
	lost float64
	// slow is how long a call takes, half of it before anything is done.
	slow time.Duration
	// late delays the result of a read, which itself happens at once.
	late time.Duration
}

func (l *link) set(f faults) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = f
}

// pause stops the process in whatever it asks the store, as SIGSTOP would.
func (l *link) pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.resume == nil {
		l.resume = make(chan struct{})
	}
}

// goOn ends a pause.
func (l *link) goOn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.resume != nil {
		close(l.resume)
		l.resume = nil
	}
}

func (l *link) paused() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.resume != nil
}

// stopped waits while the process is paused; its context may end, but it does not see that.
func (l *link) stopped() {
	l.mu.Lock()
	c := l.resume
	l.mu.Unlock()
	if c != nil {
		<-c
	}
}

// through does one call with the faults of the link.
func through[T any](ctx context.Context, l *link, writes bool, call func() (T, error)) (T, error) {
	var none T
	l.stopped()
	l.mu.Lock()
	f := l.faults
	lost := f.lost > 0 && l.rng.Float64() < f.lost
	l.mu.Unlock()
	if f.away || f.readOnly && writes {
		return none, fault.New(fault.Unavailable, "away")
	}
	before, behind := f.slow/2, f.slow-f.slow/2
	if f.late > 0 && !writes {
		before, behind = 0, f.late
	}
	if before > 0 {
		select {
		case <-ctx.Done():
			return none, fault.New(fault.Unavailable, "too slow: %w", ctx.Err())
		case <-time.After(before):
		}
	}
	l.stopped()
	if ctx.Err() != nil {
		return none, fault.New(fault.Unavailable, "given up: %w", ctx.Err())
	}
	out, err := call()
	if behind > 0 {
		select {
		case <-ctx.Done():
			lost = true
		case <-time.After(behind):
		}
	}
	l.stopped() // the answer has come; it is read when the process goes on
	if lost {
		return none, fault.New(fault.Unavailable, "the answer was lost")
	}
	return out, err
}

func (l *link) ClaimShard(ctx context.Context, s shard.ID, o shard.Owner, now time.Time) (shard.Lease, error) {
	return through(ctx, l, true, func() (shard.Lease, error) { return l.registry.ClaimShard(ctx, s, o, now) })
}

func (l *link) RenewShard(ctx context.Context, lease shard.Lease, expires time.Time) (shard.Lease, error) {
	return through(ctx, l, true, func() (shard.Lease, error) { return l.registry.RenewShard(ctx, lease, expires) })
}

func (l *link) ReleaseShard(ctx context.Context, lease shard.Lease) error {
	_, err := through(ctx, l, true, func() (bool, error) { return true, l.registry.ReleaseShard(ctx, lease) })
	return err
}

func (l *link) ListShards(ctx context.Context) ([]shard.Lease, error) {
	return through(ctx, l, false, func() ([]shard.Lease, error) { return l.registry.ListShards(ctx) })
}

func (l *link) Announce(ctx context.Context, m shard.Member) error {
	_, err := through(ctx, l, true, func() (bool, error) { return true, l.registry.Announce(ctx, m) })
	return err
}

func (l *link) Retire(ctx context.Context, node string) error {
	_, err := through(ctx, l, true, func() (bool, error) { return true, l.registry.Retire(ctx, node) })
	return err
}

func (l *link) ListMembers(ctx context.Context, now time.Time) ([]shard.Member, error) {
	return through(ctx, l, false, func() ([]shard.Member, error) { return l.registry.ListMembers(ctx, now) })
}

// all lists the shards from..to, both included.
func all(from, to shard.ID) (out []shard.ID) {
	for s := from; s <= to; s++ {
		out = append(out, s)
	}
	return out
}
