package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/schedule"
	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
)

// Put adds a site, or takes over what was changed in its row. The row was read, or
// written, at now.
func (e *Engine) Put(now time.Time, row store.Site) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.recent[row.ID].After(now) {
		return
	}
	e.recent[row.ID] = now
	e.put(now, row)
}

// Remove takes a site off.
func (e *Engine) Remove(now time.Time, id check.SiteID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.recent[id] = now
	if s := e.site(id); s != nil {
		e.remove(s)
	}
}

// PutBucket makes rows, a whole bucket that was read from time began on, the truth:
// sites that it does not hold are taken off. What was put or changed otherwise after
// began is left as it is.
func (e *Engine) PutBucket(began time.Time, bucket check.BucketID, rows []store.Site) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for at := e.buckets[bucket%check.Buckets]; at != noSlot; {
		r := e.record(schedule.Slot(at))
		r.present, at = false, r.next
	}
	for i := range rows {
		id := rows[i].ID
		if !e.recent[id].After(began) && !e.same(&rows[i]) {
			e.put(began, rows[i])
		}
		if slot, ok := e.byID[id]; ok {
			e.record(slot).present = true
		}
	}
	for at := e.buckets[bucket%check.Buckets]; at != noSlot; {
		slot := schedule.Slot(at)
		r := e.record(slot)
		at = r.next
		if !r.present && !e.recent[r.id].After(began) {
			e.remove(e.open(slot))
		}
	}
	for id, t := range e.recent {
		if began.Sub(t) > recentFor {
			delete(e.recent, id)
		}
	}
	e.tidy()
}

// recentFor is longer than any read of a bucket takes.
const recentFor = 5 * time.Minute

// same says whether a row brings nothing new about a site that is watched.
func (e *Engine) same(row *store.Site) bool {
	slot, ok := e.byID[row.ID]
	if !ok {
		return false
	}
	r := e.record(slot)
	return r.blog == row.BlogID && r.bucket == row.Bucket && r.interval == minutes(row.Interval) &&
		r.stage != lifecycle.Paused && !row.Paused &&
		e.urls.text(r.url) == row.URL && e.settings.add(row.Settings) == r.settings
}

// DropShard takes all sites of a shard off: another coordinator owns them now.
func (e *Engine) DropShard(shard store.ShardID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range store.BucketsPerShard {
		for head := &e.buckets[int(shard)*store.BucketsPerShard+i]; *head != noSlot; {
			e.remove(e.open(schedule.Slot(*head)))
		}
	}
}

func (e *Engine) put(now time.Time, row store.Site) {
	s := e.site(row.ID)
	if s == nil {
		e.add(now, row)
		return
	}
	old := s.row
	s.row = row
	// What was committed is known better here than by a read that may be older.
	s.row.Status, s.row.StatusSince, s.row.OutageID = old.Status, old.StatusSince, old.OutageID
	switch {
	case old.URL != row.URL:
		e.restart(now, s)
	case old.Paused != row.Paused && row.Paused:
		e.core.Withdraw(row.ID)
		e.rest(s)
		e.step(now, s, lifecycle.Pause{})
	case old.Paused != row.Paused:
		e.step(now, s, lifecycle.Resume{})
		e.soon(now, s)
	case old.Interval != row.Interval && (s.state.Stage == lifecycle.Up || s.state.Stage == lifecycle.NeverChecked):
		e.wait(s, schedule.Next(row.ID, e.interval(s), now))
	}
	e.settle(now, s)
}

func (e *Engine) add(now time.Time, row store.Site) *site {
	slot := e.newSlot()
	r := e.record(slot)
	*r = record{id: row.ID, bucket: row.Bucket, url: e.urls.add(row.URL)}
	e.link(slot, r)
	e.byID[row.ID] = slot
	s := &site{row: row, slot: slot}
	s.state = lifecycle.Initial(row.Status, row.StatusSince, row.Paused)
	s.state.Ballot = e.ballots
	if !row.Paused {
		e.wait(s, schedule.First(row.ID, e.interval(s), now))
	}
	e.settle(now, s)
	return s
}

// Soon has a site checked at once instead of at its next turn.
func (e *Engine) Soon(now time.Time, id check.SiteID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.site(id); s != nil {
		e.soon(now, s)
		e.settle(now, s)
	}
}

// soon leaves alone a site that waits for something else.
func (e *Engine) soon(now time.Time, s *site) {
	switch s.state.Stage {
	case lifecycle.NeverChecked, lifecycle.Up, lifecycle.Down, lifecycle.ConfirmedDown:
		e.wait(s, now)
	}
}

// restart begins anew with a site whose URL has changed: what was seen was seen elsewhere.
func (e *Engine) restart(now time.Time, s *site) {
	e.core.Withdraw(s.row.ID)
	e.abandon(s)
	e.release(s.row.ID)
	s.forget()
	s.last, s.lastCheck, s.headHostile = nil, time.Time{}, false
	s.state = lifecycle.Initial(s.row.Status, s.row.StatusSince, s.row.Paused)
	s.state.Ballot = e.ballots
	e.rest(s)
	e.soon(now, s)
}

func (e *Engine) remove(s *site) {
	e.core.Withdraw(s.row.ID)
	e.rest(s)
	e.abandon(s)
	e.release(s.row.ID)
	delete(e.byID, s.row.ID)
	delete(e.cases, s.slot)
	r := e.record(s.slot)
	e.unlink(r)
	e.urls.drop(r.url)
	*r = record{}
	e.free = append(e.free, s.slot)
}

// abandon stops the site's ballot if the panel has one.
func (e *Engine) abandon(s *site) {
	if s.opened {
		s.opened = false
		e.o.Panel.Abandon(s.row.ID, s.state.Ballot)
	}
}

// release ends the hold of a site.
func (e *Engine) release(id check.SiteID) { delete(e.held, id) }
