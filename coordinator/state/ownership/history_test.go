package ownership_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/test/mariadb"
	"github.com/Automattic/jetmon/test/seeds"
)

// verb is what was asked of a store about one lease.
type verb int

const (
	claim verb = iota
	renew
	release
	read
)

// question is one call; times are in ms of a clock of the test's own.
type question struct {
	verb  verb
	shard shard.ID
	node  string
	term  uint64 // of renew and release
	now   int64  // of claim
	until int64  // of claim and renew
}

// answer is what came back. Err is empty, or one of these.
type answer struct {
	err   string
	lease row
	// raced: a refused claim came at the same time as another write.
	raced bool
}

const (
	conflict = "conflict"
	fenced   = "fenced"
	unknown  = "unknown" // done or not
)

// row is the model: all that there is to know of a lease.
type row struct {
	node  string
	term  uint64
	until int64
}

// step is what a store has to do, one call after the other.
func step(s row, q question, a answer) (bool, row) {
	switch q.verb {
	case claim:
		free := s.node == "" || s.node == q.node || s.until <= q.now
		next := row{q.node, s.term + 1, q.until}
		switch {
		case a.err == conflict:
			return !free || a.raced, s
		case a.err == "":
			return free && a.lease == next, next
		case free:
			return a.err == unknown, next
		default:
			return a.err == unknown, s
		}
	case renew:
		ours := q.node != "" && s.node == q.node && s.term == q.term
		next := row{q.node, q.term, q.until}
		switch {
		case a.err == fenced:
			return !ours, s
		case a.err == "":
			return ours && a.lease == next, next
		case ours:
			return a.err == unknown, next
		default:
			return a.err == unknown, s
		}
	case release:
		if s.node == q.node && s.term == q.term {
			s = row{term: s.term}
		}
		return a.err == "" || a.err == unknown, s
	default:
		return a.err == unknown || a.lease == s, s
	}
}

// model is step, a shard at a time.
func model() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			var out [shard.Count][]porcupine.Operation
			for _, o := range history {
				s := o.Input.(question).shard
				out[s] = append(out[s], o)
			}
			return slices.DeleteFunc(out[:], func(p []porcupine.Operation) bool { return len(p) == 0 })
		},
		Init: func() any { return row{} },
		Step: func(s, q, a any) (bool, any) { return step(s.(row), q.(question), a.(answer)) },
		DescribeOperation: func(q, a any) string {
			return fmt.Sprintf("%+v -> %+v", q, a)
		},
	}
}

// recorder has clients quarrel about a few shards, and writes down what they asked and heard.
type recorder struct {
	store store.Ownership
	began time.Time
	clock atomic.Int64 // ms
	// hurry is the share of calls that are given too little time.
	hurry float64

	mu      sync.Mutex
	history []porcupine.Operation
}

const (
	quarrelled = 2 // shards
	clients    = 6
	names      = 4 // so two names are of two clients each
	leaseFor   = 40
)

func instant(ms int64) time.Time { return time.UnixMilli(1_700_000_000_000 + ms).UTC() }

func rowOf(l shard.Lease) row {
	if l.Node == "" {
		return row{term: l.Term}
	}
	return row{l.Node, l.Term, l.Expires.UnixMilli() - 1_700_000_000_000}
}

// client asks at random, with leases that it has and ones that it had.
func (r *recorder) client(ctx context.Context, id, calls int, rng *rand.Rand) {
	node := fmt.Sprint("n", id%names)
	var had [quarrelled][]shard.Lease
	for range calls {
		now := r.clock.Add(rng.Int64N(8)) - rng.Int64N(4)
		s := shard.ID(rng.IntN(quarrelled))
		q := question{verb: verb(rng.IntN(4)), shard: s, node: node, now: now, until: now + leaseFor}
		lease := shard.Lease{Shard: s, Node: node, Term: uint64(rng.IntN(4))}
		if n := len(had[s]); n > 0 && rng.IntN(8) > 0 {
			lease = had[s][max(0, n-1-rng.IntN(2))]
		}
		q.term = lease.Term
		patience := 20 * time.Second
		if rng.Float64() < r.hurry {
			patience = time.Duration(rng.IntN(1500)) * time.Microsecond
		}
		if got := r.ask(ctx, id, q, lease, patience); got.Term > 0 {
			had[s] = append(had[s], got)
		}
	}
}

func (r *recorder) ask(ctx context.Context, id int, q question, lease shard.Lease, patience time.Duration) (got shard.Lease) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var all []shard.Lease
	var err error
	call := time.Since(r.began)
	switch q.verb {
	case claim:
		got, err = r.store.ClaimShard(ctx, q.shard, shard.Owner{Node: q.node, TTL: leaseFor * time.Millisecond}, instant(q.now))
	case renew:
		got, err = r.store.RenewShard(ctx, lease, instant(q.until))
	case release:
		err = r.store.ReleaseShard(ctx, lease)
	case read:
		all, err = r.store.ListShards(ctx)
	}
	back := int64(time.Since(r.began))
	a := answer{lease: rowOf(got)}
	switch {
	case fault.Is(err, fault.Conflict):
		a.err = conflict
	case fault.Is(err, fault.Fenced):
		a.err = fenced
	case err != nil:
		a.err, back = unknown, math.MaxInt64 // it may still happen
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	add := func(q question, a answer) {
		r.history = append(r.history, porcupine.Operation{ClientId: id, Input: q, Call: int64(call), Output: a, Return: back})
	}
	if q.verb != read {
		add(q, a)
		return got
	}
	for s := range shard.ID(quarrelled) {
		i := slices.IndexFunc(all, func(l shard.Lease) bool { return l.Shard == s })
		if q.shard, a.lease = s, (row{}); i >= 0 {
			a.lease = rowOf(all[i])
		}
		if err == nil {
			add(q, a)
		}
	}
	return shard.Lease{}
}

