package logbook

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// maxAhead is how far in the future an hour may begin. What is later comes of a clock that was
// wrong, and nobody could tell it from what will be true then.
const maxAhead = history.Hour(1)

// binder is the memory of a flush.
type binder struct {
	history.Binder
	notes []history.Note
}

// Flush writes what is noted of the sites of a shard, and what waits. What cannot be written now
// waits for the next flush.
func (l *Logbook) Flush(ctx context.Context, s shard.ID) {
	var b *binder
	select {
	case b = <-l.binders:
	case <-ctx.Done():
		return
	}
	if fence, ours := l.o.Shards.Fence(s); ours {
		l.collect(b, fence)
	}
	l.binders <- b
	l.write(ctx)
}

// collect takes the notes of a shard and has them wait, compressed.
func (l *Logbook) collect(b *binder, f shard.Fence) {
	taken := l.o.Engine.TakeNotes(f.Shard)
	now := l.now()
	g := &group{fence: f}
	for i := range shard.BucketsPer {
		b.notes = b.notes[:0]
		taken.Notes(i, func(notes []history.Note) { b.notes = append(b.notes, notes...) })
		if len(b.notes) == 0 {
			continue
		}
		bucket := check.BucketID(int(f.Shard)*shard.BucketsPer + i)
		for _, bound := range b.Bind(b.notes, taken.Regions) {
			if bound.Hour > history.HourOf(now)+maxAhead || bound.Hour < 0 {
				l.drop("its time is not now", len(bound.Sheet.Strips), f.Shard)
				continue
			}
			l.add(g, store.CheckKey{Bucket: bucket, Hour: bound.Hour}, bound.Sheet)
		}
	}
	l.o.Engine.ReuseNotes(taken)
	if len(g.rows) == 0 {
		return
	}
	if dropped := l.waiting.add(g); dropped > 0 {
		l.drop("too much waits for the database", dropped, f.Shard)
	}
}

// add compresses a sheet into the rows of a group.
func (l *Logbook) add(g *group, key store.CheckKey, sheet *history.Sheet) {
	for _, part := range split(sheet) {
		blob, err := l.shelf.pack(part)
		if err != nil {
			l.drop(err.Error(), len(part.Strips), g.fence.Shard)
			continue
		}
		g.rows = append(g.rows, store.CheckRow{CheckKey: key, N: l.waiting.number(l.now(), g.fence), Blob: blob})
		g.bytes += len(blob)
		g.failing = g.failing || anyFailed(part)
	}
}

// write writes the groups that wait, the oldest first, until one cannot be written.
func (l *Logbook) write(ctx context.Context) {
	for {
		g := l.waiting.take()
		if g == nil {
			return
		}
		err := l.writeGroup(ctx, g)
		switch {
		case err == nil:
			l.edge.Note(nil)
			l.count.written.Add(uint64(g.bytes))
		case fault.Is(err, fault.Fenced):
			// The shard is another's by now, who goes on from what is in the journal.
			l.drop("the shard was lost before it was written", len(g.rows), g.fence.Shard)
		case fault.Is(err, fault.Invalid):
			l.drop(err.Error(), len(g.rows), g.fence.Shard)
		default:
			if ctx.Err() == nil {
				l.edge.Note(err)
			}
			l.waiting.giveBack(g)
			return
		}
	}
}

func (l *Logbook) writeGroup(ctx context.Context, g *group) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if g.failing {
		if err := l.hush(ctx, g); err != nil {
			return err
		}
	}
	return l.o.Store.AddChecks(ctx, g.fence, g.rows)
}

// drop counts rows or strips that are not kept, and logs the first ones of a row of them.
func (l *Logbook) drop(why string, n int, s shard.ID) {
	l.count.dropped.Add(uint64(n))
	now := l.now()
	if was := l.count.logged.Load(); now.Sub(time.Unix(was, 0)).Abs() < time.Hour || !l.count.logged.CompareAndSwap(was, now.Unix()) {
		return
	}
	l.o.Log.Error("checks dropped, a gap is left; for an hour more of them are only counted", "shard", s, "reason", why)
}
