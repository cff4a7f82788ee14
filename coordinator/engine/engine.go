package engine

import (
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/changelog"
	"github.com/Automattic/jetmon/coordinator/checkers"
	"github.com/Automattic/jetmon/coordinator/coverage"
	"github.com/Automattic/jetmon/coordinator/dispatch"
	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/roster"
	"github.com/Automattic/jetmon/coordinator/schedule"
	"github.com/Automattic/jetmon/coordinator/shard"
	"github.com/Automattic/jetmon/coordinator/snapshot"
	"github.com/Automattic/jetmon/coordinator/storm"
	"github.com/Automattic/jetmon/internal/check"
)

// Options for New. All are required, unless said otherwise.
type Options struct {
	Policy   lifecycle.Policy
	Dispatch dispatch.Config
	// Storm is the rule by which sick checkers are found.
	Storm  storm.Rule
	Panel  Panel
	Ledger Ledger
	// Interval, when not 0, replaces every site's own.
	Interval time.Duration
	// Muted means that WordPress.com is told nothing. Then a site begins from its status on
	// record, otherwise from what WordPress.com knows.
	Muted bool
	// Shards, optional, has the terms in which shards are ours; without it they have none.
	Shards shard.Holder
	// Random makes idempotency keys.
	Random func() uint64
	Log    *slog.Logger
}

// tick is the grain of the schedule; wheelBuckets cover the longest interval with it.
const (
	tick         = 100 * time.Millisecond
	wheelBuckets = 1 << 18
)

// Engine is the live state. New makes one.
type Engine struct {
	o    Options
	hand handover

	// mu guards what follows. No port is called while it is held.
	mu sync.Mutex
	// out is what the call that has the lock will hand over.
	out    effects
	agenda *schedule.Agenda
	core   *dispatch.Core
	meter  *coverage.Meter
	ticked time.Time

	// sites has a record of every site.
	sites *roster.Table
	// cases are the sites that are not calm.
	cases map[schedule.Slot]*site
	// ballots is the highest number that a ballot had.
	ballots uint32
	// edits knows whether what was read is older than an edit.
	edits *changelog.Log

	// fleet knows what the word of each checker is worth; sessions are the ways to them.
	fleet    *checkers.Fleet
	sessions map[dispatch.SessionID]*outlet
	held     map[check.SiteID]hold
	counts   Counters
	terms    [shard.Count]uint64
	// snapshots knows what of the cases is to be written, and what an earlier owner has left.
	snapshots *snapshot.Journal
	expected  []dispatch.Check // scratch of expectDue
	keys      []dispatch.Key   // scratch of CheckIn
	ahead     uint32           // of expectDue and its like
}

// Counters count what happened since the start.
type Counters struct {
	Checks, Failures, Blips, FalseAlarms, Inconclusive, Changes uint64
	// Stale are results that came for sites of a shard that was lost.
	Stale uint64
}

// New makes an engine without sites.
func New(o Options, now time.Time) *Engine {
	e := &Engine{
		o:         o,
		hand:      handover{panel: o.Panel, ledger: o.Ledger, log: o.Log},
		agenda:    schedule.NewAgenda(now, tick, wheelBuckets),
		meter:     coverage.New(now),
		ticked:    now,
		snapshots: snapshot.NewJournal(),
		core:      dispatch.New(o.Dispatch),
		sites:     roster.New(now, maphash.MakeSeed()),
		cases:     map[schedule.Slot]*site{},
		edits:     changelog.New(),
		fleet:     checkers.New(o.Storm, now),
		sessions:  map[dispatch.SessionID]*outlet{},
		held:      map[check.SiteID]hold{},
	}
	return e
}

// release ends a call that may have effects: it lets the lock go, and hands them over.
func (e *Engine) release() {
	idle := e.out.empty()
	if !idle {
		e.hand.put(&e.out)
	}
	e.mu.Unlock()
	if !idle {
		e.handOver()
	}
}

// handOver sees to it that all effects in line are handed over. The sessions that could
// not take their batch are ended.
func (e *Engine) handOver() {
	for _, refused := range e.hand.run() {
		e.mu.Lock()
		e.endSession(refused.at, refused.to.id, "the checker does not read its stream")
		e.release()
	}
}
