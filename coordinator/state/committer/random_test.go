package committer

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/test/seeds"
)

// moody is a store that behaves at random in every way that a store may.
type moody struct {
	t      *testing.T
	mu     sync.Mutex
	random *rand.Rand
	has    map[string]record.Committed
	// misfit has the keys of changes that it refuses.
	misfit map[string]error
	busy   map[shard.ID]bool
	groups int
	most   int
}

// mood is the course of one call.
type mood struct {
	takes        time.Duration
	before, lost bool // it fails before, or only seems to
	err          error
}

func (m *moody) mood() mood {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := mood{
		takes:  time.Duration(m.random.Int64N(int64(300 * time.Millisecond))),
		before: m.random.IntN(6) == 0, lost: m.random.IntN(10) == 0,
		err: fault.New(fault.Unavailable, "away"),
	}
	if m.random.IntN(20) == 0 {
		out.takes = time.Duration(m.random.Int64N(int64(15 * time.Second)))
	}
	if m.random.IntN(4) == 0 {
		out.err = fault.New(fault.Fenced, "another owner")
	}
	return out
}

func (m *moody) CommitAll(ctx context.Context, f shard.Fence, cs []record.Change) ([]store.CommitResult, error) {
	m.begin(f, cs)
	defer m.end(f)
	how := m.mood()
	select {
	case <-time.After(how.takes):
	case <-ctx.Done():
		return nil, fault.New(fault.Unavailable, "too slow: %w", ctx.Err())
	}
	if how.before {
		return nil, how.err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	results := make([]store.CommitResult, len(cs))
	for i, c := range cs {
		if err := m.misfit[c.Key]; err != nil {
			results[i].Err = err
			continue
		}
		if _, again := m.has[c.Key]; !again {
			m.has[c.Key] = record.Committed{OutageID: m.random.Int64()}
		}
		results[i].Committed = m.has[c.Key]
	}
	if how.lost {
		return nil, how.err
	}
	return results, nil
}

func (m *moody) begin(f shard.Fence, cs []record.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.busy[f.Shard] {
		m.t.Errorf("two groups of shard %d at once", f.Shard)
	}
	if len(cs) == 0 || len(cs) > maxGroup {
		m.t.Errorf("a group of %d", len(cs))
	}
	m.busy[f.Shard] = true
	m.groups++
	m.most = max(m.most, len(cs))
	for _, c := range cs {
		if shard.Of(c.Bucket) != f.Shard {
			m.t.Errorf("a change of bucket %d under the fence of shard %d", c.Bucket, f.Shard)
		}
	}
}

func (m *moody) end(f shard.Fence) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.busy[f.Shard] = false
}

func (m *moody) KeepBallot(context.Context, shard.Fence, record.Ballot) error { return nil }

func (m *moody) Site(_ context.Context, id check.SiteID) (record.Site, error) {
	if how := m.mood(); how.before {
		return record.Site{}, fault.New(fault.Unavailable, "away")
	}
	return record.Site{ID: id}, nil
}

// answers has the committer's results of all changes.
type answers struct {
	t         *testing.T
	mu        sync.Mutex
	committed map[string]record.Committed
	refused   map[string]bool
}

func (a *answers) Committed(c record.Change, done record.Committed) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, again := a.committed[c.Key]; again || a.refused[c.Key] {
		a.t.Errorf("%s is answered twice", c.Key)
	}
	a.committed[c.Key] = done
}

func (a *answers) Refused(c record.Change, _ *record.Site) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, again := a.committed[c.Key]; again || a.refused[c.Key] {
		a.t.Errorf("%s is answered twice", c.Key)
	}
	a.refused[c.Key] = true
}

// Whatever the store does, each change gets one correct result: a change that is reported as
// committed is, under its first outage id. Only changes of a shard that was lost may have no
// result.
func TestEveryChangeIsAnsweredOnceWhateverTheStoreDoes(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for round := range uint64(20) {
			t.Run(fmt.Sprint(round), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { tryWhatever(t, rand.New(rand.NewPCG(seed, round))) })
			})
		}
	})
}

// fickle is a holder that is uncertain at times.
type fickle struct {
	*shardtest.Holder
	sure func() bool
}

func (f fickle) Fence(s shard.ID) (shard.Fence, bool) {
	fence, _ := f.Holder.Fence(s)
	return fence, f.sure()
}

func tryWhatever(t *testing.T, random *rand.Rand) {
	const shards, changes = 6, 3000
	m := &moody{
		t: t, random: rand.New(rand.NewPCG(random.Uint64(), 0)),
		has: map[string]record.Committed{}, misfit: map[string]error{}, busy: map[shard.ID]bool{},
	}
	a := &answers{t: t, committed: map[string]record.Committed{}, refused: map[string]bool{}}
	held := shardtest.New()
	l := New(Options{
		Store: m, Workers: 1 + random.IntN(5), Log: slog.New(slog.DiscardHandler), Flush: 10 * time.Minute,
		Shards: fickle{held, func() bool { return m.mood().takes%7 > 0 }},
	})
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- l.Run(ctx, a) }()
	open := map[string]shard.ID{} // changes that must be answered
	var forgotten uint64
	for i := range changes {
		c := change(i+1, shard.ID(random.IntN(shards)))
		c.Key = fmt.Sprint("key-", i)
		if random.IntN(10) == 0 {
			m.mu.Lock()
			m.misfit[c.Key] = conflict
			m.mu.Unlock()
		}
		open[c.Key] = shard.Of(c.Bucket)
		l.Record(c)
		switch random.IntN(200) {
		case 0, 1, 2, 3, 4:
			time.Sleep(time.Duration(random.Int64N(int64(2 * time.Second))))
		case 5, 6:
			s := shard.ID(random.IntN(shards))
			held.Set(s, shard.Tenure{Term: held.Held()[s].Term + 1, Sure: true})
			if random.IntN(2) == 0 { // else it is ours again before it is forgotten
				l.Forget(s)
			}
			for key, id := range open {
				if id == s {
					delete(open, key)
				}
			}
			forgotten++
		}
	}
	cancel() // what is queued is still written
	if err := <-ran; err != nil {
		t.Error(err)
	}
	st := l.Status()
	if st.Uncommitted != 0 || st.Full {
		t.Errorf("status %+v", st)
	}
	for key := range open {
		if _, ok := a.committed[key]; !ok && !a.refused[key] {
			t.Errorf("%s was never answered", key)
		}
	}
	for key, done := range a.committed {
		if m.has[key] != done {
			t.Errorf("%s is said to be committed as %v, is %v", key, done, m.has[key])
		}
	}
	for key := range a.refused {
		if m.misfit[key] == nil {
			t.Errorf("%s is refused, though it fits", key)
		}
	}
	unanswered := uint64(changes - len(a.committed) - len(a.refused))
	if st.Fenced != unanswered {
		t.Errorf("%d are counted as fenced, %d are not answered", st.Fenced, unanswered)
	}
	t.Logf("%d committed, %d refused, %d void after %d losses, %d fenced; %d groups of at most %d",
		len(a.committed), len(a.refused), unanswered, forgotten, st.Fenced, m.groups, m.most)
}
