//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/Automattic/jetmon/test/load/machine"
)

// plan is what to measure.
type plan struct {
	watchers, streams, slow int
	rate, sites, group      int
	lasts                   time.Duration
	program                 string
	sqlite                  bool
}

func main() {
	var p plan
	flag.IntVar(&p.watchers, "watchers", 1000, "how many watch")
	flag.IntVar(&p.streams, "streams", 20, "how many of them share a connection")
	flag.IntVar(&p.slow, "slow", 2, "how many of them stop reading in the middle")
	flag.IntVar(&p.rate, "rate", 1000, "changes a second")
	flag.IntVar(&p.sites, "sites", 6400, "sites that change in turn")
	flag.IntVar(&p.group, "group", 50, "changes of a transaction")
	flag.DurationVar(&p.lasts, "for", time.Minute, "how long changes are committed")
	flag.StringVar(&p.program, "jetmon", "", "the program to measure; by default it is built")
	flag.BoolVar(&p.sqlite, "sqlite", false, "SQLite instead of MariaDB")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, p.lasts+10*time.Minute)
	defer cancel()
	if err := run(ctx, p); err != nil {
		fmt.Fprintln(os.Stderr, "watch:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, p plan) (err error) {
	if p.watchers < 1 || p.streams < 1 || p.rate < 1 || p.group < 1 || p.group > 100 || p.sites < p.group || p.slow > p.watchers {
		return fmt.Errorf("-watchers, -streams, -rate, -sites and -slow must be sensible, -group from 1 to 100")
	}
	dir, err := os.MkdirTemp("", "jetmon-watch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if p.program == "" {
		if p.program, err = machine.Build(ctx, dir); err != nil {
			return err
		}
	}
	dsn := "sqlite:" + filepath.Join(dir, "jetmon.db")
	if !p.sqlite {
		d, err := machine.StartDatabase(ctx, p.sites)
		if err != nil {
			return err
		}
		defer func() {
			if stopped := d.Stop(); err == nil {
				err = stopped
			}
		}()
		dsn = d.DSN()
	}
	if err := machine.Migrate(ctx, p.program, dsn); err != nil {
		return err
	}
	coordinator, err := machine.Start(ctx, p.program, "coordinator", "--db="+dsn, "--node=watch", "--listen=127.0.0.1:0", "--insecure",
		"--db-updates", "--no-notify", "--diagnose-metadata-url=none", "--veriflier=name=nobody,region=loopback,addr=127.0.0.1:1")
	if err != nil {
		return err
	}
	defer coordinator.Stop()
	return measure(ctx, p, dsn, coordinator)
}

func measure(ctx context.Context, p plan, dsn string, coordinator *machine.Role) error {
	w, err := newWriter(ctx, p, dsn)
	if err != nil {
		return err
	}
	defer w.close()
	c, err := newCrowd(ctx, p, coordinator.Address)
	if err != nil {
		return err
	}
	defer c.close()
	fmt.Printf("%d watch over %d connections; %d changes a second of %d sites, %d a transaction\n",
		p.watchers, len(c.conns), p.rate, p.sites, p.group)
	m, err := newMeter(coordinator.PID(), c)
	if err != nil {
		return err
	}
	if err := w.write(ctx, p, m.show); err != nil {
		return err
	}
	missing := c.settle(ctx, w.committed)
	if err := m.show(w.committed); err != nil {
		return err
	}
	return c.report(w, missing)
}

// meter shows what the coordinator needs.
type meter struct {
	pid   int
	crowd *crowd
	began time.Time
	last  time.Time
	cpu   [2]time.Duration // of the coordinator, and of this program
	seen  int64
}

func newMeter(pid int, c *crowd) (*meter, error) {
	m := &meter{pid: pid, crowd: c, began: time.Now(), last: time.Now()}
	return m, m.read(&m.cpu)
}

func (m *meter) read(cpu *[2]time.Duration) (err error) {
	for i, pid := range []int{m.pid, os.Getpid()} {
		if cpu[i], err = machine.CPUOf(pid); err != nil {
			return err
		}
	}
	return nil
}

// show prints a line about the time since the last one.
func (m *meter) show(committed int64) error {
	var cpu [2]time.Duration
	if err := m.read(&cpu); err != nil {
		return err
	}
	memory, err := machine.MemoryOf(m.pid)
	if err != nil {
		return err
	}
	now, seen := time.Now(), m.crowd.seen.Load()
	took := now.Sub(m.last).Seconds()
	fmt.Printf("%5.0f s: %7d committed, %9.0f delivered/s; coordinator %4.2f cores, %4d MiB (peak %d); this program %4.2f cores; dropped %d\n",
		now.Sub(m.began).Seconds(), committed, float64(seen-m.seen)/took, (cpu[0]-m.cpu[0]).Seconds()/took,
		memory.Now>>20, memory.Peak>>20, (cpu[1]-m.cpu[1]).Seconds()/took, m.crowd.dropped.Load())
	m.last, m.cpu, m.seen = now, cpu, seen
	return nil
}
