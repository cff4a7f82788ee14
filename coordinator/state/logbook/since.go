package logbook

import (
	"context"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/coordinator/state/store"
)

const (
	// sinceStep is how many days of the fleet are read together.
	sinceStep = 32
	// sinceKept is how long what was found is good: it changes as old days are deleted.
	sinceKept = time.Hour
	// sinceYoung is the same in the first hour of all, and before.
	sinceYoung = 10 * time.Second
)

// beginning remembers since when anything is kept.
type beginning struct {
	mu    sync.Mutex
	since time.Time
	until time.Time // when it is looked up again
}

// Since returns since when turns are kept without a break of a month, zero when none are. In
// which hour that was is exact; before the first hour is summed up, it is the first flush.
func (r *Reader) Since(ctx context.Context) (time.Time, error) {
	b := &r.beginning
	b.mu.Lock()
	since, good := b.since, r.now().Before(b.until)
	b.mu.Unlock()
	if good {
		return since, nil
	}
	since, kept, err := r.firstOfFleet(ctx)
	if err == nil && since.IsZero() {
		since, err = r.firstFlush(ctx)
	}
	if err != nil {
		return time.Time{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.since, b.until = since, r.now().Add(kept)
	return since, nil
}

// firstOfFleet returns the first hour of which the fleet has anything, and for how long that is
// good.
func (r *Reader) firstOfFleet(ctx context.Context) (since time.Time, kept time.Duration, err error) {
	first := history.Day(0)
	for end := history.DayOf(r.now()) + 2; ; end -= sinceStep {
		rows, err := r.store.FleetDays(ctx, end-sinceStep, end)
		if err != nil {
			return time.Time{}, 0, err
		}
		if len(rows) == 0 {
			break
		}
		first = rows[0].Day
		for _, row := range rows {
			first = min(first, row.Day)
		}
		if first > end-sinceStep+1 {
			break
		}
	}
	if first == 0 {
		return time.Time{}, sinceYoung, nil
	}
	at, end := first.Hours()
	hours, _, err := r.Fleet(ctx, at, end)
	if err == nil && len(hours) > 0 {
		at = hours[0].Hour
	}
	return at.Start(), sinceKept, err
}

// firstFlush returns when the first checks were made of those in the journal.
func (r *Reader) firstFlush(ctx context.Context) (since time.Time, err error) {
	for s := range shard.ID(shard.Count) {
		rows, err := r.store.ListChecks(ctx, s, history.HourOf(r.now())+2)
		if err != nil {
			return time.Time{}, err
		}
		for _, row := range rows {
			at := row.Hour.Start()
			if row.N >= store.FoldedRows {
				at = uptime.Latest(at, madeAt(row.N).Add(-DefaultFlushEvery))
			}
			if since.IsZero() || at.Before(since) {
				since = at
			}
		}
	}
	return since, nil
}
