package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/internal/fault"
)

// openTimeout bounds the first contact with a database, migrateTimeout a migration.
const (
	openTimeout    = 10 * time.Second
	migrateTimeout = 10 * time.Minute
)

// databaseFlags select the database.
type databaseFlags struct {
	DB       string `name:"db" required:"" placeholder:"DSN" help:"Database: mysql://user:pass@tcp(host:port)/db or sqlite:PATH, with a comma between several hosts, which are tried in turn; or @FILE for a file with such a line."`
	DBConfig string `name:"db-config" placeholder:"FILE" help:"v1's db-config.conf: the master of its dataset misc is the database, unless --db says otherwise. By default the one beside v1's config.json."`
}

// dsn resolves @FILE, which keeps the password out of the list of processes.
func (f databaseFlags) dsn() (string, error) {
	path, inFile := strings.CutPrefix(f.DB, "@")
	if !inFile {
		return f.DB, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", usagef("--db: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// databaseError distinguishes a wrong DSN, a usage error, from a database that does not
// answer.
func databaseError(err error) error {
	err = fmt.Errorf("--db: %w", err)
	if fault.Is(err, fault.Invalid) {
		return usageError{err}
	}
	return err
}

// migrateCommand is `jetmon migrate`.
type migrateCommand struct {
	Config        string `placeholder:"FILE" help:"The file of a coordinator, for its database: Jetmon's own, or v1's config.json."`
	databaseFlags `embed:""`
}

// Run applies the missing migrations and prints their number.
func (c *migrateCommand) Run(ctx context.Context, p *program) error {
	dsn, err := c.dsn()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	applied, err := sqlstore.Migrate(ctx, dsn)
	if err != nil {
		return databaseError(err)
	}
	if applied == 0 {
		_, err = fmt.Fprintln(p.Out, "nothing to do: the database is up to date")
	} else {
		_, err = fmt.Fprintf(p.Out, "applied %d migrations; the database is up to date\n", applied)
	}
	return err
}
