package dev

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/Automattic/jetmon/coordinator/store/sqlstore"
	"github.com/Automattic/jetmon/internal/demo"
	"github.com/Automattic/jetmon/internal/rpc"
)

// openTimeout bounds the first contact with the database.
const openTimeout = 10 * time.Second

// Database is the SQLite file of the system.
type Database struct {
	path      string
	temporary string // directory to remove, empty when the file is kept
	store     *sqlstore.Store
}

// OpenDatabase opens the file at path, brings it up to date and keeps it; without a path
// it makes a temporary one, which Close removes.
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

// openDemo returns the addresses of the demo's sites, which may be probed although
// they are on loopback.
func (d *System) openDemo() (sites []netip.AddrPort, err error) {
	o := demo.Options{Log: d.o.Log}
	if d.o.Demo {
		if o.Sites, err = d.listen("demo sites"); err != nil {
			return nil, err
		}
		sites = append(sites, o.Sites.Addr().(*net.TCPAddr).AddrPort())
	}
	if d.o.WPCOM == "" {
		if o.Inbox, err = d.listen("WPCOM inbox"); err != nil {
			return nil, err
		}
	}
	d.demo, err = demo.New(o)
	return sites, err
}

// listen claims a port of loopback that is free.
func (d *System) listen(what string) (net.Listener, error) {
	l, err := rpc.TCP().Listen("127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	d.unused = append(d.unused, l)
	return l, nil
}
