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
)

// plan describes the measurement.
type plan struct {
	sites    int
	interval time.Duration
	length   time.Duration // of a phase
	settle   time.Duration
	checkers int
	inFlight int // of each checker
	capacity int // checks per second of all checkers in the second phase; 0: one phase
	down     int // percent of the sites, down since before the run
	failing  int // percent of the checks
	latency  time.Duration
	spread   time.Duration
	program  string
	gogc     string
	memory   string
	profiles string
}

func main() {
	var p plan
	flag.IntVar(&p.sites, "sites", 200_000, "rows of the legacy table")
	flag.DurationVar(&p.interval, "interval", 5*time.Minute, "each site's interval, in whole minutes")
	flag.DurationVar(&p.length, "for", 6*time.Minute, "length of a phase")
	flag.DurationVar(&p.settle, "settle", 15*time.Second, "time between the load and the first phase")
	flag.IntVar(&p.checkers, "checkers", 4, "number of simulated checkers")
	flag.IntVar(&p.inFlight, "in-flight", 0, "in-flight limit of each checker; 0 means three seconds' worth, at least 1000")
	flag.IntVar(&p.capacity, "capacity", 0, "checks per second that all checkers together answer in the second of three phases; 0: one phase without a limit")
	flag.IntVar(&p.down, "down", 0, "percentage of sites that are down, since before the run")
	flag.IntVar(&p.failing, "failing", 0, "percentage of checks that fail although their site is up, each about once")
	flag.DurationVar(&p.latency, "latency", 50*time.Millisecond, "shortest time of a check")
	flag.DurationVar(&p.spread, "spread", 0, "how much longer a check may take; with it a batch comes back in parts")
	flag.StringVar(&p.program, "bin", "", "the jetmon program; by default it is built")
	flag.StringVar(&p.gogc, "gogc", "", "GOGC of the coordinator")
	flag.StringVar(&p.memory, "gomemlimit", "", "GOMEMLIMIT of the coordinator")
	flag.StringVar(&p.profiles, "profiles", "", "directory for a CPU and a heap profile of the coordinator in each phase")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := p.check(); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(2)
	}
	if err := measure(ctx, p); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

const (
	maxSites    = 50_000_000
	maxCheckers = 256
	maxPhase    = time.Hour
)

func (p *plan) check() error {
	switch {
	case p.sites < 1 || p.sites > maxSites:
		return fmt.Errorf("-sites must be from 1 to %d", maxSites)
	case p.interval < time.Minute || p.interval > 255*time.Minute || p.interval%time.Minute != 0:
		return errors.New("-interval must be from 1m to 255m, in whole minutes")
	case p.length < time.Second || p.length > maxPhase || p.settle < 0 || p.settle > maxPhase:
		return fmt.Errorf("-for must be from 1s to %s, -settle at most that", maxPhase)
	case p.checkers < 1 || p.checkers > maxCheckers:
		return fmt.Errorf("-checkers must be from 1 to %d", maxCheckers)
	case p.inFlight < 0 || p.inFlight > 1_000_000 || p.capacity < 0:
		return errors.New("-in-flight must be from 0 to 1000000, -capacity not negative")
	case p.down < 0 || p.down > 100 || p.failing < 0 || p.failing > 100:
		return errors.New("-down and -failing must be from 0 to 100")
	case p.latency < 0 || p.spread < 0 || p.latency+p.spread > 20*time.Second:
		return errors.New("-latency and -spread must be at most 20s together")
	}
	if p.inFlight == 0 {
		p.inFlight = max(1000, int(3*p.demand())/p.checkers)
	}
	return nil
}

// demand returns how many checks per second the sites' intervals ask for.
func (p *plan) demand() float64 { return float64(p.sites) / p.interval.Seconds() }

// phase is one part of a run.
type phase struct {
	name     string
	capacity int // checks per second of all checkers; 0: no limit
}

func (p *plan) phases() []phase {
	if p.capacity == 0 {
		return []phase{{name: "steady"}}
	}
	return []phase{{name: "before"}, {name: "short", capacity: p.capacity}, {name: "after"}}
}
