package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/schedule"
	"github.com/Automattic/jetmon/coordinator/shard"
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
	e.edited(now, row.ID)
	e.put(now, row)
}

// edited notes that a site is changed otherwise than by a Reading.
func (e *Engine) edited(now time.Time, id check.SiteID) {
	e.recent[id] = now
	e.countEdit(id)
}

// Remove takes a site off.
func (e *Engine) Remove(now time.Time, id check.SiteID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.edited(now, id)
	if s := e.site(id); s != nil {
		e.remove(s)
	}
}

// same says whether a row brings nothing new about the site in a slot.
func (e *Engine) same(slot schedule.Slot, row *store.Site) bool {
	r := e.record(slot)
	return r.blog == row.BlogID && r.bucket == row.Bucket && r.interval == minutes(row.Interval) &&
		r.stage() != lifecycle.Paused && !row.Paused &&
		e.urls.text(r.url) == row.URL && e.settings.add(row.Settings) == r.settings
}

// DropShard takes all sites of a shard off: another coordinator owns them now.
func (e *Engine) DropShard(sh shard.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.drops[sh]++
	for i := range shard.BucketsPer {
		for head := &e.buckets[int(sh)*shard.BucketsPer+i]; *head != noSlot; {
			s := e.open(schedule.Slot(*head))
			e.core.Fence(s.row.ID)
			e.remove(s)
		}
	}
	// What is to be remembered of them is the new owner's to write.
	for id, bucket := range e.unsaved {
		if shard.Of(bucket) == sh {
			delete(e.unsaved, id)
		}
	}
	for id, kept := range e.recalled {
		if shard.Of(kept.Bucket) == sh {
			delete(e.recalled, id)
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
		e.restart(s)
	case old.Paused != row.Paused && row.Paused:
		e.core.Withdraw(row.ID)
		e.rest(s)
		e.step(now, s, lifecycle.Pause{})
	case old.Paused != row.Paused:
		e.step(now, s, lifecycle.Resume{})
		e.soon(s)
	case old.Interval != row.Interval && (s.state.Stage == lifecycle.Up || s.state.Stage == lifecycle.NeverChecked):
		e.turn(s)
	}
	e.settle(now, s)
}

// begin puts a site that is not watched yet on the schedule. Nearly all are calm, and of
// those the record is made without a *site: a coordinator that starts has millions of them.
func (e *Engine) begin(now time.Time, row *store.Site) {
	_, recalled := e.recalled[row.ID]
	if row.Paused || row.Status != check.StatusRunning || row.OutageID != 0 || recalled {
		e.add(now, *row)
		return
	}
	slot := e.newSlot()
	r := e.record(slot)
	*r = record{
		id: row.ID, blog: row.BlogID, bucket: row.Bucket, url: e.urls.add(row.URL),
		interval: minutes(row.Interval), settings: e.settings.add(row.Settings), since: momentOf(row.StatusSince),
		host: e.machineOf(row.URL),
	}
	r.setStage(lifecycle.NeverChecked)
	e.link(slot, r)
	e.byID.put(row.ID, slot)
	e.turns.Add(slot, schedule.Next(row.ID, e.intervalOf(row.Interval), e.clock.Now()))
}

func (e *Engine) add(now time.Time, row store.Site) *site {
	slot := e.newSlot()
	r := e.record(slot)
	*r = record{id: row.ID, bucket: row.Bucket, url: e.urls.add(row.URL)}
	e.link(slot, r)
	e.byID.put(row.ID, slot)
	s := &site{row: row, slot: slot, host: e.machineOf(row.URL)}
	s.state = lifecycle.Initial(row.Status, row.StatusSince, row.Paused)
	s.state.Ballot = e.ballots
	if !row.Paused {
		e.turn(s)
		e.recall(now, s)
	}
	e.settle(now, s)
	return s
}

// Soon has a site checked at once instead of at its next turn.
func (e *Engine) Soon(now time.Time, id check.SiteID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.site(id); s != nil {
		e.soon(s)
		e.settle(now, s)
	}
}

// soon leaves alone a site that waits for something else.
func (e *Engine) soon(s *site) {
	switch s.state.Stage {
	case lifecycle.NeverChecked, lifecycle.Up, lifecycle.Down, lifecycle.ConfirmedDown:
		e.turnNow(s)
	}
}

// restart begins anew with a site whose URL has changed: what was seen was seen elsewhere.
func (e *Engine) restart(s *site) {
	e.core.Withdraw(s.row.ID)
	e.abandon(s)
	e.release(s.row.ID)
	s.forget()
	s.last, s.lastCheck, s.headHostile, s.host = nil, time.Time{}, false, e.machineOf(s.row.URL)
	s.state = lifecycle.Initial(s.row.Status, s.row.StatusSince, s.row.Paused)
	s.state.Ballot = e.ballots
	e.rest(s)
	e.soon(s)
}

func (e *Engine) remove(s *site) {
	e.core.Withdraw(s.row.ID)
	e.remember(s, false)
	e.rest(s)
	e.abandon(s)
	e.release(s.row.ID)
	e.byID.remove(s.row.ID)
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
