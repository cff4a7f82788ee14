package engine

import (
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/snapshot"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
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

// Unsaved takes the updates of a shard that are to be written to the store, at most limit,
// those that have waited longest. Unwritten takes those back that could not be written.
func (e *Engine) Unsaved(now time.Time, of shard.ID, limit int) []snapshot.Update {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]snapshot.Update, 0, min(limit, e.snapshots.Waiting(of)))
	for len(out) < limit {
		id, bucket, ok := e.snapshots.Next(of)
		if !ok {
			break
		}
		u := snapshot.Update{Site: id, Bucket: bucket, Forget: true, At: now}
		if s := e.cases.of(id); s != nil && s.memorable() {
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
		if e.o.Shards != nil && e.deal.terms[shard.Of(u.Bucket)] == 0 {
			continue // the next owner's to write
		}
		if s := e.cases.of(u.Site); s != nil {
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
		if s := e.cases.find(left.SiteID); s != nil && s.LastCheck.IsZero() && s.pending == nil && !s.Row.Paused {
			e.watch.recall(e.ticked, s)
			e.cases.settle(e.ticked, s)
		}
	}
}

// Recalled ends the recall of a shard.
func (e *Engine) Recalled(id shard.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.snapshots.Loaded(id)
}
