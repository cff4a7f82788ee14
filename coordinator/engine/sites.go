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
	e.put(now, row)
}

// Remove takes a site off.
func (e *Engine) Remove(now time.Time, id check.SiteID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.site(id); s != nil {
		e.remove(s)
	}
}

// PutBucket makes rows, a whole bucket that was read from time began on, the truth:
// sites that it does not hold are taken off, unless they came later.
func (e *Engine) PutBucket(began time.Time, bucket check.BucketID, rows []store.Site) {
	e.mu.Lock()
	defer e.mu.Unlock()
	present := make(map[check.SiteID]bool, len(rows))
	for _, row := range rows {
		present[row.ID] = true
		e.put(began, row)
	}
	for _, s := range e.sites {
		if s != nil && s.row.Bucket == bucket && !present[s.row.ID] && !s.seen.After(began) {
			e.remove(s)
		}
	}
}

// DropShard takes all sites of a shard off: another coordinator owns them now.
func (e *Engine) DropShard(shard store.ShardID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.sites {
		if s != nil && store.ShardOf(s.row.Bucket) == shard {
			e.remove(s)
		}
	}
}

func (e *Engine) put(now time.Time, row store.Site) {
	s := e.site(row.ID)
	if s == nil {
		e.add(now, row)
		return
	}
	if s.seen.After(now) {
		return
	}
	s.seen = now
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
}

func (e *Engine) add(now time.Time, row store.Site) {
	var slot schedule.Slot
	if n := len(e.free); n > 0 {
		slot, e.free = e.free[n-1], e.free[:n-1]
	} else {
		slot = schedule.Slot(len(e.sites))
		e.sites = append(e.sites, nil)
	}
	s := &site{row: row, slot: slot, seen: now}
	s.state = lifecycle.Initial(row.Status, row.StatusSince, row.Paused)
	e.sites[slot] = s
	e.byID[row.ID] = slot
	if !row.Paused {
		e.wait(s, schedule.First(row.ID, e.interval(s), now))
	}
}

// Soon has a site checked at once instead of at its next turn.
func (e *Engine) Soon(now time.Time, id check.SiteID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.site(id); s != nil {
		e.soon(now, s)
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
	e.rest(s)
	e.soon(now, s)
}

func (e *Engine) remove(s *site) {
	e.core.Withdraw(s.row.ID)
	e.rest(s)
	e.abandon(s)
	e.release(s.row.ID)
	delete(e.byID, s.row.ID)
	e.sites[s.slot] = nil
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
