//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/Automattic/jetmon/test/load/machine"
)

// plan is what to measure.
type plan struct {
	sites, rows, rounds int
	each                time.Duration
	program             string
	only                string
}

func main() {
	var p plan
	flag.IntVar(&p.sites, "sites", 250_000, "how many sites to put into the table")
	flag.IntVar(&p.rows, "import", 100_000, "how many rows to import; 0: none")
	flag.IntVar(&p.rounds, "rounds", 3, "how often to repeat a comparison")
	flag.DurationVar(&p.each, "for", 3*time.Second, "time of each kind of call in a round")
	flag.StringVar(&p.program, "jetmon", "", "the program to measure; by default it is built")
	flag.StringVar(&p.only, "only", "", "measure only: get, lists, import or cli")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, p); err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, p plan) error {
	dir, err := os.MkdirTemp("", "jetmon-api-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if p.program == "" {
		if p.program, err = machine.Build(ctx, dir); err != nil {
			return err
		}
	}
	d, err := machine.StartDatabase(ctx, p.sites+p.rows)
	if err != nil {
		return err
	}
	err = measure(ctx, p, d)
	if stopped := d.Stop(); err == nil {
		err = stopped
	}
	return err
}

func measure(ctx context.Context, p plan, d *machine.Database) error {
	if err := machine.Migrate(ctx, p.program, d.DSN()); err != nil {
		return err
	}
	if err := fill(ctx, d, p.sites); err != nil {
		return err
	}
	h, err := openHouse(ctx, p.program, d.DSN())
	if err != nil {
		return err
	}
	defer h.close()
	if h.database, err = d.PID(); err != nil {
		return err
	}
	if err := h.indexed(ctx, d); err != nil {
		return err
	}
	fmt.Printf("%d sites; a gateway, a coordinator and MariaDB on this machine\n", p.sites)
	for _, part := range []struct {
		name string
		run  func(context.Context, plan) error
	}{{"get", h.gets}, {"lists", h.lists}, {"import", h.imports}, {"cli", h.commands}} {
		if p.only != "" && p.only != part.name {
			continue
		}
		if err := part.run(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}
