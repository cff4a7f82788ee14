package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/roster"
	"github.com/Automattic/jetmon/coordinator/schedule"
	"github.com/Automattic/jetmon/coordinator/shard"
	"github.com/Automattic/jetmon/coordinator/store"
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
	e.put(m, row)
}

// Remove takes a site off.
func (e *Engine) Remove(now time.Time, id check.SiteID) {
	e.mu.Lock()
	defer e.release()
	e.edits.Edited(now, id)
	if s := e.site(id); s != nil {
		e.remove(s)
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
			s := e.open(slot)
			e.core.Fence(s.Row.ID)
			e.remove(s)
		}
	}
	e.snapshots.Drop(id)
}

func (e *Engine) put(m moment, row store.Site) {
	s := e.site(row.ID)
	if s == nil {
		e.add(m.Time, row)
		return
	}
	old := s.Row
	s.Row = row
	// What was committed is known better here than by a read that may be older.
	s.Row.Status, s.Row.StatusSince, s.Row.OutageID = old.Status, old.StatusSince, old.OutageID
	switch {
	case old.URL != row.URL:
		e.restart(s)
	case old.Paused != row.Paused && row.Paused:
		e.core.Withdraw(row.ID)
		e.agenda.Rest(&s.timer)
		e.step(m, s, lifecycle.Pause{})
	case old.Paused != row.Paused:
		e.step(m, s, lifecycle.Resume{})
		e.soon(s)
	case old.Interval != row.Interval && (s.State.Stage == lifecycle.Up || s.State.Stage == lifecycle.NeverChecked):
		e.turn(s)
	}
	e.settle(m.Time, s)
}

// begin puts a site that is not watched yet on the schedule. Nearly all are calm, and of
// those the record is made without a *site: a coordinator that starts has millions of them.
func (e *Engine) begin(now time.Time, row *store.Site) {
	if row.Paused || row.Status != check.StatusRunning || row.OutageID != 0 || row.Untold != nil || e.snapshots.Has(row.ID) {
		e.add(now, *row)
		return
	}
	slot := e.sites.Add(row)
	e.agenda.Turn(&schedule.Timer{Slot: slot}, row.ID, e.intervalOf(row.Interval))
}

func (e *Engine) add(now time.Time, row store.Site) *site {
	slot := e.sites.Add(&row)
	s := &site{Site: roster.Site{Row: row, Host: e.sites.Record(slot).Host()}, timer: schedule.Timer{Slot: slot}}
	if k := row.Untold; k != nil && !e.o.Muted {
		s.Row.Status, s.Row.StatusSince = k.Status, k.Since
	}
	s.begin(e.ballots)
	if k := row.Untold; k != nil && !e.o.Muted && k.Status == check.StatusRunning {
		s.State.Unsettled = k.Unsure || row.OutageID != 0
	}
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
	defer e.release()
	if s := e.site(id); s != nil {
		e.soon(s)
		e.settle(now, s)
	}
}

// soon leaves alone a site that waits for something else.
func (e *Engine) soon(s *site) {
	switch s.State.Stage {
	case lifecycle.NeverChecked, lifecycle.Up, lifecycle.Down, lifecycle.ConfirmedDown:
		e.agenda.TurnNow(&s.timer)
	}
}

// restart begins anew with a site whose URL has changed: what was seen was seen elsewhere.
func (e *Engine) restart(s *site) {
	e.core.Withdraw(s.Row.ID)
	e.abandon(s)
	e.unhold(s.Row.ID)
	s.forget()
	s.Last, s.LastCheck, s.LastNode = nil, time.Time{}, ""
	s.HeadHostile, s.Host = false, e.sites.HostOf(s.Row.URL)
	s.begin(e.ballots)
	e.agenda.Rest(&s.timer)
	e.soon(s)
}

func (e *Engine) remove(s *site) {
	e.core.Withdraw(s.Row.ID)
	e.remember(s, false)
	e.agenda.Rest(&s.timer)
	e.abandon(s)
	e.unhold(s.Row.ID)
	delete(e.cases, s.timer.Slot)
	e.sites.Free(s.timer.Slot)
}

// abandon stops the site's ballot if the panel has one.
func (e *Engine) abandon(s *site) {
	if s.opened {
		s.opened = false
		e.out.abandon(s.Row.ID, s.State.Ballot)
	}
}

// unhold ends the hold of a site.
func (e *Engine) unhold(id check.SiteID) { delete(e.held, id) }
