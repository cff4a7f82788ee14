package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/test/mariadb"
)

// clockServer is a database that knows the clock of package replica only. connect, if set, decides
// about each connection.
type clockServer struct {
	connect func(context.Context) error
	count   int64
	// hangs, if set, says whether statements have no answer.
	hangs *atomic.Bool
}

func (c clockServer) Driver() driver.Driver { return nil }

func (c clockServer) Connect(ctx context.Context) (driver.Conn, error) {
	if c.connect != nil {
		if err := c.connect(ctx); err != nil {
			return nil, err
		}
	}
	return clockConn{count: c.count, hangs: c.hangs}, nil
}

type clockConn struct {
	driver.Conn
	count int64
	hangs *atomic.Bool
}

func (clockConn) Close() error { return nil }

func (c clockConn) QueryContext(ctx context.Context, _ string, _ []driver.NamedValue) (driver.Rows, error) {
	if c.hangs != nil && c.hangs.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &clockRow{count: c.count}, nil
}

type clockRow struct {
	count int64
	read  bool
}

func (*clockRow) Columns() []string { return []string{"count"} }
func (*clockRow) Close() error      { return nil }

func (r *clockRow) Next(to []driver.Value) error {
	if r.read {
		return io.EOF
	}
	r.read, to[0] = true, r.count
	return nil
}

// away makes a replica that nobody reaches, and its database.
func away(t *testing.T, connect func(context.Context) error) (r *replica, of *sql.DB) {
	of = sql.OpenDB(clockServer{count: 7})
	r = &replica{db: sql.OpenDB(clockServer{connect: connect, count: 7}), most: 5 * time.Second, log: slog.New(slog.DiscardHandler)}
	t.Cleanup(func() {
		if err := errors.Join(of.Close(), r.db.Close()); err != nil {
			t.Error(err)
		}
	})
	return r, of
}

func TestAReplicaThatIsAwayForDaysCostsNoMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, of := away(t, func(context.Context) error { return errors.New("connection refused") })
		for range 10_000 {
			if r.isUsable(t.Context(), of) {
				t.Fatal("a replica that is away is asked")
			}
			time.Sleep(2 * time.Second)
		}
		if len(r.seen) > 100 {
			t.Errorf("%d readings are kept", len(r.seen))
		}
	})
}

// A replica that hangs delays one reader now and then, and whoever has left delays nobody else.
func TestAReplicaThatHangsDelaysFewReaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, of := away(t, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		var all sync.WaitGroup
		var readers, delayed atomic.Int32
		for range 600 { // for a minute
			for range 5 {
				all.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
					defer cancel()
					began := time.Now()
					if r.isUsable(ctx, of) {
						t.Error("a replica that hangs is asked")
					}
					readers.Add(1)
					if time.Since(began) > 0 {
						delayed.Add(1)
					}
				})
			}
			time.Sleep(100 * time.Millisecond)
		}
		all.Wait()
		if n := delayed.Load(); n == 0 || n > 12 {
			t.Errorf("%d of %d readers were delayed, want one in some seconds", n, readers.Load())
		}
	})
}

// Who waits for a replica when it begins to hang is answered by the database as soon as another reader
// finds that out, and not at the end of its patience.
func TestReadersDoNotWaitForAReplicaThatIsKnownToHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, of := away(t, nil)
		hangs := new(atomic.Bool)
		frozen := sql.OpenDB(clockServer{count: 7, hangs: hangs})
		defer frozen.Close()
		whole := r.db
		r.db = frozen
		defer func() { r.db = whole }()
		s := &Store{pools: pools{reader: of, leases: of}, replica: r}
		read := func() time.Duration {
			ctx, cancel := context.WithTimeout(store.MayLag(t.Context()), 30*time.Second)
			defer cancel()
			began := time.Now()
			found, err := laxly(ctx, s, func(rows *sql.Rows) (n int64, err error) { return n, rows.Scan(&n) }, "SELECT")
			if err != nil || len(found) != 1 {
				t.Errorf("found %v, %v", found, err)
			}
			return time.Since(began)
		}
		if took := read(); took != 0 {
			t.Errorf("a replica that is well takes %s", took)
		}
		hangs.Store(true)
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if took := read(); took > 3*lagPatience {
					t.Errorf("a reader waited for %s", took)
				}
			})
			time.Sleep(lagFresh / 2)
		}
		all.Wait()
		if len(r.reads) != 0 {
			t.Errorf("%d reads are remembered", len(r.reads))
		}
	})
}

