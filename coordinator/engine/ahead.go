package engine

import (
	"github.com/Automattic/jetmon/coordinator/dispatch"
	"github.com/Automattic/jetmon/coordinator/schedule"
)

// The record and the URL of one of millions of sites are in no cache when its turn or its
// result comes; waiting for them was most of what a good check cost. But sites come in
// runs: when all of a run are looked at first, none of these loads depends on another, and
// the processor waits for many at once. What is read is summed up, so that it is read.

// runLength is how many due sites are looked at ahead: as many as surely stay in the cache.
const runLength = 64

// expectDue looks at what having checks of sites due takes.
func (e *Engine) expectDue(slots []schedule.Slot) {
	for _, slot := range slots {
		e.ahead += e.sites.Record(slot).Host()
	}
	e.expected = e.expected[:0]
	for _, slot := range slots {
		r := e.sites.Record(slot)
		e.expected = append(e.expected, dispatch.Check{Site: r.ID(), Host: r.Host()})
	}
	e.core.Expect(e.expected)
}

// expectRecords looks at the records of the sites of checks.
func (e *Engine) expectRecords(checks []dispatch.Check) {
	for i := range checks {
		e.ahead += e.sites.Record(schedule.Slot(checks[i].Tag)).Host()
	}
}

// expectURLs looks at their URLs.
func (e *Engine) expectURLs(checks []dispatch.Check) {
	for i := range checks {
		if url := e.sites.URL(schedule.Slot(checks[i].Tag)); url != "" {
			e.ahead += uint32(url[0]) + uint32(url[len(url)-1])
		}
	}
}
