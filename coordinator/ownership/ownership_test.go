package ownership

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// registry is the shards table of a store in memory.
type registry struct {
	mu     sync.Mutex
	leases map[store.ShardID]store.Lease
	away   bool
}

func (r *registry) call() (func(), error) {
	r.mu.Lock()
	if r.away {
		return r.mu.Unlock, fault.New(fault.Unavailable, "away")
	}
	return r.mu.Unlock, nil
}

func (r *registry) ClaimShard(_ context.Context, s store.ShardID, o store.Owner, now time.Time) (store.Lease, error) {
	done, err := r.call()
	defer done()
	if err != nil {
		return store.Lease{}, err
	}
	l := r.leases[s]
	if l.Node != "" && l.Node != o.Node && l.Expires.After(now) {
		return store.Lease{}, fault.New(fault.Conflict, "held by %s", l.Node)
	}
	l = store.Lease{Shard: s, Node: o.Node, Endpoint: o.Endpoint, Term: l.Term + 1, Expires: now.Add(o.TTL)}
	r.leases[s] = l
	return l, nil
}

func (r *registry) RenewShard(_ context.Context, l store.Lease, expires time.Time) (store.Lease, error) {
	done, err := r.call()
	defer done()
	if err != nil {
		return store.Lease{}, err
	}
	if r.leases[l.Shard].Term != l.Term {
		return store.Lease{}, fault.New(fault.Fenced, "taken over")
	}
	l.Expires = expires
	r.leases[l.Shard] = l
	return l, nil
}

func (r *registry) ReleaseShard(_ context.Context, l store.Lease) error {
	done, err := r.call()
	defer done()
	if err == nil && r.leases[l.Shard].Term == l.Term {
		r.leases[l.Shard] = store.Lease{Shard: l.Shard, Term: l.Term}
	}
	return err
}

func (r *registry) ListShards(context.Context) ([]store.Lease, error) {
	done, err := r.call()
	defer done()
	var out []store.Lease
	for _, l := range r.leases {
		out = append(out, l)
	}
	return out, err
}

// owner runs an Ownership of shards 0 and 1 inside a synctest bubble.
type owner struct {
	*Ownership
	gained, lost []store.ShardID
	settled      int
	cancel       context.CancelFunc
	ran          chan error
}

func start(r *registry, node string) *owner {
	w := &owner{ran: make(chan error, 1)}
	w.Ownership = New(Options{
		Store: r, Node: node, Shards: []store.ShardID{0, 1}, Log: slog.New(slog.DiscardHandler),
		Gained:  func(_ context.Context, s store.ShardID) error { w.gained = append(w.gained, s); return nil },
		Lost:    func(s store.ShardID) { w.lost = append(w.lost, s) },
		Settled: func() { w.settled++ },
	})
	var ctx context.Context
	ctx, w.cancel = context.WithCancel(context.Background())
	go func() { w.ran <- w.Run(ctx) }()
	synctest.Wait()
	return w
}

func (w *owner) end(t *testing.T) {
	t.Helper()
	w.cancel()
	if err := <-w.ran; err != nil {
		t.Error(err)
	}
}

func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestAnOwnerKeepsItsShardsAndGivesThemBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &registry{leases: map[store.ShardID]store.Lease{}}
		w := start(r, "a")
		after(time.Hour)
		if !slices.Equal(w.Owned(), []store.ShardID{0, 1}) || len(w.gained) != 2 || len(w.lost) != 0 || w.settled != 1 {
			t.Fatalf("owned %v, gained %v, lost %v, settled %d", w.Owned(), w.gained, w.lost, w.settled)
		}
		if f, ok := w.Fence(1); !ok || f != (store.Fence{Shard: 1, Node: "a", Term: 1}) {
			t.Errorf("fence %+v %v", f, ok)
		}
		if _, ok := w.Fence(2); ok {
			t.Error("fence of a shard that is not ours")
		}
		w.end(t)
		b := start(r, "b")
		if len(b.Owned()) != 2 {
			t.Error("the shards were not given back")
		}
		b.end(t)
	})
}

func TestAKilledOwnerIsFollowedWithinTwentySeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &registry{leases: map[store.ShardID]store.Lease{
			0: {Shard: 0, Node: "dead", Term: 7, Expires: time.Now().Add(TTL)},
		}}
		w := start(r, "a")
		if slices.Contains(w.Owned(), 0) {
			t.Fatal("took a shard that is somebody else's")
		}
		after(20 * time.Second)
		if f, ok := w.Fence(0); !ok || f.Term != 8 {
			t.Errorf("fence %+v %v", f, ok)
		}
		w.end(t)
	})
}

func TestAnOwnerThatCannotRenewStopsBeforeItsLeaseEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &registry{leases: map[store.ShardID]store.Lease{}}
		w := start(r, "a")
		r.mu.Lock()
		r.away = true
		r.mu.Unlock()
		after(Self + time.Millisecond)
		if _, ok := w.Fence(0); ok {
			t.Error("still believes to own it")
		}
		after(2 * Renew)
		if len(w.lost) != 2 {
			t.Errorf("lost %v", w.lost)
		}
		r.mu.Lock()
		r.away = false
		r.mu.Unlock()
		after(Renew)
		if len(w.Owned()) != 2 || len(w.gained) != 4 {
			t.Errorf("owned %v, gained %v", w.Owned(), w.gained)
		}
		w.end(t)
	})
}

func TestASecondProcessUnderOurNameIsNotFought(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &registry{leases: map[store.ShardID]store.Lease{}}
		first := start(r, "a")
		second := start(r, "a")
		after(time.Minute)
		if len(first.Owned()) != 0 || len(second.Owned()) != 2 || len(second.gained) != 2 {
			t.Fatalf("first owns %v, second %v after gaining %v", first.Owned(), second.Owned(), second.gained)
		}
		second.end(t)
		after(20 * time.Second)
		if len(first.Owned()) != 2 {
			t.Error("the first does not take over when the second is gone")
		}
		first.end(t)
	})
}
