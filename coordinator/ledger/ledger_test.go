package ledger

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// book is a store that answers commits from a script; the last entry stays.
type book struct {
	store.History
	mu      sync.Mutex
	script  []error
	commits []string
	kept    int
	site    error
}

func (b *book) Commit(_ context.Context, _ store.Fence, c store.Change) (store.Committed, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.commits = append(b.commits, c.Key)
	err := b.script[0]
	if len(b.script) > 1 {
		b.script = b.script[1:]
	}
	return store.Committed{OutageID: 5}, err
}

func (b *book) KeepBallot(context.Context, store.Fence, store.Ballot) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept++
	return nil
}

func (b *book) Site(_ context.Context, id check.SiteID) (store.Site, error) {
	return store.Site{ID: id, Status: check.StatusDown}, b.site
}

// desk runs a ledger inside a synctest bubble.
type desk struct {
	*Ledger
	committed []store.Change
	refused   []*store.Site
	fenced    atomic.Bool
	cancel    context.CancelFunc
	ran       chan error
}

func open(b *book) *desk {
	d := &desk{ran: make(chan error, 1)}
	d.Ledger = New(Options{
		Store: b, Workers: 1, Log: slog.New(slog.DiscardHandler),
		Fence: func(s store.ShardID) (store.Fence, bool) {
			return store.Fence{Shard: s, Node: "n", Term: 1}, !d.fenced.Load()
		},
		Committed: func(c store.Change, _ store.Committed) { d.committed = append(d.committed, c) },
		Refused:   func(_ store.Change, s *store.Site) { d.refused = append(d.refused, s) },
	})
	var ctx context.Context
	ctx, d.cancel = context.WithCancel(context.Background())
	go func() { d.ran <- d.Run(ctx) }()
	return d
}

func (d *desk) end(t *testing.T) {
	t.Helper()
	d.cancel()
	if err := <-d.ran; err != nil {
		t.Error(err)
	}
}

var away = fault.New(fault.Unavailable, "the database is away")

func TestAChangeIsTriedUntilTheStoreHasIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &book{script: []error{away, away, away, nil}}
		d := open(b)
		d.Record(store.Change{Key: "k", SiteID: 1})
		time.Sleep(150 * time.Millisecond) // one failure or two
		synctest.Wait()
		if st := d.Status(); st.Uncommitted != 1 || st.FailingSince.IsZero() || st.Err == "" {
			t.Errorf("status %+v", st)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(d.committed) != 1 || len(b.commits) != 4 || b.commits[0] != b.commits[3] {
			t.Fatalf("committed %v after tries %v", d.committed, b.commits)
		}
		if st := d.Status(); st.Uncommitted != 0 || !st.FailingSince.IsZero() {
			t.Errorf("status %+v", st)
		}
		d.end(t)
	})
}

func TestAChangeThatDoesNotFitIsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		site   error
		hasRow bool
	}{
		{"with the row as it is now", nil, true},
		{"with nothing when the row is gone", fault.New(fault.NotFound, "no such site"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := open(&book{script: []error{fault.New(fault.Conflict, "status differs")}, site: tt.site})
				d.Record(store.Change{Key: "k", SiteID: 1})
				synctest.Wait()
				if len(d.refused) != 1 || (d.refused[0] != nil) != tt.hasRow {
					t.Errorf("refused %v", d.refused)
				}
				d.end(t)
			})
		})
	}
}

func TestNothingIsWrittenForAShardThatIsNotOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &book{script: []error{nil}}
		d := open(b)
		d.fenced.Store(true)
		d.Record(store.Change{Key: "k", SiteID: 1})
		d.Keep(store.Ballot{SiteID: 1})
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(b.commits) != 0 || b.kept != 0 || d.Status().Uncommitted != 1 {
			t.Fatalf("commits %v, kept %d, status %+v", b.commits, b.kept, d.Status())
		}
		d.Forget(0) // the shard was lost: its next owner finds out for itself
		d.fenced.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(b.commits) != 0 || d.Status().Uncommitted != 0 {
			t.Errorf("commits %v, status %+v", b.commits, d.Status())
		}
		d.end(t)
	})
}

func TestWhatIsQueuedIsWrittenAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &book{script: []error{away, nil}}
		d := open(b)
		for range 10 {
			d.Record(store.Change{Key: "k", SiteID: 1})
		}
		d.Keep(store.Ballot{SiteID: 1})
		d.end(t)
		if len(d.committed) != 10 || b.kept != 1 {
			t.Errorf("%d committed, %d kept", len(d.committed), b.kept)
		}
	})
}

func TestTheEndDoesNotWaitForADeadStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := open(&book{script: []error{away}})
		d.Record(store.Change{Key: "k", SiteID: 1})
		began := time.Now()
		d.end(t)
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("took %v", took)
		}
	})
}