// record runs the clients and returns the history.
func (r *recorder) record(ctx context.Context, seed uint64, calls int) []porcupine.Operation {
	r.began = time.Now()
	var all sync.WaitGroup
	for id := range clients {
		all.Go(func() { r.client(ctx, id, calls, rand.New(rand.NewPCG(seed, uint64(id)))) })
	}
	all.Wait()
	slices.SortFunc(r.history, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	return r.history
}

// excuse marks refused claims that overlapped another write of the shard: a store may
// find that a row has changed under its hands, and say no though it is free again.
func excuse(history []porcupine.Operation) {
	for i := range history {
		q, a := history[i].Input.(question), history[i].Output.(answer)
		if a.err != conflict {
			continue
		}
		for j, o := range history {
			other := o.Input.(question)
			if i != j && other.shard == q.shard && other.verb != read && o.Call <= history[i].Return && o.Return >= history[i].Call {
				a.raced = true
			}
		}
		history[i].Output = a
	}
}

func tally(history []porcupine.Operation) string {
	n := map[string]int{}
	for _, o := range history {
		n[o.Output.(answer).err]++
	}
	return fmt.Sprintf("%d calls: %d done, %d conflicts, %d fenced, %d unknown", len(history), n[""], n[conflict], n[fenced], n[unknown])
}

// linearizable checks a history; there are few unknown answers, so a minute is plenty.
func linearizable(t *testing.T, history []porcupine.Operation) bool {
	t.Helper()
	result := porcupine.CheckOperationsTimeout(model(), history, time.Minute)
	if result == porcupine.Unknown {
		t.Fatal("the history could not be checked within a minute")
	}
	return result == porcupine.Ok
}

func TestLeasesInMemoryAreLinearizable(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for n := range uint64(20) {
			l := &link{registry: newRegistry(), faults: faults{lost: 0.02}, rng: rand.New(rand.NewPCG(seed, n))}
			h := (&recorder{store: l}).record(t.Context(), seed+n, 60)
			if !linearizable(t, h) {
				t.Fatalf("history %d is not: %s", n, tally(h))
			}
		}
	})
}

func TestLeasesInDatabasesAreLinearizable(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for name, dsn := range map[string]func(*testing.T) string{
			"SQLite":  func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "jetmon.db") },
			"MariaDB": func(t *testing.T) string { return mariadb.Start(t) },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for n := range uint64(3) {
					db, err := sqlstore.Open(t.Context(), dsn(t), sqlstore.Options{Migrate: true})
					if err != nil {
						t.Fatal(err)
					}
					h := (&recorder{store: db, hurry: 0.04}).record(t.Context(), seed+n, 50)
					excuse(h)
					if err := db.Close(); err != nil {
						t.Error(err)
					}
					t.Log(tally(h))
					if !linearizable(t, h) {
						t.Fatalf("history %d is not", n)
					}
				}
			})
		}
	})
}

// broken is a registry with one mistake.
type broken struct {
	*registry
	mistake string
}

func (b *broken) ClaimShard(ctx context.Context, s shard.ID, o shard.Owner, now time.Time) (shard.Lease, error) {
	b.mu.Lock()
	was := b.leases[s]
	switch b.mistake {
	case "claims what is held":
		now = now.Add(leaseFor * time.Millisecond / 2)
		o.TTL -= leaseFor * time.Millisecond / 2
	case "looks, and then leaps":
		b.mu.Unlock()
		for range 20 {
			runtime.Gosched() // others claim it meanwhile
		}
		b.mu.Lock()
		b.leases[s] = was
	}
	b.mu.Unlock()
	l, err := b.registry.ClaimShard(ctx, s, o, now)
	if err == nil && b.mistake == "does not raise the term of an owner" && was.Node == o.Node {
		b.mu.Lock()
		defer b.mu.Unlock()
		l.Term = was.Term
		b.leases[s] = l
	}
	return l, err
}

func (b *broken) RenewShard(ctx context.Context, l shard.Lease, expires time.Time) (shard.Lease, error) {
	asked := l
	if b.mistake == "renews by name only" {
		b.mu.Lock()
		l.Term = b.leases[l.Shard].Term
		b.mu.Unlock()
	}
	got, err := b.registry.RenewShard(ctx, l, expires)
	if err == nil {
		got.Term = asked.Term
	}
	return got, err
}

func (b *broken) ReleaseShard(ctx context.Context, l shard.Lease) error {
	if b.mistake == "releases another's" {
		b.mu.Lock()
		l = b.leases[l.Shard]
		b.mu.Unlock()
	}
	return b.registry.ReleaseShard(ctx, l)
}

// TestTheHistoryCheckFindsABrokenRegistry shows that the checker can say no.
func TestTheHistoryCheckFindsABrokenRegistry(t *testing.T) {
	t.Parallel()
	const most = 200
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for n := range uint64(5) {
			if h := (&recorder{store: &broken{newRegistry(), "none"}}).record(t.Context(), seed+n, 60); !linearizable(t, h) {
				t.Fatalf("without a mistake history %d is found out: %s", n, tally(h))
			}
		}
		for _, mistake := range []string{
			"claims what is held", "looks, and then leaps", "does not raise the term of an owner", "renews by name only", "releases another's",
		} {
			t.Run(mistake, func(t *testing.T) {
				t.Parallel()
				for n := range uint64(most) {
					h := (&recorder{store: &broken{newRegistry(), mistake}}).record(t.Context(), seed+n, 60)
					if !linearizable(t, h) {
						t.Logf("found out by history %d", n)
						return
					}
				}
				t.Errorf("%d histories pass", most)
			})
		}
	})
}
