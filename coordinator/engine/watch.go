package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/changelog"
	"github.com/Automattic/jetmon/coordinator/engine/remarks"
	"github.com/Automattic/jetmon/coordinator/engine/roster"
	"github.com/Automattic/jetmon/coordinator/engine/snapshot"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// watchlist adds sites to the roster and the agenda, applies changes of their rows, and
// removes them again.
type watchlist struct {
	pace pace

	sites     *roster.Table
	agenda    *schedule.Agenda
	core      *dispatch.Core
	edits     *changelog.Log
	cases     *casebook
	snapshots *snapshot.Journal
	remarks   *remarks.Book
	judge     *judge
	out       *effects
}

// put adds a site, or applies the changes of its row.
func (w *watchlist) put(m moment, row record.Site) {
	s := w.cases.find(row.ID)
	if s == nil {
		w.add(m.Time, row)
		return
	}
	old := s.Row
	s.Row = row
	// The engine knows what was committed; the row may have been read before that.
	s.Row.Status, s.Row.StatusSince, s.Row.OutageID, s.Row.Inherited = old.Status, old.StatusSince, old.OutageID, old.Inherited
	switch {
	case old.URL != row.URL:
		w.unremark(m.Time, s.timer.Slot, &old)
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

// take applies a row that was read. A coordinator that starts reads millions of rows, and
// nearly all are of compact sites or bring nothing new: they need no case.
func (w *watchlist) take(m moment, row *record.Site) {
	compact := !row.Paused && row.Status == check.StatusRunning && row.OutageID == 0 && row.Ours == nil && row.Untold == nil && !w.snapshots.Has(row.ID)
	slot, is := w.sites.Take(row, compact)
	switch is {
	case roster.Added:
		w.remarked(m.Time, slot, row)
		w.begin(m.Time, &schedule.Timer{Slot: slot}, row)
	case roster.Unknown:
		w.add(m.Time, *row)
	case roster.Moved:
		w.edits.Moved(row.ID)
		w.put(m, *row)
	case roster.Edited:
		w.put(m, *row)
	}
}

// add adds a site that may need a case.
func (w *watchlist) add(now time.Time, row record.Site) *site {
	slot := w.sites.Add(&row)
	w.remarked(now, slot, &row)
	s := &site{Site: roster.Site{Row: row, Host: w.sites.Entry(slot).Host()}, timer: schedule.Timer{Slot: slot}}
	voice := w.judge.voice(row.Bucket)
	known := row.Untold
	if voice != shard.Telling {
		known = nil
	}
	if known != nil {
		s.unknown(known)
	}
	if row.Ours != nil && voice == shard.OnTrial {
		s.Row.Status, s.Row.StatusSince = row.Ours.Status, row.Ours.Since
	}
	s.begin(w.cases.ballots)
	if row.Inherited {
		s.State = s.State.Inherit()
	}
	if known != nil && known.Status == check.StatusRunning {
		s.State.Unsettled = known.Unsure || row.OutageID != 0
	}
	if !row.Paused {
		w.begin(now, &s.timer, &row)
		w.recall(now, s)
	}
	w.cases.settle(now, s)
	return s
}

const (
	// makeUpFor is how long nobody may have made a shard's checks for its next owner to make up
	// for them. After more than that it was the whole monitor that stood still: every site has its
	// turn within its interval.
	makeUpFor = time.Minute
	// underWay is how long before its end the last owner may have begun checks whose results did
	// not count any more: a routine check may take so long. It also covers an owner that had the
	// shard for a moment only, between two others.
	underWay = 10 * time.Second
)

// begin gives a new site its first turn. In a shard that has just come from another owner, a turn
// that fell between the two is made up for: the site would wait for two intervals otherwise.
func (w *watchlist) begin(now time.Time, t *schedule.Timer, row *record.Site) {
	idle := w.judge.tenures[shard.Of(row.Bucket)].Idle
	if idle.IsZero() || now.Sub(idle) > makeUpFor {
		w.agenda.Turn(t, row.ID, w.pace.of(row.Interval))
		return
	}
	w.agenda.MakeUp(t, row.ID, w.pace.of(row.Interval), idle.Add(-underWay))
}

// restart starts a site afresh whose URL has changed: its observations and its outage are of
// another URL. What WordPress.com believes stays until this URL has been judged.
func (w *watchlist) restart(s *site) {
	w.core.Withdraw(s.Row.ID)
	w.judge.abandon(s)
	s.undecided, s.saga = nil, saga{}
	s.untoldOfURL()
	s.forget()
	s.Last, s.LastCheck, s.LastNode = nil, time.Time{}, ""
	s.HeadHostile, s.PageFilled, s.Host = false, false, w.judge.hosts.Of(s.Row.URL)
	s.begin(w.cases.ballots)
	s.inherit()
	w.agenda.Rest(&s.timer)
	w.judge.soon(s)
}

// remarked marks a new site about which the last owner of its shard had something to remark.
func (w *watchlist) remarked(now time.Time, slot schedule.Slot, row *record.Site) {
	w.remarks.Put(remarks.Site{ID: row.ID, BlogID: row.BlogID, Bucket: row.Bucket, URL: row.URL}, now)
	if w.remarks.Has(row.ID) {
		w.sites.Entry(slot).Remark(true)
	}
}

// unremark closes what is remarked about a site, as its row was.
func (w *watchlist) unremark(now time.Time, slot schedule.Slot, row *record.Site) {
	w.remarks.Gone(remarks.Site{ID: row.ID, BlogID: row.BlogID, Bucket: row.Bucket, URL: row.URL}, now)
	w.sites.Entry(slot).Remark(false)
}

// gone removes a site that exists no longer.
func (w *watchlist) gone(now time.Time, s *site) {
	w.unremark(now, s.timer.Slot, &s.Row)
	w.remove(s)
}

// remove removes a site that another coordinator watches from now on, or that is added again.
func (w *watchlist) remove(s *site) {
	w.core.Withdraw(s.Row.ID)
	w.agenda.Rest(&s.timer)
	w.judge.abandon(s)
	w.cases.remove(s)
}

// recall restores a site from the snapshot that its earlier owner left. An open ballot is
// repeated, since its votes are lost.
func (w *watchlist) recall(now time.Time, s *site) {
	if !w.snapshots.Has(s.Row.ID) {
		return
	}
	s.stored = true
	r, err := w.snapshots.Recall(now, &s.Row)
	if err != nil {
		w.out.warn("snapshot unreadable, site starts afresh", "site_id", s.Row.ID, "error", err)
		return
	}
	if r == nil {
		return
	}
	s.HeadHostile, s.PageFilled, s.regional = r.HeadHostile, r.PageFilled, r.Regional
	if !r.Fresh || r.State.Stage == lifecycle.Paused { // it was resumed since
		s.State.Flap = r.State.Flap
		return
	}
	w.cases.ballots = max(w.cases.ballots, r.State.Ballot)
	r.State.StatusSince, r.State.Unsettled = s.Row.StatusSince, s.State.Unsettled
	if s.State.Inherited != r.State.Inherited {
		return // it is of a state that the row has left
	}
	s.State = r.State
	if w.judge.traced {
		s.saga.step, s.saga.opening = r.Trace, r.Opening
	}
	s.checks, s.Last, s.LastCheck, s.LastNode = r.Checks, r.Last, r.LastCheck, r.LastNode
	switch s.State.Stage {
	case lifecycle.Verifying:
		s.askDue = true
		w.agenda.At(&s.timer, now)
	case lifecycle.Suspect:
		// Failures in quick succession prove little.
		w.agenda.At(&s.timer, s.State.Observed.Add(w.judge.policy.Between))
	case lifecycle.Recovering:
		w.agenda.At(&s.timer, now)
	}
}
