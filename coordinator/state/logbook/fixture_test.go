package logbook_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/logbook"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/test/mariadb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// onEach runs a test on every engine.
func onEach(t *testing.T, f func(t *testing.T, s *shaky)) {
	t.Helper()
	for name, dsn := range map[string]func(testing.TB) string{
		"SQLite":  func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "jetmon.db") },
		"MariaDB": mariadb.Start,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, openStore(t, dsn(t)))
		})
	}
}

func openStore(t testing.TB, dsn string) *shaky {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), dsn, sqlstore.Options{LegacyWrites: true, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &shaky{Store: s}
}

// shaky is a store that is away at times, or whose answers get lost.
type shaky struct {
	store.Store
	away, deaf bool
	writes     int
}

func (s *shaky) answer(err error) error {
	s.writes++
	if err == nil && s.deaf {
		return fault.New(fault.Unavailable, "the answer was lost")
	}
	return err
}

func (s *shaky) gone() error {
	if s.away {
		return fault.New(fault.Unavailable, "the database is away")
	}
	return nil
}

// AddChecks implements store.Checks.
func (s *shaky) AddChecks(ctx context.Context, f shard.Fence, rows []store.CheckRow) error {
	if err := s.gone(); err != nil {
		return err
	}
	return s.answer(s.Store.AddChecks(ctx, f, rows))
}

// FoldChecks implements store.Checks.
func (s *shaky) FoldChecks(ctx context.Context, f shard.Fence, x store.CheckFold) error {
	if err := s.gone(); err != nil {
		return err
	}
	return s.answer(s.Store.FoldChecks(ctx, f, x))
}

// ListChecks implements store.Checks.
func (s *shaky) ListChecks(ctx context.Context, id shard.ID, end history.Hour) ([]store.CheckRow, error) {
	if err := s.gone(); err != nil {
		return nil, err
	}
	return s.Store.ListChecks(ctx, id, end)
}

// desk is where an engine puts its notes.
type desk struct {
	mu   sync.Mutex
	book *history.Book
}

func newDesk() *desk { return &desk{book: history.NewBook()} }

func (d *desk) note(b check.BucketID, n history.Note) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.book.Note(b, n)
}

// TakeNotes implements logbook.Engine.
func (d *desk) TakeNotes(s shard.ID) history.Taken {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.book.Take(s)
}

// ReuseNotes implements logbook.Engine.
func (d *desk) ReuseNotes(t history.Taken) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.book.Reuse(t)
}

// holder holds some shards.
type holder map[shard.ID]shard.Fence

// Fence implements shard.Holder.
func (h holder) Fence(s shard.ID) (shard.Fence, bool) {
	f, ours := h[s]
	return f, ours
}

// Held implements shard.Holder.
func (h holder) Held() (held shard.Held) {
	for s, f := range h {
		held[s] = shard.Tenure{Term: f.Term, Sure: true}
	}
	return held
}

// Directory implements shard.Holder.
func (h holder) Directory() shard.Directory { return shard.Directory{} }

// Refresh implements shard.Holder.
func (h holder) Refresh() <-chan struct{} { return nil }

// claim takes a shard over at a moment.
func claim(t testing.TB, s store.Store, node string, id shard.ID, at time.Time) shard.Fence {
	t.Helper()
	l, err := s.ClaimShard(t.Context(), id, shard.Owner{Node: node, TTL: time.Second}, at)
	if err != nil {
		t.Fatal(err)
	}
	return l.Fence()
}

func newLogbook(t testing.TB, o logbook.Options) *logbook.Logbook {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	l, err := logbook.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// current returns the fence of the owner of shard 0.
func current(t testing.TB, s store.Store) shard.Fence {
	t.Helper()
	leases, err := s.ListShards(t.Context())
	if err != nil || len(leases) == 0 {
		t.Fatalf("%d leases, %v", len(leases), err)
	}
	return leases[0].Fence()
}
