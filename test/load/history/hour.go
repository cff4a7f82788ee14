//go:build linux

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/coordinator/state/logbook"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/load/machine"
)

// desk is an engine with the notes of one shard at a time.
type desk struct{ book *history.Book }

// TakeNotes implements logbook.Engine.
func (d *desk) TakeNotes(s shard.ID) history.Taken { return d.book.Take(s) }

// ReuseNotes implements logbook.Engine.
func (d *desk) ReuseNotes(t history.Taken) { d.book.Reuse(t) }

// used is what something has used.
type used struct {
	cpu, databaseCPU, wall time.Duration
	statements, commits    int64
	checks                 int
}

// hour has the checks of an hour noted, flushed and folded.
func (b *bench) hour(ctx context.Context) error {
	first, _ := b.today.Hours()
	clock := first.Start()
	d := &desk{history.NewBook()}
	metrics := prometheus.NewRegistry()
	l, err := logbook.New(logbook.Options{
		Engine: d, Store: b.store, Shards: shardtest.New(), Clock: func() time.Time { return clock }, Log: slog.Default(), Metrics: metrics,
	})
	if err != nil {
		return err
	}
	var flush, fold used
	var worst time.Duration
	// The checks before an hour's last flush, and those of the first ten minutes of the next one.
	for round := range 7 {
		from := first.Start().Add(time.Duration(round) * 10 * time.Minute)
		clock = from.Add(10 * time.Minute)
		for s := range shard.ID(shard.Count) {
			notes := b.note(d.book, s, from, clock)
			into := &flush
			if round == 6 {
				into = &fold
			}
			took, err := b.measure(ctx, into, func() { l.Tend(ctx, s) })
			if err != nil {
				return err
			}
			into.checks += notes
			worst = max(worst, took)
		}
	}
	bytes, err := written(metrics)
	if err != nil {
		return err
	}
	checks := flush.checks + fold.checks
	say("an hour of %d sites, 7 flushes of each shard, %d checks", b.sites, checks)
	say("  journal                    %.3f bytes a check, compressed; %.1f MB in all", bytes/float64(checks), bytes/1e6)
	say("  six flushes                %.1f ns a check (all threads), database %.1f s; %d statements, %d commits", perCheck(flush), flush.databaseCPU.Seconds(), flush.statements, flush.commits)
	// The seventh flush is as the six before, and comes with the fold.
	foldCPU := fold.cpu - flush.cpu/6
	statements, commits := fold.statements-flush.statements/6, fold.commits-flush.commits/6
	say("  the fold of the hour       %.1f s of CPU in all shards, database %.1f s; %d statements, %d commits", foldCPU.Seconds(), (fold.databaseCPU - flush.databaseCPU/6).Seconds(), statements, commits)
	say("  writes a second            %.2f statements, %.2f commits, at six flushes and a fold an hour", float64(flush.statements+statements)/3600, float64(flush.commits+commits)/3600)
	say("  longest turn of a shard    %.0f ms (flush and fold)", float64(worst.Microseconds())/1e3)
	return b.memory()
}

func perCheck(u used) float64 { return float64(u.cpu.Nanoseconds()) / float64(u.checks) }

// note notes the checks of a shard's sites in some time, in the order in which they are due.
func (b *bench) note(book *history.Book, s shard.ID, from, to time.Time) (notes int) {
	for i := range shard.BucketsPer {
		bucket := check.BucketID(int(s)*shard.BucketsPer + i)
		ids := b.world.buckets[bucket]
		// Sites of a bucket come in an order that has nothing to do with their ids.
		for k := range ids {
			id := ids[(k*7919)%len(ids)]
			median := b.world.median(id)
			for n := schedule.TurnBefore(id, b.interval, from.Add(-1)) + 1; n <= schedule.TurnBefore(id, b.interval, to.Add(-1)); n++ {
				book.Note(bucket, history.Note{Site: id, Turn: uint32(n), Interval: uint16(b.interval / time.Second), Code: b.world.code(median)})
				notes++
			}
		}
	}
	return notes
}

// measure adds what f uses.
func (b *bench) measure(ctx context.Context, u *used, f func()) (took time.Duration, err error) {
	pid, err := b.db.PID()
	if err != nil {
		return 0, err
	}
	read := func() (x used, err error) {
		var own syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
			return x, err
		}
		x.cpu = time.Duration(own.Utime.Nano() + own.Stime.Nano())
		if x.databaseCPU, err = machine.CPUOf(pid); err != nil {
			return x, err
		}
		for name, into := range map[string]*int64{"Com_commit": &x.commits, "Com_insert": &x.statements, "Com_replace": &x.statements, "Com_update": &x.statements, "Com_delete": &x.statements} {
			var n int64
			if err := b.db.DB.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE '"+name+"'").Scan(new(string), &n); err != nil {
				return x, fmt.Errorf("read %s: %w", name, err)
			}
			*into += n
		}
		return x, nil
	}
	before, err := read()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	f()
	took = time.Since(began)
	after, err := read()
	u.cpu += after.cpu - before.cpu
	u.databaseCPU += after.databaseCPU - before.databaseCPU
	u.statements += after.statements - before.statements
	u.commits += after.commits - before.commits
	u.wall += took
	return took, err
}

// written reads how many bytes the logbook says it has written, and that nothing was dropped.
func written(r *prometheus.Registry) (bytes float64, err error) {
	families, err := r.Gather()
	for _, f := range families {
		switch m := f.GetMetric()[0]; f.GetName() {
		case "jetmon_history_written_bytes_total":
			bytes = m.GetCounter().GetValue()
		case "jetmon_history_dropped_total", "jetmon_history_damaged_total":
			if m.GetCounter().GetValue() != 0 {
				err = fmt.Errorf("%s is not 0", f.GetName())
			}
		}
	}
	return bytes, err
}

// memory says what the process has needed at most.
func (b *bench) memory() error {
	m, err := machine.MemoryOf(os.Getpid())
	runtime.GC()
	say("  memory of this program     %d MiB at most", m.Peak>>20)
	return err
}
