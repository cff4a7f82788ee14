package engine

import (
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/snapshot"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// wantsSnapshot reports whether the site has state that its row and its next checks cannot
// restore.
func (s *site) wantsSnapshot() bool {
	switch s.State.Stage {
	case lifecycle.Suspect, lifecycle.Verifying, lifecycle.Recovering:
		return true
	}
	return s.isEmptied() || s.pending != nil || s.State.Flap != lifecycle.Flap{} || s.regional.At != time.Time{}
}

// snapshot returns the site's snapshot. It does not contain a change that is not committed:
// the next owner repeats its ballot.
func (s *site) snapshot() snapshot.Snapshot {
	out := snapshot.Snapshot{
		State: s.State, Checks: slices.Clone(s.checks), Last: s.Last, LastCheck: s.LastCheck, LastNode: s.LastNode,
		HeadHostile: s.HeadHostile, PageFilled: s.PageFilled, Regional: s.regional,
		Trace: s.saga.step, Opening: s.saga.opening,
	}
	if s.pending != nil {
		st := &out.State
		out.Trace = s.pending.Trace
		st.Status, st.StatusSince = s.pending.From, s.pending.Since
		st.Stage = lifecycle.Initial(st.Status, st.StatusSince, false).Stage
		if st.Inherited = s.pending.From == s.pending.To; st.Inherited || st.Status == check.StatusRunning {
			st.Stage, st.Round = lifecycle.Verifying, 1
		}
	}
	return out
}

// Unsaved takes up to limit updates of a shard that must be written to the store, those
// first that have waited longest. Unwritten gives back those that could not be written.
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
		if s := e.cases.of(id); s != nil && s.wantsSnapshot() {
			u.Forget, u.Bucket, u.URL, u.Snapshot = false, s.Row.Bucket, s.Row.URL, s.snapshot()
		} else if s != nil {
			s.stored = false
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
		if e.o.Shards != nil && e.tenures[shard.Of(u.Bucket)].Term == 0 {
			continue // the next owner's to write
		}
		if s := e.cases.of(u.Site); s != nil {
			s.stored = true
		}
		ours = append(ours, u)
	}
	e.snapshots.GiveBack(ours)
}

// Recall gives the engine the snapshots that an earlier owner of a shard has left, before
// the sites of the shard are put. Recalled ends the recall, after all sites have been put.
func (e *Engine) Recall(snapshots []record.Snapshot) {
	e.mu.Lock()
	defer e.release()
	for _, left := range snapshots {
		e.snapshots.Left(left)
		// An edit may have put the site before its snapshot was read.
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
	e.remarks.Recalled(id, e.ticked, func(site check.SiteID) bool {
		_, watched := e.sites.Find(site)
		return watched
	})
}
