package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/remarks"
	"github.com/Automattic/jetmon/coordinator/rules/advisory"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// remark takes a check of the site in a slot into account for what is remarked about it. A
// site that works and about which nothing was remarked costs two comparisons.
func (e *Engine) remark(slot schedule.Slot, at time.Time, o *check.Observation) {
	entry := e.sites.Entry(slot)
	if len(o.Advisories) == 0 && !entry.Remarked() {
		return
	}
	s := remarks.Site{ID: entry.ID(), BlogID: entry.BlogID(), Bucket: entry.Bucket(), URL: e.sites.URL(slot)}
	entry.Remark(e.remarks.Note(s, at, o))
}

// SitePace is how quick a site was in an hour that ended at At. Detail says so to people, of a
// site that was slower than usual.
type SitePace struct {
	Site   check.SiteID
	Pace   advisory.Pace
	At     time.Time
	Detail string
}

// NotePaces takes the paces of sites in one hour into account for what is remarked about them. It
// passes over sites that are not watched here.
func (e *Engine) NotePaces(paces []SitePace) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range paces {
		slot, known := e.sites.Find(p.Site)
		if !known {
			continue
		}
		entry := e.sites.Entry(slot)
		if p.Pace != advisory.PaceSlower && !entry.Remarked() {
			continue // there is nothing to take back
		}
		s := remarks.Site{ID: entry.ID(), BlogID: entry.BlogID(), Bucket: entry.Bucket(), URL: e.sites.URL(slot)}
		entry.Remark(e.remarks.NotePace(s, p.At, p.Pace, p.Detail))
	}
}

// UnwrittenRemarks takes up to limit changes of remarks of a shard that the store does not know,
// at most one a site. GiveBackRemarks gives back those that could not be written.
func (e *Engine) UnwrittenRemarks(of shard.ID, limit int) []record.Remark {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.remarks.Take(of, limit)
}

// GiveBackRemarks gives back changes that could not be written.
func (e *Engine) GiveBackRemarks(of shard.ID, changes []record.Remark) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.o.Shards != nil && e.tenures[of].Term == 0 {
		return // the next owner finds out by itself
	}
	e.remarks.GiveBack(changes)
}

// RecallRemarks gives the engine the remarks of a shard that are open in the store, before the
// sites of the shard are put. Recalled ends the recall.
func (e *Engine) RecallRemarks(open []record.Remark) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.remarks.Recall(open)
	for _, r := range open {
		// An edit may have put the site before its remarks were read.
		if slot, known := e.sites.Find(r.SiteID); known {
			e.sites.Entry(slot).Remark(true)
		}
	}
}
