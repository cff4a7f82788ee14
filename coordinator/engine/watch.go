package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/changelog"
	"github.com/Automattic/jetmon/coordinator/engine/roster"
	"github.com/Automattic/jetmon/coordinator/engine/snapshot"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// watchlist puts sites on the roster and on the agenda, takes over what was changed in
// their rows, and takes them off again.
type watchlist struct {
	sites     *roster.Table
	agenda    *schedule.Agenda
	core      *dispatch.Core
	edits     *changelog.Log
	cases     *casebook
	snapshots *snapshot.Journal
	judge     *judge
	out       *effects
}

// put adds a site, or takes over what was changed in its row.
func (w *watchlist) put(m moment, row store.Site) {
	s := w.cases.find(row.ID)
	if s == nil {
		w.add(m.Time, row)
		return
	}
	old := s.Row
	s.Row = row
	// What was committed is known better here than by a read that may be older.
	s.Row.Status, s.Row.StatusSince, s.Row.OutageID = old.Status, old.StatusSince, old.OutageID
	switch {
	case old.URL != row.URL:
		w.restart(s)
	case old.Paused != row.Paused && row.Paused:
		w.core.Withdraw(row.ID)
		w.agenda.Rest(&s.timer)
		w.judge.step(m, s, lifecycle.Pause{})
	case old.Paused != row.Paused:
		w.judge.step(m, s, lifecycle.Resume{})
		w.judge.soon(s)
	case old.Interval != row.Interval && (s.State.Stage == lifecycle.Up || s.State.Stage == lifecycle.NeverChecked):
		w.judge.turn(s)
	}
	w.cases.settle(m.Time, s)
}

// take takes over a row that was read. Nearly all rows are of calm sites, or bring nothing
// new: a coordinator that starts has millions of them. Then there is no need of a case.
func (w *watchlist) take(m moment, row *store.Site) {
	calm := !row.Paused && row.Status == check.StatusRunning && row.OutageID == 0 && row.Untold == nil && !w.snapshots.Has(row.ID)
	slot, is := w.sites.Take(row, calm)
	switch is {
	case roster.Added:
		w.agenda.Turn(&schedule.Timer{Slot: slot}, row.ID, w.judge.pace.of(row.Interval))
	case roster.Unknown:
		w.add(m.Time, *row)
	case roster.Moved:
		w.edits.Moved(row.ID)
		w.put(m, *row)
	case roster.Edited:
		w.put(m, *row)
	}
}

// add puts a site on the schedule by way of a case.
func (w *watchlist) add(now time.Time, row store.Site) *site {
	slot := w.sites.Add(&row)
	s := &site{Site: roster.Site{Row: row, Host: w.sites.Record(slot).Host()}, timer: schedule.Timer{Slot: slot}}
	if k := row.Untold; k != nil && !w.judge.muted {
		s.Row.Status, s.Row.StatusSince = k.Status, k.Since
	}
	s.begin(w.cases.ballots)
	if k := row.Untold; k != nil && !w.judge.muted && k.Status == check.StatusRunning {
		s.State.Unsettled = k.Unsure || row.OutageID != 0
	}
	if !row.Paused {
		w.judge.turn(s)
		w.recall(now, s)
	}
	w.cases.settle(now, s)
	return s
}

// restart begins anew with a site whose URL has changed: what was seen was seen elsewhere.
func (w *watchlist) restart(s *site) {
	w.core.Withdraw(s.Row.ID)
	w.judge.abandon(s)
	s.hold = nil
	s.forget()
	s.Last, s.LastCheck, s.LastNode = nil, time.Time{}, ""
	s.HeadHostile, s.Host = false, w.judge.hosts.Of(s.Row.URL)
	s.begin(w.cases.ballots)
	w.agenda.Rest(&s.timer)
	w.judge.soon(s)
}

// remove takes a site off.
func (w *watchlist) remove(s *site) {
	w.core.Withdraw(s.Row.ID)
	w.agenda.Rest(&s.timer)
	w.judge.abandon(s)
	w.cases.remove(s)
}

// recall goes on with a site where the process ended that left a snapshot of it. A ballot
// is held anew: its votes are gone.
func (w *watchlist) recall(now time.Time, s *site) {
	if !w.snapshots.Has(s.Row.ID) {
		return
	}
	s.kept = true
	r, err := w.snapshots.Recall(now, &s.Row)
	if err != nil {
		w.out.warn("site starts afresh: its snapshot cannot be read", "site_id", s.Row.ID, "error", err)
		return
	}
	if r == nil {
		return
	}
	s.HeadHostile, s.regional = r.HeadHostile, r.Regional
	if !r.Fresh {
		s.State.Flap = r.State.Flap
		return
	}
	w.cases.ballots = max(w.cases.ballots, r.State.Ballot)
	r.State.StatusSince, r.State.Unsettled = s.Row.StatusSince, s.State.Unsettled
	s.State = r.State
	s.checks, s.Last, s.LastCheck, s.LastNode = r.Checks, r.Last, r.LastCheck, r.LastNode
	switch s.State.Stage {
	case lifecycle.Verifying:
		s.askDue = true
		w.agenda.At(&s.timer, now)
	case lifecycle.Suspect:
		// Failures that follow one another too closely say too little.
		w.agenda.At(&s.timer, s.State.Observed.Add(w.judge.policy.Between))
	case lifecycle.Recovering:
		w.agenda.At(&s.timer, now)
	}
}
