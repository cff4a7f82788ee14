package engine

import (
	"github.com/Automattic/jetmon/coordinator/engine/roster"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/state/store"
)

// lookahead loads what a run of sites takes before any of them has its turn. The record and
// the URL of one of millions of sites are in no cache when its turn or its result comes;
// waiting for them was most of what a good check cost. But sites come in runs: when all of a
// run are looked at first, none of these loads depends on another, and the processor waits
// for many at once. The sum of what is read keeps the loads from being left out as useless.
type lookahead struct {
	sites *roster.Table
	core  *dispatch.Core
	run   []dispatch.Check // scratch of due
	sum   uint32
}

// runLength is how many due sites are looked at ahead: as many as surely stay in the cache.
const runLength = 64

// due looks at what having checks of sites due takes.
func (a *lookahead) due(slots []schedule.Slot) {
	for _, slot := range slots {
		a.sum += a.sites.Record(slot).Host()
	}
	a.run = a.run[:0]
	for _, slot := range slots {
		r := a.sites.Record(slot)
		a.run = append(a.run, dispatch.Check{Site: r.ID(), Host: r.Host()})
	}
	a.core.Expect(a.run)
}

// records looks at the records of the sites of checks.
func (a *lookahead) records(checks []dispatch.Check) {
	for i := range checks {
		a.sum += a.sites.Record(schedule.Slot(checks[i].Tag)).Host()
	}
}

// urls looks at their URLs.
func (a *lookahead) urls(checks []dispatch.Check) {
	for i := range checks {
		if url := a.sites.URL(schedule.Slot(checks[i].Tag)); url != "" {
			a.sum += uint32(url[0]) + uint32(url[len(url)-1])
		}
	}
}

// rows looks at where the sites of rows are in the index.
func (a *lookahead) rows(rows []store.Site) {
	for i := range rows {
		a.sum += a.sites.Glance(rows[i].ID)
	}
}
