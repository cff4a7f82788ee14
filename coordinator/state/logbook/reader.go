package logbook

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

const (
	// settling is how long after its turn a check may still count, as a rule.
	settling = 30 * time.Second
	// blindFor is how long ago the newest known turn is at most. What is older and not there is
	// none: nobody is going to write it.
	blindFor = 15 * time.Minute
	// foldedBy is how long after it begins an hour is summed up, at the latest.
	foldedBy = 90 * time.Minute
)

// Reader reads. NewReader makes one. It is safe for concurrent use.
type Reader struct {
	store store.Checks
	shelf *shelf
	now   func() time.Time

	beginning beginning
}

// NewReader makes a Reader. It logs damaged rows, each once.
func NewReader(s store.Checks, log *slog.Logger) *Reader {
	return &Reader{store: s, shelf: newShelf(log), now: time.Now}
}

// Damaged returns how many damaged rows were met.
func (r *Reader) Damaged() uint64 { return r.shelf.damaged.Load() }

// Turns returns the turns of one site from a moment up to another, without end, and until when
// they are known. What is before that and not in a strip is none; of what is later nothing can
// be said yet.
func (r *Reader) Turns(ctx context.Context, site record.Site, from, to time.Time) (history.Sheet, time.Time, error) {
	if !from.Before(to) {
		return history.Sheet{}, to, nil
	}
	first, end := history.HourOf(from), history.HourOf(to.Add(-1))+1
	var sheets []*history.Sheet
	keep := func(s *history.Sheet) {
		if s != nil && len(s.Strips) > 0 {
			sheets = append(sheets, s)
		}
	}
	span := store.DaySpan{Kind: store.DayChecks, First: first.Day(), End: (end - 1).Day() + 1}
	part := store.PartKey{Bucket: site.Bucket, Part: history.PartOf(site.ID)}
	err := r.store.CheckDays(ctx, span, []store.PartKey{part}, func(d store.DayRow) error {
		keep(r.shelf.dayStrips(d, site.ID))
		return nil
	})
	if err != nil {
		return history.Sheet{}, time.Time{}, err
	}
	now := r.now()
	until := now.Add(-blindFor)
	err = r.store.Checks(ctx, []check.BucketID{site.Bucket}, first, end, func(c store.CheckRow) error {
		known := (c.Hour + 1).Start()
		if c.N >= store.FoldedRows {
			known = madeAt(c.N).Add(-settling)
		}
		if !known.After(now) { // else a clock was wrong when it was made
			until = uptime.Latest(until, known)
		}
		keep(r.shelf.strips(c, site.ID))
		return nil
	})
	if err != nil {
		return history.Sheet{}, time.Time{}, err
	}
	// The number of a row may be ahead of the clock when many shards are flushed at once.
	return *history.Merge(from, to, sheets...), uptime.Earliest(to, uptime.Earliest(until, now.Add(-settling))), nil
}

// Fleet returns what the turns of all sites came to in each hour from one up to another, without
// end, and until when that is known. Hours in which no site was checked are left out.
func (r *Reader) Fleet(ctx context.Context, from, to history.Hour) ([]history.FleetHour, time.Time, error) {
	if from >= to {
		return nil, to.Start(), nil
	}
	rows, err := r.store.FleetDays(ctx, from.Day(), (to-1).Day()+1)
	if err != nil {
		return nil, time.Time{}, err
	}
	all := map[history.Hour]*history.Tally{}
	var last [shard.Count]history.Hour
	for _, row := range rows {
		f := r.shelf.fleet(row)
		if f == nil {
			continue
		}
		first, _ := row.Day.Hours()
		for i := range f {
			hour := first + history.Hour(i)
			if f[i].Turns() == 0 {
				continue
			}
			last[row.Shard] = max(last[row.Shard], hour+1)
			if hour < from || hour >= to {
				continue
			}
			if all[hour] == nil {
				all[hour] = new(history.Tally)
			}
			all[hour].Merge(&f[i])
		}
	}
	var hours []history.FleetHour
	for hour, t := range all {
		hours = append(hours, history.FleetHour{Hour: hour, Tally: *t})
	}
	slices.SortFunc(hours, func(a, b history.FleetHour) int { return int(a.Hour - b.Hour) })
	return hours, min(to, max(r.summedUp(), lowest(last))).Start(), nil
}

// summedUp returns the hour before which everything has been summed up.
func (r *Reader) summedUp() history.Hour { return history.HourOf(r.now().Add(-foldedBy)) + 1 }

// lowest returns the lowest hour that is not 0.
func lowest(of [shard.Count]history.Hour) (low history.Hour) {
	for _, h := range of {
		if h != 0 && (low == 0 || h < low) {
			low = h
		}
	}
	return low
}
