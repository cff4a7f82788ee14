package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// Put adds a site, or applies the changes of its row. now is when the row was written, or
// when its read began: of several rows, the one with the latest now wins.
func (e *Engine) Put(now time.Time, row record.Site) {
	m := e.hand.moment(now)
	tenures := tenuresOf(e.o.Shards)
	e.mu.Lock()
	defer e.release()
	e.tenures = tenures
	if !e.edits.Fresh(row.ID, now) {
		return
	}
	e.edits.Edited(now, row.ID)
	e.watch.put(m, row)
}

// Remove deletes a site.
func (e *Engine) Remove(now time.Time, id check.SiteID) {
	e.mu.Lock()
	defer e.release()
	e.edits.Edited(now, id)
	if s := e.cases.find(id); s != nil {
		e.watch.gone(now, s)
		return
	}
	e.remarks.Removed(id, now)
}

// DropShard removes all sites of a shard, which another coordinator owns now. When it
// returns, no effect of a decision about them is left to hand over.
func (e *Engine) DropShard(id shard.ID) {
	defer e.handOver()
	e.mu.Lock()
	defer e.release()
	e.edits.Dropped(id)
	for i := range shard.BucketsPer {
		bucket := check.BucketID(int(id)*shard.BucketsPer + i)
		for slot, ok := e.sites.First(bucket); ok; slot, ok = e.sites.First(bucket) {
			s := e.cases.at(slot)
			e.core.Fence(s.Row.ID)
			e.watch.remove(s)
		}
	}
	e.snapshots.Drop(id)
	e.remarks.Drop(id)
	e.notes.drop(id)
}

// Soon checks a site at once instead of at its next turn.
func (e *Engine) Soon(now time.Time, id check.SiteID) {
	e.mu.Lock()
	defer e.release()
	if s := e.cases.find(id); s != nil {
		e.judge.soon(s)
		e.cases.settle(now, s)
	}
}
