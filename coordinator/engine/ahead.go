package engine

import (
	"github.com/Automattic/jetmon/coordinator/engine/roster"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
)

// lookahead prefetches the memory of a run of sites before the engine handles any of them.
// Among millions of sites, the entry and the URL of the next one are never in the CPU
// cache; waiting for them was most of the cost of a good check. But sites come in runs: the
// loads of a whole run do not depend on one another, so the CPU waits for many at once.
// sum keeps the compiler from removing the loads.
type lookahead struct {
	sites *roster.Table
	core  *dispatch.Core
	run   []dispatch.Check // scratch of due
	sum   uint32
}

// runLength is how many due sites are prefetched at once: few enough to stay in the cache.
const runLength = 64

// due prefetches what submitting checks of due sites reads.
func (a *lookahead) due(slots []schedule.Slot) {
	for _, slot := range slots {
		a.sum += a.sites.Entry(slot).Host()
	}
	a.run = a.run[:0]
	for _, slot := range slots {
		r := a.sites.Entry(slot)
		a.run = append(a.run, dispatch.Check{Site: r.ID(), Host: r.Host()})
	}
	a.core.Expect(a.run)
}

// entries prefetches the entries of the sites of some checks.
func (a *lookahead) entries(checks []dispatch.Check) {
	for i := range checks {
		a.sum += a.sites.Entry(schedule.Slot(checks[i].Tag)).Host()
	}
}

// urls prefetches their URLs.
func (a *lookahead) urls(checks []dispatch.Check) {
	for i := range checks {
		if url := a.sites.URL(schedule.Slot(checks[i].Tag)); url != "" {
			a.sum += uint32(url[0]) + uint32(url[len(url)-1])
		}
	}
}

// rows prefetches the index entries of the sites of some rows.
func (a *lookahead) rows(rows []record.Site) {
	for i := range rows {
		a.sum += a.sites.Glance(rows[i].ID)
	}
}
