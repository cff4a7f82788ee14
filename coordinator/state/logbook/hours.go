package logbook

import (
	"context"
	"maps"
	"slices"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/state/store"
)

// fold is a fold of hours of a bucket.
type fold struct {
	*bucketDay
	*journal
	// first is the first hour of which the summaries are to be brought on.
	first history.Hour
	// again means that it is the first one of the day, although there were summaries.
	again bool
	sums  map[history.Part]*history.Summaries
	// days are the turns of the day that are kept by day already.
	days []*history.Sheet
}

// commit makes the rows of the fold, and writes them.
func (x *fold) commit(ctx context.Context) error {
	var out store.CheckFold
	fleet, err := x.readFleet(ctx)
	if err != nil {
		return err
	}
	first, _ := x.day.Hours()
	var sheets []*history.Sheet
	for i := range x.hours {
		h, hour := &x.hours[i], x.from+history.Hour(i)
		if h.added == 0 {
			sheets = append(sheets, h.folded...)
			continue
		}
		was := x.merge(hour, hour+1, append(slices.Clip(x.days), h.folded...)...)
		now := x.merge(hour, hour+1, append([]*history.Sheet{was}, h.fresh...)...)
		recount(&fleet[hour-first], hour, was, now)
		rows := x.merge(hour, hour+1, h.sheets()...)
		out.Replaces = append(out.Replaces, h.rows...)
		out.Rows = append(out.Rows, x.rowsOf(hour, rows)...)
		sheets = append(sheets, rows)
	}
	if len(out.Replaces) == 0 {
		return nil
	}
	all := x.merge(x.first, x.end(), append(slices.Clip(x.days), sheets...)...)
	x.bringOn(all)
	for _, part := range slices.Sorted(maps.Keys(x.sums)) {
		if blob, ok := x.packOrDrop(x.sums[part]); ok {
			out.Summaries = append(out.Summaries, store.DayRow{PartKey: store.PartKey{Bucket: x.bucket, Part: part}, Day: x.day, Blob: blob})
		}
	}
	if blob, ok := x.packOrDrop(fleet); ok {
		out.Fleet = &store.FleetRow{Shard: x.fence.Shard, Day: x.day, Blob: blob}
	}
	if err := x.o.Store.FoldChecks(ctx, x.fence, out); err != nil {
		return err
	}
	x.o.OnFold(ctx, Folded{Fence: x.fence, Bucket: x.bucket, First: x.first, End: x.end(), Checks: all, Day: x.sums, Again: x.again})
	return nil
}

func (b *bucketDay) merge(first, end history.Hour, sheets ...*history.Sheet) *history.Sheet {
	return history.Merge(first.Start(), end.Start(), sheets...)
}

// rowsOf makes the rows of an hour. An hour without a check has none.
func (x *fold) rowsOf(hour history.Hour, sheet *history.Sheet) (rows []store.CheckRow) {
	for i, s := range split(sheet) {
		if i == store.FoldedRows {
			x.drop("they are too many for an hour", len(s.Strips), x.fence.Shard)
			break
		}
		if blob, ok := x.packOrDrop(s); ok {
			rows = append(rows, store.CheckRow{CheckKey: store.CheckKey{Bucket: x.bucket, Hour: hour}, N: int64(i), Blob: blob})
		}
	}
	return rows
}

// bringOn brings the summaries on to the end.
func (x *fold) bringOn(all *history.Sheet) {
	begin, _ := x.day.Hours()
	was := x.sums
	if x.again {
		// What is damaged has no turns any more, and its summaries are kept as they are.
		x.sums = maps.Clone(was)
	}
	done := map[history.Part]bool{}
	for part, sheet := range all.Parts() {
		s := was[part]
		if s == nil || x.again {
			s = &history.Summaries{Until: begin}
			x.sums[part] = s
		}
		if s.Until > x.first {
			sheet = x.merge(s.Until, x.end(), sheet)
		}
		if s.Until < x.end() {
			s.Add(x.end(), sheet)
		}
		done[part] = true
	}
	for part, s := range x.sums {
		if !done[part] && s.Until < x.end() {
			s.Add(x.end(), new(history.Sheet))
		}
	}
}

// packOrDrop compresses something, or counts it as dropped when it does not fit.
func (b *bucketDay) packOrDrop(x binary) ([]byte, bool) {
	blob, err := b.shelf.pack(x)
	if err != nil {
		b.drop(err.Error(), 1, b.fence.Shard)
	}
	return blob, err == nil
}

// readFleet reads what the sites of the shard have come to on the day so far.
func (b *bucketDay) readFleet(ctx context.Context) (*history.Fleet, error) {
	rows, err := b.o.Store.FleetDays(ctx, b.day, b.day+1)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if r.Shard == b.fence.Shard {
			if f := b.shelf.fleet(r); f != nil {
				return f, nil
			}
		}
	}
	return new(history.Fleet), nil
}

// recount replaces what the turns of an hour came to in a tally by what they come to now. A site
// counts with all turns of an hour in which one of them was checked.
func recount(t *history.Tally, hour history.Hour, was, now *history.Sheet) {
	old, fresh := tallyOf(hour, was), tallyOf(hour, now)
	for c := range t {
		// A damaged row may have made it less than it was.
		t[c] -= min(t[c], old[c])
		t[c] += fresh[c]
	}
}

func tallyOf(hour history.Hour, sheet *history.Sheet) (t history.Tally) {
	for _, strips := range sheet.Sites() {
		for _, s := range history.Summarize(hour, hour+1, strips) {
			t.Add(&s)
		}
	}
	return t
}
