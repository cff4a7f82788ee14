package sqlstore

import (
	"database/sql/driver"
	"path/filepath"
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

// onEach runs a test on every engine, in a database with its schema.
func onEach(t *testing.T, f func(t *testing.T, dsn string)) {
	t.Helper()
	for name, fresh := range engines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := fresh(t)
			if _, err := Migrate(t.Context(), dsn); err != nil {
				t.Fatal(err)
			}
			f(t, dsn)
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
	for name, fresh := range engines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := newProtocol()
			t.Run("the suite", func(t *testing.T) {
				storetest.Run(t, func(t testing.TB) storetest.Database { return migratedWith(t, fresh(t), said.wrap) })
				storetest.RunRandom(t, 1, func(t testing.TB) storetest.Database { return migratedWith(t, fresh(t), said.wrap) })
			})
			t.Run("each of its statements has an index", func(t *testing.T) { said.wantIndexes(t, fresh(t)) })
		})
	}
}

func TestTheStoreConformsAtRandom(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{4}, func(t *testing.T, seed uint64) {
		for name, fresh := range engines() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				storetest.RunRandom(t, seed, func(t testing.TB) storetest.Database { return migrated(t, fresh(t)) })
			})
		}
	})
}

// migrated is a database with its schema.
func migrated(t testing.TB, dsn string) storetest.Database { return migratedWith(t, dsn, nil) }

func migratedWith(t testing.TB, dsn string, wrap func(driver.Connector) driver.Connector) storetest.Database {
	t.Helper()
	if _, err := Migrate(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	return databaseWith(t, dsn, wrap)
}
