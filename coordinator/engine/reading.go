package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/changelog"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// Reading brings the engine in line with the rows of some buckets as they are read.
type Reading struct {
	e   *Engine
	log *changelog.Reading
}

// Read starts a reading of some buckets, whose rows are read from time began on.
func (e *Engine) Read(began time.Time, buckets ...check.BucketID) *Reading {
	tenures := tenuresOf(e.o.Shards) // a shard that has just been gained has its own voice
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tenures = tenures
	return &Reading{e: e, log: e.edits.Read(began, buckets...)}
}

// Put applies some rows and skips those of other buckets. Sites that were put or changed
// otherwise after the reading began stay as they are. Put returns how many of the rows
// belong to this reading.
func (r *Reading) Put(rows []record.Site) (taken int) {
	e := r.e
	m := e.hand.moment(r.log.Began())
	e.mu.Lock()
	defer e.release()
	e.deal.ahead.rows(rows)
	for i := range rows {
		takes, fresh := r.log.Fresh(rows[i].ID, rows[i].Bucket)
		if takes {
			taken++
		}
		if fresh {
			e.watch.take(m, &rows[i])
		}
	}
	return taken
}

// readAtOnce is how many sites a reading handles before it releases the lock for a moment.
const readAtOnce = 1000

// PutSpan applies a span of ids: rows, by rising id, are all the rows that some shards have
// in it. PutSpan removes every other site in the span that belongs to these shards and to
// the reading's buckets.
func (r *Reading) PutSpan(span record.Span, shards []shard.ID, rows []record.Site) {
	for part := range slices.Chunk(rows, readAtOnce) {
		r.Put(part)
	}
	e := r.e
	e.mu.Lock()
	span.Last = min(span.Last, e.sites.Top())
	slots := e.sites.Slots()
	e.mu.Unlock()
	if span.Last-span.First < check.SiteID(slots) {
		e.inTurns(int(span.First), int(span.Last), func(id int) {
			for len(rows) > 0 && rows[0].ID < check.SiteID(id) {
				rows = rows[1:]
			}
			if len(rows) > 0 && rows[0].ID == check.SiteID(id) {
				return
			}
			if slot, known := e.sites.Find(check.SiteID(id)); known {
				r.takeOff(slot, shards)
			}
		})
		return
	}
	// There are fewer sites than ids.
	e.inTurns(0, slots-1, func(slot int) {
		id := e.sites.Entry(schedule.Slot(slot)).ID()
		if !span.Has(id) {
			return
		}
		if _, found := slices.BinarySearchFunc(rows, id, func(s record.Site, id check.SiteID) int { return cmp.Compare(s.ID, id) }); !found {
			r.takeOff(schedule.Slot(slot), shards)
		}
	})
}

// takeOff removes a site that has no row, if it belongs to some shards and to this reading.
func (r *Reading) takeOff(slot schedule.Slot, shards []shard.ID) {
	rec := r.e.sites.Entry(slot)
	if !slices.Contains(shards, shard.Of(rec.Bucket())) {
		return
	}
	if takes, fresh := r.log.Fresh(rec.ID(), rec.Bucket()); takes && fresh {
		r.e.watch.gone(r.e.ticked, r.e.cases.at(slot))
	}
}

// inTurns calls f with first to last under the lock, which it releases now and then.
func (e *Engine) inTurns(first, last int, f func(int)) {
	for i := first; i <= last; {
		e.mu.Lock()
		for end := min(i+readAtOnce-1, last); i <= end; i++ {
			f(i)
		}
		e.release()
	}
}

// Done ends a reading.
func (r *Reading) Done() {
	e := r.e
	e.mu.Lock()
	defer e.mu.Unlock()
	r.log.Done()
	e.sites.Tidy()
}

// Edits counts the edits of sites of a span, and perhaps of others: changes other than by a
// Reading, and moves to another shard. As long as the count stays the same, the engine knows
// of the span what was read.
func (e *Engine) Edits(span record.Span) uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.edits.Edits(span)
}
