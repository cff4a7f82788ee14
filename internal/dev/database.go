package dev

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
)

// openTimeout limits the first contact with the database.
const openTimeout = 10 * time.Second

// Database is the SQLite file of the system.
type Database struct {
	path      string
	temporary string // directory to remove; empty if the file is kept
	store     *sqlstore.Store
}

// OpenDatabase opens and migrates the file at path. Without a path it creates a temporary
// file, which Close removes.
func OpenDatabase(ctx context.Context, path string, log *slog.Logger) (*Database, error) {
	d := &Database{path: path}
	var err error
	if path == "" {
		if d.temporary, err = os.MkdirTemp("", "jetmon-dev-"); err != nil {
			return nil, fmt.Errorf("make a place for the database: %w", err)
		}
		d.path = filepath.Join(d.temporary, "jetmon.db")
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	d.store, err = sqlstore.Open(ctx, "sqlite:"+d.path, sqlstore.Options{LegacyWrites: true, Migrate: true, Log: log})
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Close closes the file, and removes it when it is temporary.
func (d *Database) Close() error {
	var errs []error
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	if d.temporary != "" {
		errs = append(errs, os.RemoveAll(d.temporary))
	}
	return errors.Join(errs...)
}
