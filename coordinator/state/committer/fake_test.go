package committer

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	away     = fault.New(fault.Unavailable, "the database is away")
	conflict = fault.New(fault.Conflict, "status differs")
)

// fakeStore is a store whose results come from functions; nil functions accept everything.
type fakeStore struct {
	// group returns the error of a whole group, change that of one change, site that of a row.
	group  func(ctx context.Context, cs []record.Change) error
	change func(c record.Change) error
	site   func() error
	ballot func() error

	mu     sync.Mutex
	groups [][]record.Change // all that were tried
	kept   int
}

func (b *fakeStore) CommitAll(ctx context.Context, _ shard.Fence, cs []record.Change) ([]store.CommitResult, error) {
	b.mu.Lock()
	b.groups = append(b.groups, slices.Clone(cs))
	b.mu.Unlock()
	if b.group != nil {
		if err := b.group(ctx, cs); err != nil {
			return nil, err
		}
	}
	results := make([]store.CommitResult, len(cs))
	for i, c := range cs {
		results[i].Committed.OutageID = int64(c.SiteID)
		if b.change != nil {
			results[i].Err = b.change(c)
		}
	}
	return results, nil
}

func (b *fakeStore) KeepBallot(context.Context, shard.Fence, record.Ballot) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ballot != nil {
		if err := b.ballot(); err != nil {
			return err
		}
	}
	b.kept++
	return nil
}

func (b *fakeStore) Site(_ context.Context, id check.SiteID) (record.Site, error) {
	var err error
	if b.site != nil {
		err = b.site()
	}
	return record.Site{ID: id, Status: check.StatusDown}, err
}

func (b *fakeStore) sizes() []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []int
	for _, g := range b.groups {
		out = append(out, len(g))
	}
	return out
}

// inTurn returns the next of errs at each call; the last one stays.
func inTurn(errs ...error) func() error {
	var mu sync.Mutex
	return func() error {
		mu.Lock()
		defer mu.Unlock()
		err := errs[0]
		if len(errs) > 1 {
			errs = errs[1:]
		}
		return err
	}
}

func script(errs ...error) func(context.Context, []record.Change) error {
	next := inTurn(errs...)
	return func(context.Context, []record.Change) error { return next() }
}

// fixture runs a committer inside a synctest bubble.
type fixture struct {
	*Committer
	mu        sync.Mutex
	committed []record.Change
	refused   []*record.Site
	shards    *shardtest.Holder
	cancel    context.CancelFunc
	ran       chan error
}

// prepare makes a fixture that is not running yet.
func prepare(b Store, o Options) *fixture {
	f := &fixture{ran: make(chan error, 1), shards: shardtest.New()}
	o.Store, o.Shards, o.Log = b, f.shards, slog.New(slog.DiscardHandler)
	f.Committer = New(o)
	return f
}

func (f *fixture) open() {
	var ctx context.Context
	ctx, f.cancel = context.WithCancel(context.Background())
	go func() { f.ran <- f.Run(ctx, f) }()
}

// Committed and Refused keep the results.
func (f *fixture) Committed(c record.Change, _ record.Committed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.committed = append(f.committed, c)
}

func (f *fixture) Refused(_ record.Change, s *record.Site) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused = append(f.refused, s)
}

func opened(b Store) *fixture {
	f := prepare(b, Options{Workers: 1})
	f.open()
	return f
}

func (f *fixture) end(t *testing.T) {
	t.Helper()
	f.cancel()
	if err := <-f.ran; err != nil {
		t.Error(err)
	}
}

// wantWritten wants n committed changes, and none that waits.
func (f *fixture) wantWritten(t *testing.T, n int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if st := f.Status(); len(f.committed) != n || st.Uncommitted != 0 {
		t.Errorf("%d are committed, %d wait, want %d and none", len(f.committed), st.Uncommitted, n)
	}
}

// change returns a change of a site in a shard.
func change(site int, s shard.ID) record.Change {
	return record.Change{Key: "k", SiteID: check.SiteID(site), Bucket: check.BucketID(s) * shard.BucketsPer}
}

// hang waits until ctx ends, at most an hour.
func hang(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return fault.New(fault.Unavailable, "it hangs: %w", ctx.Err())
	case <-time.After(time.Hour):
		return nil
	}
}
