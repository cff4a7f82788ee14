package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/pause"
)

// migrationFiles has one statement a file, which may run again: MySQL commits a CREATE TABLE
// by itself, so that a crash can leave it done but not recorded. See apply.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

// versionTable is the table in which goose records applied migrations. Goose's own creation
// of it leaves it unusable when two processes create it at once or one dies half way.
const (
	versionTable     = "jetmon_schema"
	makeVersionTable = `CREATE TABLE IF NOT EXISTS jetmon_schema (
	id {id},
	version_id BIGINT NOT NULL,
	is_applied INTEGER NOT NULL,
	tstamp TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP
) {options}`
)

// Migrate brings the schema up to date and returns the number of steps. It stops when ctx
// ends. Running it twice, even concurrently, does no harm.
func Migrate(ctx context.Context, dsn string) (applied int, err error) {
	d, err := ParseDSN(dsn)
	if err != nil {
		return 0, err
	}
	s, err := connect(ctx, d, Options{Migrate: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.migrate(ctx, math.MaxInt64)
}

// migrate applies the missing migrations up to a version.
func (s *Store) migrate(ctx context.Context, upTo int64) (applied int, err error) {
	steps, err := s.dsn.dialect.migrations()
	if err != nil {
		return 0, err
	}
	p, err := goose.NewProvider(s.dsn.dialect.goose, s.writer, nil,
		goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true),
		goose.WithTableName(versionTable), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return 0, fault.New(fault.Internal, "read the migrations: %w", err)
	}
	// Another process may hold SQLite's write lock for a while.
	err = s.patiently(ctx, func() error {
		if err := s.ensureVersions(ctx); err != nil {
			return err
		}
		done, err := p.UpTo(ctx, upTo)
		if partial, ok := errors.AsType[*goose.PartialError](err); ok {
			done = partial.Applied
		}
		applied += len(done)
		return err
	})
	if err != nil {
		return applied, s.fault("migrate "+s.dsn.String(), err)
	}
	return applied, nil
}

// ensureVersions makes the version table with the version 0 that goose requires; having it
// twice does no harm.
func (s *Store) ensureVersions(ctx context.Context) error {
	if _, err := s.writer.ExecContext(ctx, s.dsn.dialect.ddl(makeVersionTable)); err != nil {
		return err
	}
	var zeros int
	err := s.writer.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+versionTable+" WHERE version_id = 0").Scan(&zeros)
	if err != nil || zeros > 0 {
		return err
	}
	_, err = s.writer.ExecContext(ctx, "INSERT INTO "+versionTable+" (version_id, is_applied) VALUES (0, 1)")
	return err
}

// ddl inserts this engine's pieces into a statement.
func (d *dialect) ddl(statement string) string {
	return strings.NewReplacer("{id}", d.id, "{options}", d.options, "{if_missing}", d.ifMissing).Replace(statement)
}

// migrations reads the embedded files that are for this engine.
func (d *dialect) migrations() ([]*goose.Migration, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("list the migrations: %w", err)
	}
	var steps []*goose.Migration
	for _, name := range names {
		parts := strings.Split(name, ".")
		if len(parts) == 3 && parts[1] != d.name {
			continue // NUMBER_what.ENGINE.sql of the other engine
		}
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, fmt.Errorf("number of migration %s: %w", name, err)
		}
		text, err := fs.ReadFile(migrationFiles, name)
		if err != nil {
			return nil, fmt.Errorf("read migration: %w", err)
		}
		statement := d.ddl(string(text))
		steps = append(steps, goose.NewGoMigration(version, &goose.GoFunc{
			RunTx: func(ctx context.Context, tx *sql.Tx) error { return d.apply(ctx, tx, statement) },
		}, nil))
	}
	return steps, nil
}

// apply runs the statement of a migration. Only MariaDB has ADD COLUMN IF NOT EXISTS, so
// apply checks first.
func (d *dialect) apply(ctx context.Context, tx *sql.Tx, statement string) error {
	if table, column, ok := addsColumn(statement); ok {
		there, err := hasColumn(ctx, tx, table, column)
		if err != nil || there {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, statement)
	if err != nil && d.classify(err) == present {
		return nil // another process did it after the check
	}
	return err
}

// addsColumn parses ALTER TABLE table ADD COLUMN column ...
func addsColumn(statement string) (table, column string, ok bool) {
	var words []string
	for line := range strings.Lines(statement) {
		line, _, _ = strings.Cut(line, "--")
		words = append(words, strings.Fields(line)...)
	}
	if len(words) < 6 || strings.Join(words[:2], " ") != "ALTER TABLE" || strings.Join(words[3:5], " ") != "ADD COLUMN" {
		return "", "", false
	}
	return words[2], words[5], true
}

func hasColumn(ctx context.Context, tx *sql.Tx, table, column string) (bool, error) {
	rows, err := tx.QueryContext(ctx, "SELECT t.* FROM "+table+" t WHERE 1 = 0")
	if err != nil {
		return false, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return false, err
	}
	return slices.Contains(names, column), rows.Err()
}

// schemaVersion is the query for the version of a database's schema.
const schemaVersion = "SELECT MAX(version_id) FROM " + versionTable

// newest is the version of the schema that this program needs.
func (d *dialect) newest() (int64, error) {
	steps, err := d.migrations()
	if err != nil {
		return 0, err
	}
	return steps[len(steps)-1].Version, nil
}

// verify checks that the schema is the one that this program needs, or newer: migrations
// only add.
func (s *Store) verify(ctx context.Context) error {
	want, err := s.dsn.dialect.newest()
	if err != nil {
		return err
	}
	var have sql.NullInt64
	err = s.reader.QueryRowContext(ctx, schemaVersion).Scan(&have)
	switch {
	case ctx.Err() != nil:
		return s.fault("read the schema's version", err)
	case err != nil:
		return fault.New(fault.Unavailable, "%s has no Jetmon schema: run `jetmon migrate --db ...` on it: %w", s.dsn, err)
	case have.Int64 < want:
		return fault.New(fault.Unavailable, "%s has schema version %d, this program needs %d: run `jetmon migrate --db ...` on it",
			s.dsn, have.Int64, want)
	}
	return nil
}

const (
	// maxPatience bounds the time for which a transaction is retried.
	maxPatience = 5 * time.Second
	// retryPause is the first pause between attempts; it grows by itself with each.
	retryPause = 5 * time.Millisecond
)

// patiently runs f again while the engine rolls it back in favour of another transaction.
func (s *Store) patiently(ctx context.Context, f func() error) error {
	return insist(ctx, f, func(err error) bool { return s.dsn.dialect.classify(err) == transient })
}

// insist runs f again, for at most maxPatience, while its error is transient.
func insist(ctx context.Context, f func() error, isTransient func(error) bool) error {
	ctx, cancel := context.WithTimeout(ctx, maxPatience)
	defer cancel()
	for attempt := time.Duration(1); ; attempt++ {
		err := f()
		if err == nil || !isTransient(err) {
			return err
		}
		if !pause.For(ctx, attempt*retryPause) {
			return err
		}
	}
}