// A replica that is measured well and fails at what it is asked, one without some table for
// example, is asked ever less.
func TestAReplicaThatFailsAtItsReadsIsAskedLess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, of := away(t, nil)
		asked := 0
		for range 3600 {
			if r.isUsable(t.Context(), of) {
				asked++
				r.fail(errors.New("no such table"))
				r.fail(errors.New("no such table")) // of another reader
			}
			time.Sleep(time.Second)
		}
		if asked < 60 || asked > 240 {
			t.Errorf("it was asked %d times in an hour, want about every half minute", asked)
		}
	})
}

// A caller whose question no server can answer must not be able to keep others from the replica.
func TestAQuestionThatFailsEverywhereSaysNothingAboutTheReplica(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, of := away(t, nil)
		s := &Store{pools: pools{reader: of, leases: of}, replica: r}
		bad := errors.New("illegal mix of collations")
		ask := func(database error) bool {
			_, err := laxlyBy(store.MayLag(t.Context()), s, func(_ context.Context, db *sql.DB) ([]int, error) {
				if db == r.db {
					return nil, bad
				}
				return nil, database
			})
			if !errors.Is(err, database) {
				t.Errorf("the answer is %v, want %v", err, database)
			}
			return r.isUsable(t.Context(), of)
		}
		if !ask(bad) {
			t.Error("the replica is to blame for what the database does not answer either")
		}
		if ask(nil) {
			t.Error("a replica that does not answer what the database answers goes on")
		}
	})
}

// What shows a later moment than the database is no replica of it: the database of another fleet,
// or one that has kept what a failover has lost.
func TestWhatIsAheadOfTheDatabaseIsNoReplicaOfIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, of := away(t, nil)
		early := sql.OpenDB(clockServer{count: 6})
		defer early.Close()
		if !r.isUsable(t.Context(), of) {
			t.Error("one that is as far as the database is not asked")
		}
		time.Sleep(lagFresh)
		if r.isUsable(t.Context(), early) {
			t.Error("one that is ahead of the database is asked")
		}
	})
}

// Readers that take every session of the database are when a replica is worth most.
func TestAReplicaIsAskedWhileTheDatabaseHasNoSessionLeftForReads(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	if _, err := Migrate(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	s := open(t, dsn, Options{Read: dsn})
	for range s.reader.Stats().MaxOpenConnections {
		conn, err := s.reader.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if s.lax(store.MayLag(t.Context())) != s.replica.db {
		t.Error("the replica is not asked")
	}
}

// A page may come from the database and the next one from the replica, which does not have yet what
// lies between them.
func TestAWalkThroughOutagesMissesNoneWhereItComesToTheReplica(t *testing.T) {
	t.Parallel()
	dsn, other := mariadb.Start(t), mariadb.Start(t)
	for _, d := range []string{dsn, other} {
		if _, err := Migrate(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	s, behind := open(t, dsn, Options{LegacyWrites: true}), open(t, other, Options{})
	s.replica = &replica{db: behind.reader, most: time.Second, usable: true, next: time.Now().Add(time.Hour)}
	lease, err := s.ClaimShard(t.Context(), 0, shard.Owner{Node: "a", TTL: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m := &outageMaker{s: s, lease: lease}
	for range 3 {
		m.make(t)
	}
	lax := store.MayLag(t.Context())
	page := func(ctx context.Context, before record.OutageMark) []record.Outage {
		t.Helper()
		found, err := s.ListOutages(ctx, store.OutageQuery{Limit: 1, Before: before})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	first := page(t.Context(), record.OutageMark{})
	if got := page(lax, first[0].Mark()); len(got) != 1 || got[0].ID >= first[0].ID {
		t.Errorf("after outage %d of the database comes %v, and there are two more", first[0].ID, got)
	}
	old := first[0].Mark()
	old.Confirmed = old.Confirmed.Add(-time.Hour)
	for _, mark := range []record.OutageMark{{}, old} {
		if got := page(lax, mark); len(got) != 0 {
			t.Errorf("the replica is not asked for what comes after %v", mark)
		}
	}
}
