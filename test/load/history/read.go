//go:build linux

package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/logbook"
	"github.com/Automattic/jetmon/internal/check"
)

// read times reads, one after the other. All that is read lies in the memory of the database.
func (b *bench) read(ctx context.Context) error {
	r := logbook.NewReader(b.store, slog.Default())
	from, to := (b.today - days).Start(), b.today.Start()
	rest := int(to.Sub(from) / b.interval)
	raw, err := b.times(func(s record.Site) error {
		sheet, _, err := r.Turns(ctx, s, from, to)
		if err == nil && (len(sheet.Strips) != 1 || len(sheet.Strips[0].Codes) < rest-2) {
			return errors.New("turns are missing")
		}
		return err
	})
	if err != nil {
		return err
	}
	today, err := b.times(func(s record.Site) error {
		_, _, err := r.Turns(ctx, s, to, to.Add(24*time.Hour))
		return err
	})
	if err != nil {
		return err
	}
	byDay, err := b.times(func(s record.Site) error {
		n := 0
		_, err := r.Days(ctx, []record.Site{s}, b.today-days, b.today, func(check.SiteID, history.Day, []history.Summary) { n++ })
		if err == nil && n != days {
			return errors.New("days are missing")
		}
		return err
	})
	if err != nil {
		return err
	}
	many, err := b.many(ctx, r)
	if err != nil {
		return err
	}
	say("reads, %d each, one after the other", b.reads)
	say("  a site's 30 days, raw      %s", percentiles(raw))
	say("  a site's hour of today     %s", percentiles(today))
	say("  a site's 30 days, by day   %s", percentiles(byDay))
	say("  1,000 sites, 30 days       %s", percentiles(many))
	if r.Damaged() != 0 {
		return errors.New("rows are damaged")
	}
	return nil
}

// many times the statistics of many sites.
func (b *bench) many(ctx context.Context, r *logbook.Reader) (many []time.Duration, err error) {
	if b.profile != "" {
		f, err := os.Create(b.profile)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
		defer pprof.StopCPUProfile()
	}
	sites := b.sample()
	for range 10 {
		began := time.Now()
		var t history.Tally
		n := 0
		_, err := r.Days(ctx, sites, b.today-days, b.today, func(_ check.SiteID, _ history.Day, sums []history.Summary) {
			n++
			for i := range sums {
				t.Add(&sums[i])
			}
		})
		many = append(many, time.Since(began))
		if err != nil {
			return nil, err
		}
		if n < sampled*days*99/100 { // a site may have been sampled twice
			return nil, errors.New("days of many sites are missing")
		}
	}
	return many, nil
}

// times times reads of random sites of the buckets that are whole.
func (b *bench) times(f func(record.Site) error) (took []time.Duration, err error) {
	random := rand.New(rand.NewPCG(4, 5))
	for range b.reads {
		bucket := check.BucketID(random.IntN(b.full) * check.Buckets / b.full)
		ids := b.world.buckets[bucket]
		s := record.Site{ID: ids[random.IntN(len(ids))], Bucket: bucket, Interval: b.interval}
		began := time.Now()
		if err := f(s); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

func percentiles(d []time.Duration) string {
	slices.Sort(d)
	at := func(p int) time.Duration { return d[min(len(d)-1, len(d)*p/100)].Round(100 * time.Microsecond) }
	return "p50 " + at(50).String() + ", p99 " + at(99).String()
}
