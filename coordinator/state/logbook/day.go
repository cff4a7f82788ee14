package logbook

import (
	"context"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

const (
	// maxTransaction bounds roughly the bytes that a fold of a day writes at once: the row of the
	// shard is locked for so long.
	maxTransaction = 1 << 20
	// partsAtOnce bounds the parts whose week is in memory.
	partsAtOnce = 16
	// week is how many days there are before the last one of a week.
	week = 6
)

// foldDay makes the days of the bucket's hours, and the summaries final. While it has not written
// everything, the hours stay: readers merge both, and another fold does all of it again.
func (b *bucketDay) foldDay(ctx context.Context) error {
	first, end := b.day.Hours()
	j, err := b.read(ctx, first, end)
	if err != nil {
		return err
	}
	sheets, err := b.readSheets(ctx)
	if err != nil {
		return err
	}
	var last store.CheckFold
	for i := range j.hours {
		h := &j.hours[i]
		if h.added > 0 {
			return nil // there are late checks: the hour is folded first, next time
		}
		last.Replaces = append(last.Replaces, h.rows...)
		sheets = append(sheets, h.folded...)
	}
	if len(last.Replaces) == 0 {
		return nil
	}
	sums, _, err := b.readSummaries(ctx)
	if err != nil {
		return err
	}
	x := &dayFold{bucketDay: b, last: last}
	var parts []partDay
	for part, sheet := range b.merge(first, end, history.Regional(sheets)...).Parts() {
		s := sums[part]
		if s == nil { // it was damaged
			s = &history.Summaries{Until: first}
			s.Add(end, sheet)
		}
		parts = append(parts, partDay{key: store.PartKey{Bucket: b.bucket, Part: part}, checks: sheet, sums: s})
	}
	for len(parts) > 0 {
		n := min(len(parts), partsAtOnce)
		if err := x.add(ctx, parts[:n]); err != nil {
			return err
		}
		parts = parts[n:]
	}
	x.next.Replaces = last.Replaces
	return x.write(ctx)
}

// dayFold is a fold of a day of a bucket.
type dayFold struct {
	*bucketDay
	last store.CheckFold
	// next is what is written next, of some bytes.
	next  store.CheckFold
	bytes int
}

// partDay is a day of a part.
type partDay struct {
	key    store.PartKey
	checks *history.Sheet
	sums   *history.Summaries
	// before are the summaries of the days before.
	before []*history.Summaries
}

// add adds the rows of some parts.
func (x *dayFold) add(ctx context.Context, parts []partDay) error {
	at := map[history.Part]*partDay{}
	keys := make([]store.PartKey, len(parts))
	for i := range parts {
		keys[i] = parts[i].key
		at[parts[i].key.Part] = &parts[i]
	}
	span := store.DaySpan{Kind: store.DaySummaries, First: x.day - week, End: x.day}
	err := x.o.Store.CheckDays(ctx, span, keys, func(r store.DayRow) error {
		if s := x.shelf.summaries(r); s != nil {
			p := at[r.Part]
			p.before = append(p.before, s)
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, end := x.day.Hours()
	for i := range parts {
		p := &parts[i]
		if p.sums.Until < end {
			p.sums.Add(end, new(history.Sheet))
		}
		p.setWeeks()
		if err := x.addPart(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// addPart adds the rows of a part, and writes what there is by then when it is much.
func (x *dayFold) addPart(ctx context.Context, p *partDay) error {
	if blob, ok := x.packOrDrop(p.checks); ok {
		x.next.Days = append(x.next.Days, store.DayRow{PartKey: p.key, Day: x.day, Blob: blob})
		x.bytes += len(blob)
	}
	if blob, ok := x.packOrDrop(p.sums); ok {
		x.next.Summaries = append(x.next.Summaries, store.DayRow{PartKey: p.key, Day: x.day, Blob: blob})
		x.bytes += len(blob)
	}
	if x.bytes < maxTransaction && len(x.next.Days) < maxReplaced {
		return nil
	}
	return x.write(ctx)
}

func (x *dayFold) write(ctx context.Context) error {
	next := x.next
	x.next, x.bytes = store.CheckFold{}, 0
	return x.o.Store.FoldChecks(ctx, x.fence, next)
}

// setWeeks sets the median of the week of each site.
func (p *partDay) setWeeks() {
	tallies := map[check.SiteID]*history.Tally{}
	for i := range p.sums.Sites {
		tallies[p.sums.Sites[i].Site] = new(history.Tally)
	}
	for _, s := range append(p.before, p.sums) {
		for i := range s.Sites {
			if t := tallies[s.Sites[i].Site]; t != nil {
				t.Add(&s.Sites[i])
			}
		}
	}
	for i := range p.sums.Sites {
		p.sums.Sites[i].Week = tallies[p.sums.Sites[i].Site].Percentile(50)
	}
}
