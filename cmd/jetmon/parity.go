package main

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/trial"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
)

// parityCommand is `jetmon parity`.
type parityCommand struct {
	databaseFlags `embed:""`
	JSON          bool   `name:"json" help:"Print JSON: the sites about which v1 and Jetmon do not agree, then the report."`
	CSV           string `name:"csv" placeholder:"FILE" help:"Write the sites about which v1 and Jetmon do not agree to this file; - for standard output, without the table."`
	First         int    `default:"20" help:"How many of these sites the table shows."`
}

// Run compares what v1 and Jetmon have decided.
func (c *parityCommand) Run(ctx context.Context, p *program) (err error) {
	if c.JSON && c.CSV != "" {
		return usagef("--json and --csv exclude each other")
	}
	db, err := c.open(ctx, sqlstore.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	o := trial.Options{Now: time.Now()}
	switch {
	case c.JSON:
		return c.json(ctx, db, o, p.Out)
	case c.CSV == "-":
		return c.csv(ctx, db, o, p.Out, io.Discard)
	case c.CSV != "":
		file, err := os.Create(c.CSV)
		if err != nil {
			return usagef("--csv: %w", err)
		}
		return errors.Join(c.csv(ctx, db, o, file, p.Out), file.Close())
	default:
		return c.table(ctx, db, o, p.Out, nil)
	}
}

func (c *parityCommand) json(ctx context.Context, db *sqlstore.Store, o trial.Options, out io.Writer) error {
	j, err := trial.NewJSON(out)
	if err != nil {
		return err
	}
	o.Found = j.Found
	r, err := trial.Compare(ctx, db, o)
	if err != nil {
		return err
	}
	return j.End(r)
}

func (c *parityCommand) csv(ctx context.Context, db *sqlstore.Store, o trial.Options, file, out io.Writer) error {
	lines, err := trial.NewCSV(file)
	if err != nil {
		return err
	}
	return errors.Join(c.table(ctx, db, o, out, lines.Found), lines.End())
}

// table prints the table; each finding goes to found, too, unless that is nil.
func (c *parityCommand) table(ctx context.Context, db *sqlstore.Store, o trial.Options, out io.Writer, found func(*trial.Finding) error) error {
	var first []trial.Finding
	o.Found = func(f *trial.Finding) error {
		if len(first) < c.First {
			first = append(first, *f)
		}
		if found == nil {
			return nil
		}
		return found(f)
	}
	r, err := trial.Compare(ctx, db, o)
	if err != nil {
		return err
	}
	return trial.Table(out, r, first)
}

// open opens the database of a command that ends by itself.
func (f databaseFlags) open(ctx context.Context, o sqlstore.Options) (*sqlstore.Store, error) {
	dsn, err := f.dsn()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	db, err := sqlstore.Open(ctx, dsn, o)
	if err != nil {
		return nil, databaseError(err)
	}
	return db, nil
}
