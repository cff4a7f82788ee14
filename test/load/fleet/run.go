//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/test/load/machine"
)

const (
	// loadWithin limits the load of all sites.
	loadWithin = 20 * time.Minute
	sampleEach = time.Second
	// grace is how much longer than its interval a site may go without a check.
	grace = 30 * time.Second
)

// measure does a whole run.
func measure(ctx context.Context, p plan) (err error) {
	dir, err := os.MkdirTemp("", "jetmon-fleet-bin-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if p.program == "" {
		if p.program, err = machine.Build(ctx, dir); err != nil {
			return err
		}
	}
	d, err := machine.StartDatabase(ctx, p.sites)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Stop()) }()
	if err := machine.Migrate(ctx, p.program, d.DSN()); err != nil {
		return err
	}
	began := time.Now()
	if err := fill(ctx, d, p.sites, p.interval, p.down); err != nil {
		return err
	}
	fmt.Printf("%d rows written in %s\n", p.sites, time.Since(began).Round(time.Millisecond))
	bare, err := bareScans(ctx, d, p.sites)
	if err != nil {
		return err
	}
	server, err := d.PID()
	if err != nil {
		return err
	}
	before, err := machine.CPUOf(server)
	if err != nil {
		return err
	}
	c, err := startCoordinator(ctx, p, p.program, d.DSN())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	r := &run{plan: p, database: d, coordinator: c, bare: bare, base: before, sights: newSights(p.sites, time.Now())}
	return r.watch(ctx)
}

// run holds the parts of a running measurement.
type run struct {
	plan        plan
	database    *machine.Database
	coordinator *coordinator
	bare        []bareScan
	base        time.Duration // the database's CPU before the coordinator was started
	sights      *sights
	checkers    []*checker
}

// watch waits for the load, connects the checkers and measures the phases.
func (r *run) watch(ctx context.Context) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	for i := range r.plan.checkers {
		c := newChecker(i, r.plan, r.sights)
		r.checkers = append(r.checkers, c)
		group.Go(func() error { return c.run(ctx, r.coordinator.address) })
	}
	group.Go(func() error {
		defer stop()
		if err := wait(ctx, r.plan.settle); err != nil {
			return err
		}
		printHead(r.plan)
		for _, ph := range r.plan.phases() {
			f, err := r.measure(ctx, ph)
			if err != nil {
				return err
			}
			f.print()
		}
		return nil
	})
	err := group.Wait()
	stop()
	return err
}

// load waits until all sites are on the schedule.
func (r *run) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadWithin)
	defer cancel()
	for {
		s, err := r.coordinator.status(ctx)
		if err != nil {
			return err
		}
		if s.GetSites() >= uint64(r.plan.sites) {
			break
		}
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d sites were loaded: %w", s.GetSites(), r.plan.sites, err)
		}
	}
	took := time.Since(r.coordinator.started)
	server, err := r.database.PID()
	if err != nil {
		return err
	}
	cpu, err := cpuOfAll(r.coordinator.pid(), server)
	if err != nil {
		return err
	}
	m, err := machine.MemoryOf(r.coordinator.pid())
	if err != nil {
		return err
	}
	alone, err := r.coordinator.loaded(ctx, r.plan.sites)
	if err != nil {
		return err
	}
	n := float64(r.plan.sites)
	beside(r.bare, n/alone.Seconds())
	fmt.Printf("loaded in %s since the process was started, the load alone in %s, as it says itself; CPU of all that a row: %.2f us, %.2f us of the database; %s resident, %s at most\n",
		took.Round(time.Millisecond), alone, 1e6*cpu[0].Seconds()/n, 1e6*(cpu[1]-r.base).Seconds()/n, mib(m.Now), mib(m.Peak))
	return nil
}

// costs are counters that only rise.
type costs struct {
	at        time.Time
	cpu, base time.Duration // of the coordinator, and of the database
	work      work
}

func (r *run) costs(ctx context.Context) (c costs, err error) {
	pid, err := r.database.PID()
	if err != nil {
		return c, err
	}
	c.at = time.Now()
	if c.cpu, err = machine.CPUOf(r.coordinator.pid()); err != nil {
		return c, err
	}
	if c.base, err = machine.CPUOf(pid); err != nil {
		return c, err
	}
	c.work, err = counts(ctx, r.database)
	return c, err
}

// measure measures one phase.
func (r *run) measure(ctx context.Context, ph phase) (*figures, error) {
	for _, c := range r.checkers {
		c.limit(float64(ph.capacity) / float64(len(r.checkers)))
		c.take() // drops what came before the phase
	}
	if err := machine.ResetPeak(r.coordinator.pid()); err != nil {
		return nil, err
	}
	f := &figures{phase: ph, plan: r.plan}
	before, err := r.costs(ctx)
	if err != nil {
		return nil, err
	}
	fetched := make(chan error, 1)
	go func() { fetched <- r.profile(ctx, ph) }()
	if err := r.sample(ctx, f, before.at); err != nil {
		return nil, err
	}
	after, err := r.costs(ctx)
	if err != nil {
		return nil, err
	}
	if err := <-fetched; err != nil {
		return nil, err
	}
	f.tally = newTally()
	for _, c := range r.checkers {
		f.tally.add(c.take())
	}
	f.wall, f.cpu, f.base = after.at.Sub(before.at), after.cpu-before.cpu, after.base-before.base
	f.work = after.work.since(before.work)
	f.unseen = r.sights.unseen(after.at, r.plan.interval+grace)
	f.memory, err = machine.MemoryOf(r.coordinator.pid())
	return f, err
}

// sample reads the coordinator's status every second, until the phase is over.
func (r *run) sample(ctx context.Context, f *figures, began time.Time) error {
	for time.Since(began) < r.plan.length {
		if err := wait(ctx, sampleEach); err != nil {
			return err
		}
		s, err := r.coordinator.status(ctx)
		if err != nil {
			return err
		}
		m, err := machine.MemoryOf(r.coordinator.pid())
		if err != nil {
			return err
		}
		f.sampled(time.Since(began), s, m)
	}
	return nil
}

// profile fetches profiles when the phase is half over.
func (r *run) profile(ctx context.Context, ph phase) error {
	if r.plan.profiles == "" {
		return nil
	}
	length := min(profileFor, r.plan.length/2)
	if err := wait(ctx, r.plan.length/2); err != nil {
		return nil // the run ends, and reports the reason itself
	}
	file := func(kind string) string { return filepath.Join(r.plan.profiles, ph.name+"."+kind) }
	return errors.Join(
		r.coordinator.profile(ctx, fmt.Sprintf("profile?seconds=%d", max(1, int(length.Seconds()))), file("cpu")),
		r.coordinator.profile(ctx, "allocs", file("allocs")),
	)
}

// wait waits for d, or returns ctx's error when ctx ends first.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
