//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/test/load/machine"
)

// plan is what to measure.
type plan struct {
	sites, full, reads int
	interval           time.Duration
	durable            bool
	profile            string
}

func main() {
	var p plan
	flag.IntVar(&p.sites, "sites", 1_000_000, "sites, 65536..20000000")
	flag.IntVar(&p.full, "full", 4, "buckets whose days are written turn by turn, 1..512")
	flag.IntVar(&p.reads, "reads", 300, "reads of a site that are timed")
	flag.DurationVar(&p.interval, "interval", 5*time.Minute, "the interval of all sites")
	flag.BoolVar(&p.durable, "flush", true, "have the database flush each transaction")
	flag.StringVar(&p.profile, "cpuprofile", "", "write a profile of the reads of 1,000 sites here")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	if err := run(ctx, p); err != nil {
		fmt.Fprintln(os.Stderr, "history:", err)
		os.Exit(1)
	}
}

// days are how many there are before today.
const days = 30

// bench is what is measured.
type bench struct {
	plan
	db    *machine.Database
	store *sqlstore.Store
	world *world
	// today is the day whose hours are in the journal.
	today history.Day
}

func run(ctx context.Context, p plan) (err error) {
	if p.sites < 1<<history.PartBits || p.sites > 20_000_000 || p.full < 1 || p.full > 512 || p.reads < 1 || p.interval < time.Minute {
		return errors.New("see -help for the ranges")
	}
	start := machine.StartDatabase
	if p.durable {
		start = machine.StartDurableDatabase
	}
	db, err := start(ctx, p.sites)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Stop()) }()
	s, err := sqlstore.Open(ctx, db.DSN(), sqlstore.Options{Migrate: true, Log: slog.Default()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for id := range shard.ID(shard.Count) {
		if _, err := s.ClaimShard(ctx, id, shard.Owner{Node: shardtest.Node, TTL: 24 * time.Hour}, time.Now()); err != nil {
			return err
		}
	}
	// Yesterday is over by now, and its last hour has been folded.
	b := &bench{plan: p, db: db, store: s, world: newWorld(p), today: history.DayOf(time.Now().Add(-2 * time.Hour))}
	for _, part := range []func(context.Context) error{b.hour, b.fill, b.read} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }
