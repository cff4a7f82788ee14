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

// dsn is the database's.
func (f databaseFlags) dsn() (string, error) { return resolveDSN("--db", f.DB) }

// resolveDSN resolves @FILE, which keeps the password out of the list of processes.
func resolveDSN(flag, value string) (string, error) {
	path, inFile := strings.CutPrefix(value, "@")
	if !inFile {
		return value, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", usagef("%s: %w", flag, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// replicaFlags select who else may answer what is read.
type replicaFlags struct {
	DBRead    string        `name:"db-read" placeholder:"DSN" help:"Replicas of the database, for lists of outages and incidents and for exports, which may then lag; @FILE as in --db. One that is behind or away is not asked."`
	DBReadLag time.Duration `name:"db-read-lag" default:"5s" help:"How far a replica of --db-read may be behind."`
}

// replicas returns the DSN of the replicas, empty for none.
func (f replicaFlags) replicas() (string, error) {
	dsn, err := resolveDSN("--db-read", f.DBRead)
	if err != nil || dsn == "" {
		return "", err
	}
	if f.DBReadLag <= 0 {
		return "", usagef("--db-read-lag must be longer than nothing, is %s", f.DBReadLag)
	}
	if _, err := sqlstore.ParseDSN(dsn); err != nil {
		return "", usagef("--db-read: %w", err)
	}
	return dsn, nil
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
