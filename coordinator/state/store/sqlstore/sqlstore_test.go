package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/test/mariadb"
	"github.com/Automattic/jetmon/test/seeds"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engines are where every test runs: each makes the DSN of an empty database.
func engines() map[string]func(testing.TB) string {
	return map[string]func(testing.TB) string{
		"SQLite":  func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "jetmon ?#%41.db") },
		"MariaDB": mariadb.Start,
	}
}

// schemas is engines for databases with their schema: copies of one that was migrated.
func schemas() map[string]func(testing.TB) string {
	return map[string]func(testing.TB) string{"SQLite": copyOfSQLite, "MariaDB": copiesOfMariaDB.Start}
}

var copiesOfMariaDB = mariadb.Copies{Prepare: func(dsn string) error {
	_, err := Migrate(context.Background(), dsn)
	return err
}}

var migratedSQLite = sync.OnceValues(func() (file []byte, err error) {
	dir, err := os.MkdirTemp("", "jetmon-sqlite-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "migrated.db")
	if _, err := Migrate(context.Background(), "sqlite:"+path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func copyOfSQLite(t testing.TB) string {
	t.Helper()
	file, err := migratedSQLite()
	if err != nil {
		t.Fatal(err)
	}
	dsn := engines()["SQLite"](t)
	if err := os.WriteFile(strings.TrimPrefix(dsn, "sqlite:"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	return dsn
}

// onEach runs a test on every engine, in a database with its schema.
func onEach(t *testing.T, f func(t *testing.T, dsn string)) {
	t.Helper()
	for name, fresh := range schemas() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, fresh(t))
		})
	}
}

func open(t testing.TB, dsn string, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), dsn, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// database lets the suite, and others here, act behind the store's back.
func database(t testing.TB, dsn string) storetest.Database { return databaseWith(t, dsn, nil) }

// databaseWith is database for stores whose driver is wrapped.
func databaseWith(t testing.TB, dsn string, wrap func(driver.Connector) driver.Connector) storetest.Database {
	t.Helper()
	raw := open(t, dsn, Options{})
	return storetest.Database{
		Open: func(t testing.TB, legacyWrites bool) store.Store {
			return open(t, dsn, Options{LegacyWrites: legacyWrites, wrap: wrap})
		},
		Exec: func(t testing.TB, query string, args ...any) {
			t.Helper()
			for {
				err := raw.patiently(t.Context(), func() error {
					_, err := raw.writer.ExecContext(t.Context(), query, args...)
					return err
				})
				switch {
				case err == nil:
					return
				case raw.dsn.dialect.classify(err) != transient || t.Context().Err() != nil:
					t.Fatalf("%s: %v", query, err)
				}
			}
		},
		Int: func(t testing.TB, query string, args ...any) (n int64) {
			t.Helper()
			if err := raw.reader.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
			return n
		},
	}
}

func TestTheStoreConforms(t *testing.T) {
	t.Parallel()
	for name, fresh := range schemas() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := newProtocol()
			t.Run("the suite", func(t *testing.T) {
				storetest.Run(t, func(t testing.TB) storetest.Database { return databaseWith(t, fresh(t), said.wrap) })
				storetest.RunRandom(t, 1, func(t testing.TB) storetest.Database { return databaseWith(t, fresh(t), said.wrap) })
			})
			t.Run("each of its statements has an index", func(t *testing.T) { said.wantIndexes(t, fresh(t)) })
		})
	}
}

func TestTheStoreConformsAtRandom(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{4}, func(t *testing.T, seed uint64) {
		for name, fresh := range schemas() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				storetest.RunRandom(t, seed, func(t testing.TB) storetest.Database { return database(t, fresh(t)) })
			})
		}
	})
}
