package engine

import (
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/shard"
	"github.com/Automattic/jetmon/coordinator/snapshot"
	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
)

// memorable reports whether more is known of a site than its row and its next checks say.
func (s *site) memorable() bool {
	switch s.State.Stage {
	case lifecycle.Suspect, lifecycle.Verifying, lifecycle.Recovering:
		return true
	}
	return s.pending != nil || s.State.Flap != lifecycle.Flap{} || s.regional.At != time.Time{}
}

// snapshot describes the site. A change that is not committed has not been: its ballot is
// held again.
func (s *site) snapshot() snapshot.Snapshot {
	out := snapshot.Snapshot{
		State: s.State, Checks: slices.Clone(s.checks), Last: s.Last, LastCheck: s.LastCheck, LastNode: s.LastNode,
		HeadHostile: s.HeadHostile, Regional: s.regional,
	}
	if s.pending != nil {
		st := &out.State
		st.Status, st.StatusSince = s.pending.From, s.pending.Since
		st.Stage = lifecycle.Initial(st.Status, st.StatusSince, false).Stage
		if st.Status == check.StatusRunning {
			st.Stage, st.Round = lifecycle.Verifying, 1
		}
	}
	return out
}

// remember notes that the snapshot of a site has to be written, or to be deleted.
func (e *Engine) remember(s *site, open bool) {
	if open && s.memorable() {
		s.kept = true
	} else if !s.kept {
		return
	}
	e.snapshots.Outdated(s.Row.ID, s.Row.Bucket)
}

// Unsaved takes the updates of a shard that are to be written to the store, at most limit,
// those that have waited longest. Unwritten takes those back that could not be written.
func (e *Engine) Unsaved(now time.Time, sh shard.ID, limit int) []snapshot.Update {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]snapshot.Update, 0, min(limit, e.snapshots.Waiting(sh)))
	for len(out) < limit {
		id, bucket, ok := e.snapshots.Next(sh)
		if !ok {
			break
		}
		u := snapshot.Update{Site: id, Bucket: bucket, Forget: true, At: now}
		if s := e.caseOf(id); s != nil && s.memorable() {
			u.Forget, u.Bucket, u.URL, u.Snapshot = false, s.Row.Bucket, s.Row.URL, s.snapshot()
		} else if s != nil {
			s.kept = false
		}
		out = append(out, u)
	}
	return out
}

// Unwritten gives updates back that could not be written.
func (e *Engine) Unwritten(updates []snapshot.Update) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ours := make([]snapshot.Update, 0, len(updates))
	for _, u := range updates {
		if e.o.Shards != nil && e.terms[shard.Of(u.Bucket)] == 0 {
			continue // the next owner's to write
		}
		if s := e.caseOf(u.Site); s != nil {
			s.kept = true
		}
		ours = append(ours, u)
	}
	e.snapshots.GiveBack(ours)
}

// Recall gives the engine the snapshots that an earlier owner of a shard has left, before
// the sites of the shard are put. Recalled ends that: all sites are put.
func (e *Engine) Recall(suspects []store.Suspect) {
	e.mu.Lock()
	defer e.release()
	for _, left := range suspects {
		e.snapshots.Left(left)
		// One that was put by an edit before we came to this.
		if s := e.site(left.SiteID); s != nil && s.LastCheck.IsZero() && s.pending == nil && !s.Row.Paused {
			e.recall(e.ticked, s)
			e.settle(e.ticked, s)
		}
	}
}

// Recalled ends the recall of a shard.
func (e *Engine) Recalled(s shard.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.snapshots.Loaded(s)
}

// recall goes on with a site where the process ended that left a snapshot of it. A ballot
// is held anew: its votes are gone.
func (e *Engine) recall(now time.Time, s *site) {
	if !e.snapshots.Has(s.Row.ID) {
		return
	}
	s.kept = true
	r, err := e.snapshots.Recall(now, &s.Row)
	if err != nil {
		e.out.warn("site starts afresh: its snapshot cannot be read", "site_id", s.Row.ID, "error", err)
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
	e.ballots = max(e.ballots, r.State.Ballot)
	r.State.StatusSince, r.State.Unsettled = s.Row.StatusSince, s.State.Unsettled
	s.State = r.State
	s.checks, s.Last, s.LastCheck, s.LastNode = r.Checks, r.Last, r.LastCheck, r.LastNode
	switch s.State.Stage {
	case lifecycle.Verifying:
		s.askDue = true
		e.agenda.At(&s.timer, now)
	case lifecycle.Suspect:
		// Failures that follow one another too closely say too little.
		e.agenda.At(&s.timer, s.State.Observed.Add(e.o.Policy.Between))
	case lifecycle.Recovering:
		e.agenda.At(&s.timer, now)
	}
}
