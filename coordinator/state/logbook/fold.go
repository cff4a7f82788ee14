package logbook

import (
	"context"
	"errors"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	// foldAfter is how long after its end an hour is folded: its last checks have come by then.
	foldAfter = 3 * time.Minute
	// dayAfter is how many hours after its end a day is folded: until then it is known which checker
	// made each check, and people ask for that of the last hours.
	dayAfter = history.Hour(7)
	// foldTimeout bounds the work on one bucket.
	foldTimeout = time.Minute
)

// fold folds the hours of a shard that are over, if there are new ones. It comes after a flush, so
// that the journal has all of them. What fails is tried again after the next flush.
func (l *Logbook) fold(ctx context.Context, s shard.ID) {
	fence, ours := l.o.Shards.Fence(s)
	end := history.HourOf(l.now().Add(-foldAfter))
	if !ours || l.folds[s] == (folding{fence.Term, end}) {
		return
	}
	err := l.foldShard(ctx, fence, end)
	switch {
	case ctx.Err() != nil || fault.Is(err, fault.Fenced):
		return // the next owner goes on
	case err == nil:
		l.folds[s] = folding{fence.Term, end}
	}
	l.stuck.Note(err)
}

// foldShard folds the hours of a shard before end, bucket by bucket and day by day.
func (l *Logbook) foldShard(ctx context.Context, f shard.Fence, end history.Hour) error {
	rows, err := l.o.Store.ListChecks(ctx, f.Shard, end)
	for len(rows) > 0 {
		b := &bucketDay{Logbook: l, fence: f, bucket: rows[0].Bucket, day: rows[0].Hour.Day(), now: end}
		n, fresh := 0, end
		for n < len(rows) && rows[n].Bucket == b.bucket && rows[n].Hour.Day() == b.day {
			if rows[n].N >= store.FoldedRows {
				fresh = min(fresh, rows[n].Hour)
			}
			n++
		}
		rows = rows[n:]
		// One that fails does not stop the others.
		foldErr := l.foldBucket(ctx, b, fresh)
		if err = errors.Join(err, foldErr); ctx.Err() != nil || fault.Is(foldErr, fault.Fenced) {
			return foldErr
		}
	}
	return err
}

// foldBucket folds the hours of a bucket and a day, of which fresh is the first one with rows that
// have not been folded, and the day when it has been over for long.
func (l *Logbook) foldBucket(ctx context.Context, b *bucketDay, fresh history.Hour) error {
	ctx, cancel := context.WithTimeout(ctx, foldTimeout)
	defer cancel()
	if fresh < b.end() {
		if err := b.foldHours(ctx, fresh); err != nil {
			return err
		}
	}
	if _, over := b.day.Hours(); b.now < over+dayAfter {
		return nil
	}
	return b.foldDay(ctx)
}

// bucketDay is what is being folded.
type bucketDay struct {
	*Logbook
	fence  shard.Fence
	bucket check.BucketID
	day    history.Day
	// now is the first hour that is not over.
	now history.Hour
}

// end returns the first hour of the day that is not over, or the end of the day.
func (b *bucketDay) end() history.Hour {
	_, end := b.day.Hours()
	return min(b.now, end)
}

// journal has the rows of some hours.
type journal struct {
	from  history.Hour
	hours []hourRows // one an hour, since from
}

// hourRows are the rows of an hour.
type hourRows struct {
	rows []store.CheckRow // without blobs
	// folded is what earlier folds have made, fresh what came since.
	folded, fresh []*history.Sheet
	// added is how many of rows came since.
	added int
}

func (h *hourRows) sheets() []*history.Sheet {
	return append(h.folded[:len(h.folded):len(h.folded)], h.fresh...)
}

// maxReplaced bounds the fresh rows of one fold. More of them are left for the next one.
const maxReplaced = 2000

// read reads the rows of the journal of some hours.
func (b *bucketDay) read(ctx context.Context, first, end history.Hour) (*journal, error) {
	j := &journal{from: first, hours: make([]hourRows, max(0, end-first))}
	fresh := 0
	err := b.o.Store.Checks(ctx, []check.BucketID{b.bucket}, first, end, func(r store.CheckRow) error {
		h := &j.hours[r.Hour-first]
		into := &h.folded
		if r.N >= store.FoldedRows {
			if fresh == maxReplaced {
				return nil
			}
			into = &h.fresh
			fresh++
			h.added++
		}
		if sheet := b.shelf.sheet(r); sheet != nil {
			*into = append(*into, sheet)
		}
		r.Blob = nil
		h.rows = append(h.rows, r)
		return nil
	})
	return j, err
}

// foldHours folds the hours of the day that are over. When late checks came to an hour that was
// folded before, the summaries of the whole day are made anew.
func (b *bucketDay) foldHours(ctx context.Context, fresh history.Hour) error {
	sums, sound, err := b.readSummaries(ctx)
	if err != nil {
		return err
	}
	begin, _ := b.day.Hours()
	x := &fold{bucketDay: b, sums: sums, first: b.end()}
	for _, s := range sums {
		x.first = min(x.first, s.Until)
	}
	if len(sums) == 0 {
		x.first = begin
	}
	if x.again = !sound || fresh < x.first; x.again {
		x.first = begin
		if x.days, err = b.readSheets(ctx); err != nil {
			return err
		}
	}
	if x.journal, err = b.read(ctx, x.first, b.end()); err != nil {
		return err
	}
	return x.commit(ctx)
}

// readSummaries reads the summaries of the day, by part. It is not sound when some are damaged.
func (b *bucketDay) readSummaries(ctx context.Context) (sums map[history.Part]*history.Summaries, sound bool, err error) {
	sums, sound = map[history.Part]*history.Summaries{}, true
	err = b.o.Store.BucketDays(ctx, b.span(store.DaySummaries), b.bucket, func(r store.DayRow) error {
		if s := b.shelf.summaries(r); s != nil {
			sums[r.Part] = s
		} else {
			sound = false
		}
		return nil
	})
	return sums, sound, err
}

func (b *bucketDay) span(of store.DayKind) store.DaySpan {
	return store.DaySpan{Kind: of, First: b.day, End: b.day + 1}
}

// readSheets reads the turns of the day that are kept by day, if it has been folded before.
func (b *bucketDay) readSheets(ctx context.Context) (sheets []*history.Sheet, err error) {
	err = b.o.Store.BucketDays(ctx, b.span(store.DayChecks), b.bucket, func(r store.DayRow) error {
		if s := b.shelf.day(r); s != nil {
			sheets = append(sheets, s)
		}
		return nil
	})
	return sheets, err
}
