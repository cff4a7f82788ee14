package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/schedule"
	"github.com/Automattic/jetmon/coordinator/shard"
	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
)

// Reading takes the rows of some buckets, as they are read, for the truth.
type Reading struct {
	e     *Engine
	began time.Time
	reads [check.Buckets]bool
	// drops is how often each shard had been dropped then: what is read of a shard that
	// was lost meanwhile is void.
	drops [shard.Count]uint64
}

// takes says whether a row of a bucket is for this reading, and not void.
func (r *Reading) takes(bucket check.BucketID) bool {
	if bucket >= check.Buckets || !r.reads[bucket] {
		return false
	}
	s := shard.Of(bucket)
	return r.e.drops[s] == r.drops[s]
}

// Read begins to take over buckets whose rows are read from time began on.
func (e *Engine) Read(began time.Time, buckets ...check.BucketID) *Reading {
	r := &Reading{e: e, began: began}
	for _, b := range buckets {
		r.reads[b] = true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	r.drops = e.drops
	return r
}

// Put takes some rows over; those of other buckets are passed over. What was put or
// changed otherwise after the reading began is left as it is. It answers how many of the
// rows were for this reading.
func (r *Reading) Put(rows []store.Site) (taken int) {
	e := r.e
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range rows {
		e.ahead += e.sites.Glance(rows[i].ID)
	}
	for i := range rows {
		row := &rows[i]
		if !r.takes(row.Bucket) {
			continue
		}
		taken++
		slot, known := e.sites.Find(row.ID)
		switch {
		case e.recent[row.ID].After(r.began):
		case !known:
			e.begin(r.began, row)
		case !e.sites.Same(slot, row):
			if shard.Of(e.sites.Record(slot).Bucket()) != shard.Of(row.Bucket) {
				// Two readings may see a site in either shard, and not in the order of time.
				e.countEdit(row.ID)
			}
			e.put(r.began, *row)
		}
	}
	return taken
}

// readAtOnce is how many sites are gone through before others may do something.
const readAtOnce = 1000

// PutSpan takes over a span of ids: the rows, by rising id, are all that there are in it
// of some shards. Other sites in it, of these shards and of buckets that are read, are
// taken off.
func (r *Reading) PutSpan(span store.Span, shards []shard.ID, rows []store.Site) {
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
		id := e.sites.Record(schedule.Slot(slot)).ID()
		if !span.Has(id) {
			return
		}
		if _, found := slices.BinarySearchFunc(rows, id, func(s store.Site, id check.SiteID) int { return cmp.Compare(s.ID, id) }); !found {
			r.takeOff(schedule.Slot(slot), shards)
		}
	})
}

// takeOff takes off a site that was not found, if it is of some shards, and for this reading.
func (r *Reading) takeOff(slot schedule.Slot, shards []shard.ID) {
	rec := r.e.sites.Record(slot)
	if slices.Contains(shards, shard.Of(rec.Bucket())) && r.takes(rec.Bucket()) && !r.e.recent[rec.ID()].After(r.began) {
		r.e.remove(r.e.open(slot))
	}
}

// inTurns calls f with first to last, and lets others in between.
func (e *Engine) inTurns(first, last int, f func(int)) {
	for i := first; i <= last; {
		e.mu.Lock()
		for end := min(i+readAtOnce-1, last); i <= end; i++ {
			f(i)
		}
		e.mu.Unlock()
	}
}

// recentFor is longer than any reading takes.
const recentFor = 5 * time.Minute

// Done ends a reading.
func (r *Reading) Done() {
	e := r.e
	e.mu.Lock()
	defer e.mu.Unlock()
	if r.began.Sub(e.pruned) > recentFor/5 { // there may be many readings, and many edits
		e.pruned = r.began
		for id, t := range e.recent {
			if r.began.Sub(t) > recentFor {
				delete(e.recent, id)
			}
		}
	}
	e.sites.Tidy()
}

// editBlock says with which other ids the edits of one are counted together.
func editBlock(id check.SiteID) int { return int(uint64(id) >> 14) }

func (e *Engine) countEdit(id check.SiteID) { e.edits[editBlock(id)%len(e.edits)]++ }

// Edits counts how often sites of a span, and perhaps others, were changed otherwise than
// by a Reading, or moved to another shard. As long as it stays the same, what is known of
// the span is what was read.
func (e *Engine) Edits(span store.Span) (n uint64) {
	first, blocks := editBlock(span.First), editBlock(span.Last)-editBlock(span.First)+1
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range min(blocks, len(e.edits)) {
		n += e.edits[(first+i)%len(e.edits)]
	}
	return n
}
