package engine

import (
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// maxBacklog is how long the oldest routine check may wait for a checker with room before
// the schedule's clock stops.
const maxBacklog = time.Second

// Tick does what is due at now: it hands checks out and ends dead sessions. The caller
// calls it about every 100 ms; after a pause, everything overdue is done once.
func (e *Engine) Tick(now time.Time) {
	m := e.hand.moment(now)
	tenures := tenuresOf(e.o.Shards)
	e.mu.Lock()
	defer e.release()
	e.tenures = tenures
	e.routine(m)
	for _, slot := range e.agenda.Waited(now) {
		if s := e.cases.open[slot]; s != nil {
			e.agenda.Rest(&s.timer)
			e.judge.due(m, now, s)
			e.cases.settle(now, s)
		}
	}
	lost, expired := e.core.Expire(now)
	for _, id := range lost {
		e.endSession(now, id, "no heartbeat")
	}
	e.deal.revoke(expired)
	e.deal.revoke(e.core.Obsolete(now))
	e.deal.assign(now)
}

// tenuresOf returns the tenures of this moment; none without a holder. The caller does not
// hold the engine's lock.
func tenuresOf(h shard.Holder) (none shard.Held) {
	if h == nil {
		return none
	}
	return h.Held()
}

// routine advances the schedule's clock and submits the checks of the sites whose turn has
// come. The clock stands still while checks wait for room: more of them would be no use.
func (e *Engine) routine(m moment) {
	slots, ran := e.agenda.Advance(m.Time, e.core.Backlog(m.Time) > maxBacklog)
	e.meter.Ran(m.Time, m.Sub(e.ticked), ran)
	e.ticked = m.Time
	e.meter.Due(m.Time, len(slots))
	due := m.Add(-ran) // no slot was due earlier
	for run := range slices.Chunk(slots, runLength) {
		e.deal.ahead.due(run)
		for _, slot := range run {
			if s := e.cases.open[slot]; s != nil {
				e.judge.due(m, due, s)
				e.cases.settle(m.Time, s)
			} else if e.sites.Entry(slot).ID() != 0 {
				e.deal.submit(m.Time, due, slot)
			}
		}
	}
}
