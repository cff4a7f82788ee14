package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/fault"
)

// Store implements store.Store.
type Store struct {
	dsn          DSN
	legacyWrites bool
	// noEdits and trial are as in Options.
	noEdits, trial bool
	log            *slog.Logger
	pools
	// engine and announce are those of the connectors.
	engine   func() Engine
	announce func()
	// replica may be nil.
	replica *replica
	// notReadOnly means that the server does not support read-only transactions (TiDB).
	notReadOnly atomic.Bool
	// allIndexed means that every site can be found by its host in our own table; scans bounds
	// the searches of the legacy table before that.
	allIndexed atomic.Bool
	scans      turns
	// mostSorted is as its constant, but in tests.
	mostSorted int
	almanac    almanac
	// listeners remembers who is told of events.
	listeners listeners
	// nothing is ours of the sites that our own tables do not mention. Nobody writes to it.
	nothing *ours
}

var _ store.Store = (*Store)(nil)

// maxScans bounds the searches of the whole legacy table at once.
const maxScans = 2

// Options of Open.
type Options struct {
	// LegacyWrites lets commits write status changes to jetpack_monitor_sites
	// (DB_UPDATES_ENABLE). Without it they only read that table.
	LegacyWrites bool
	// NoEdits makes CreateSite, DeleteSite and UpdateSite refuse to write
	// jetpack_monitor_sites, as Fenced. What is in our own tables can still be edited.
	NoEdits bool
	// Trial makes them refuse it for the shards that were not taken over from v1.
	Trial bool
	// Migrate brings the schema up to date first, and creates a missing SQLite file.
	Migrate bool
	// Read is the DSN of one replica or several, for reads that may lag; see store.MayLag. Empty means
	// none. MostLag is how far behind one may be; 0 means MostLag's default.
	Read    string
	MostLag time.Duration
	// Replica opens servers that are only read, and may accept no writes.
	Replica bool
	// Log takes messages that are not errors of a call; nil discards them.
	Log *slog.Logger

	// wrap lets tests wrap the driver.
	wrap func(driver.Connector) driver.Connector
	// mostSorted lets them have few sites be many.
	mostSorted int
}

// withDefaults returns o with a value for each field that has a default.
func (o Options) withDefaults() Options {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	return o
}

// Open connects to a database whose schema is up to date. For the forms of dsn see ParseDSN.
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	d, err := ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	if o.Migrate {
		if _, err := Migrate(ctx, dsn); err != nil {
			return nil, err
		}
		o.Migrate = false
	}
	s, err := connect(ctx, d, o)
	if err != nil {
		return nil, err
	}
	if err := s.verify(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.announce()
	return s, nil
}

// connect opens the database and pings it.
func connect(ctx context.Context, d DSN, o Options) (*Store, error) {
	o = o.withDefaults()
	c, err := d.dialect.connectors(ctx, d, purpose{migrate: o.Migrate, replicas: o.Replica, log: o.Log})
	if err != nil {
		return nil, err
	}
	s := &Store{dsn: d, legacyWrites: o.LegacyWrites, noEdits: o.NoEdits, trial: o.Trial, log: o.Log, pools: c.open(o.wrap), engine: c.engine, announce: c.announce, nothing: new(ours), scans: make(turns, maxScans), mostSorted: cmp.Or(o.mostSorted, mostSorted)}
	if err := s.patiently(ctx, func() error { return s.ping(ctx) }); err != nil {
		return nil, errors.Join(s.fault("open "+d.String(), err), s.Close())
	}
	s.notReadOnly.Store(s.Engine().kind == tidbKind)
	if err := s.openReplica(ctx, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Engine is what the server of the newest session says that it is.
func (s *Store) Engine() Engine { return s.engine() }

func (s *Store) ping(ctx context.Context) error {
	if err := s.writer.PingContext(ctx); err != nil {
		return err
	}
	return s.reader.PingContext(ctx)
}

// Ping implements store.Store.
func (s *Store) Ping(ctx context.Context) error {
	// The pool for leases: a queue for the reader's connections says nothing about the database.
	if err := s.leases.PingContext(ctx); err != nil {
		return s.fault("ping "+s.dsn.String(), err)
	}
	return nil
}

// Close implements store.Store.
func (s *Store) Close() error {
	err := s.close()
	if s.replica != nil {
		err = errors.Join(err, s.replica.db.Close())
	}
	if err != nil {
		return fault.New(fault.Unavailable, "close %s: %w", s.dsn, err)
	}
	return nil
}

// fault gives a driver's error its kind. A fault keeps its own kind.
func (s *Store) fault(doing string, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if s.dsn.dialect.classify(err) == unfit {
		return fault.New(fault.Invalid, "%s: %w", doing, err).Hidden("the database cannot keep one of the values")
	}
	return fault.New(fault.Unavailable, "%s: %w", doing, err).Hidden("the database does not answer; try again in some seconds")
}

// isDuplicate reports whether a unique index refused a row.
func (s *Store) isDuplicate(err error) bool { return s.dsn.dialect.classify(err) == duplicate }

// txn is a write transaction.
type txn struct {
	ctx       context.Context
	tx        *sql.Tx
	listeners *listeners
}

// write runs f in a transaction, and again when the engine rolls it back in favour of
// another one: f must have no other effects.
func (s *Store) write(ctx context.Context, f func(txn) error) error {
	return s.transact(ctx, s.writer, f)
}

// transact is write on a given pool.
func (s *Store) transact(ctx context.Context, db *sql.DB, f func(txn) error) error {
	return s.patiently(ctx, func() error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := f(txn{ctx, tx, &s.listeners}); err != nil {
			// The first error matters; if the rollback fails, the end of the connection rolls
			// the transaction back.
			_ = tx.Rollback()
			return err
		}
		return tx.Commit()
	})
}

// exec runs a statement and counts the rows it matched.
func (t txn) exec(query string, args ...any) (int64, error) {
	r, err := t.tx.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// insert runs an INSERT of one row and returns its id.
func (t txn) insert(query string, args ...any) (int64, error) {
	r, err := t.tx.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

// find reads one row, if there is one.
func (t txn) find(dest []any, query string, args ...any) (bool, error) {
	err := t.tx.QueryRowContext(t.ctx, query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// list runs a query outside a transaction and reads every row with scan.
func list[T any](ctx context.Context, db *sql.DB, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	return appendRows(ctx, nil, db, scan, query, args...)
}

// appendRows is list for a caller that has a slice to append to.
func appendRows[T any](ctx context.Context, all []T, db *sql.DB, scan func(*sql.Rows) (T, error),
	query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
