package sqlstore

import (
	"context"
	"errors"
	"net/url"
	"os"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/Automattic/jetmon/internal/fault"
)

// sqliteDialect returns the dialect of SQLite, by a driver in pure Go.
func sqliteDialect() *dialect {
	return &dialect{
		name:       "sqlite",
		goose:      goose.DialectSQLite3,
		connectors: sqliteConnectors,
		classify:   classifySQLite,
		id:         "INTEGER PRIMARY KEY AUTOINCREMENT",
		rowURL:     "l.monitor_url", ifMissing: "IF NOT EXISTS",
		rowChanged: "COALESCE(CAST(strftime('%s', l.last_status_change) AS INTEGER), 0)",
	}
}

func sqliteConnectors(_ context.Context, dsn DSN, p purpose) (connectors, error) {
	q := url.Values{
		// Short, because SQLite ignores the context while it waits; write tries again.
		"_busy_timeout": {"250"},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_txlock":       {"immediate"},
		"_dqs":          {"0"},
		"_error_rc":     {"1"},
		"mode":          {"rw"},
	}
	if p.migrate {
		q.Set("mode", "rwc")
	} else if _, err := os.Stat(dsn.path); errors.Is(err, os.ErrNotExist) {
		return connectors{}, fault.New(fault.Unavailable, "%s is not there: run `jetmon migrate --db %s`", dsn, dsn)
	}
	write, err := sqlite.NewConnector(sqliteURI(dsn.path, q))
	if err != nil {
		return connectors{}, fault.New(fault.Invalid, "%s: %w", dsn, err)
	}
	q.Set("_query_only", "1")
	read, err := sqlite.NewConnector(sqliteURI(dsn.path, q))
	if err != nil {
		return connectors{}, fault.New(fault.Invalid, "%s: %w", dsn, err)
	}
	return connectors{write: write, read: read, engine: func() Engine { return Engine{kind: sqliteKind} }, announce: func() {}, writers: 1, readers: 4, oneWriter: true}, nil
}

// sqliteURI escapes a path, so that a question mark stays part of it.
func sqliteURI(path string, q url.Values) string {
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}).String()
}

func classifySQLite(err error) class {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return other
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return duplicate
	case sqlite3.SQLITE_TOOBIG:
		return unfit
	}
	switch e.Code() & 0xff { // the primary code
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return transient
	}
	return other
}
