//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/Automattic/jetmon/test/load/machine"
)

// plan is what to measure.
type plan struct {
	sites, others     int
	addresses         int
	interval, recheck time.Duration
	away              bool
	program           string
}

func main() {
	var p plan
	flag.IntVar(&p.sites, "sites", 10_000, "sites of the host that fails")
	flag.IntVar(&p.addresses, "addresses", 50, "addresses of that host, in one network; a coordinator makes ten checks at once of each")
	flag.IntVar(&p.others, "others", 2000, "sites of other hosts, which work")
	flag.DurationVar(&p.interval, "interval", time.Minute, "interval of all sites")
	flag.DurationVar(&p.recheck, "recheck", 5*time.Second, "time between the checks of a failing site")
	flag.BoolVar(&p.away, "away", true, "WordPress.com is away until all sites are down")
	flag.StringVar(&p.program, "jetmon", "", "the program to measure; by default it is built")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, runWithin)
	defer cancel()
	if err := p.check(); err != nil {
		fmt.Fprintln(os.Stderr, "outage:", err)
		os.Exit(2)
	}
	if err := run(ctx, p); err != nil {
		fmt.Fprintln(os.Stderr, "outage:", err)
		os.Exit(1)
	}
}

// runWithin limits the whole run.
const runWithin = time.Hour

func (p *plan) check() error {
	switch {
	case p.sites < 10 || p.sites > 100_000 || p.others < 1 || p.others > 100_000:
		return errors.New("-sites must be from 10 to 100000, -others from 1 to that")
	case p.addresses < 1 || p.addresses > min(250, p.sites):
		return errors.New("-addresses must be from 1 to 250")
	case p.interval < time.Second || p.interval > 10*time.Minute || p.recheck < time.Second || p.recheck > time.Minute:
		return errors.New("-interval must be from 1s to 10m, -recheck from 1s to 1m")
	}
	return nil
}

func run(ctx context.Context, p plan) (err error) {
	dir, err := os.MkdirTemp("", "jetmon-outage-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if p.program == "" {
		if p.program, err = machine.Build(ctx, dir); err != nil {
			return err
		}
	}
	d, err := machine.StartDatabase(ctx, p.sites+p.others)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Stop()) }()
	if err := machine.Migrate(ctx, p.program, d.DSN()); err != nil {
		return err
	}
	w, err := newWorld(p)
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.fill(ctx, d.DB); err != nil {
		return err
	}
	s, err := startSystem(ctx, p, d.DSN(), w)
	if err != nil {
		return err
	}
	defer s.close()
	return (&story{plan: p, db: d.DB, world: w, system: s}).play(ctx)
}
