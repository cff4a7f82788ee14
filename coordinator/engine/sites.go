package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// Put adds a site, or takes over what was changed in its row. The row was read from now
// on, or written at now: of several it is the one with the latest now that stays.
func (e *Engine) Put(now time.Time, row store.Site) {
	m := e.hand.moment(now)
	e.mu.Lock()
	defer e.release()
	if !e.edits.Fresh(row.ID, now) {
		return
	}
	e.edits.Edited(now, row.ID)
	e.watch.put(m, row)
}

// Remove takes a site off.
func (e *Engine) Remove(now time.Time, id check.SiteID) {
	e.mu.Lock()
	defer e.release()
	e.edits.Edited(now, id)
	if s := e.cases.find(id); s != nil {
		e.watch.remove(s)
	}
}

// DropShard takes all sites of a shard off: another coordinator owns them now. When it
// returns, nothing that was decided about them is on its way to a port any more.
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
}

// Soon has a site checked at once instead of at its next turn.
func (e *Engine) Soon(now time.Time, id check.SiteID) {
	e.mu.Lock()
	defer e.release()
	if s := e.cases.find(id); s != nil {
		e.judge.soon(s)
		e.cases.settle(now, s)
	}
}
