package engine

import (
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/changelog"
	"github.com/Automattic/jetmon/coordinator/engine/checkers"
	"github.com/Automattic/jetmon/coordinator/engine/remarks"
	"github.com/Automattic/jetmon/coordinator/engine/roster"
	"github.com/Automattic/jetmon/coordinator/engine/snapshot"
	"github.com/Automattic/jetmon/coordinator/engine/tally"
	"github.com/Automattic/jetmon/coordinator/rules/coverage"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/outlier"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// Options configures New. Fields are required unless their comment says otherwise.
type Options struct {
	Policy   lifecycle.Policy
	Dispatch dispatch.Config
	// Outliers holds the thresholds of outlier detection.
	Outliers  outlier.Rule
	Panel     Panel
	Committer Committer
	// Interval, when not 0, replaces every site's own.
	Interval time.Duration
	// Pages is what page checks make of a broken page; PageIgnored makes none of them.
	Pages check.PageRule
	// TLSErrors is what a bad certificate means where a site does not say.
	TLSErrors check.TLSErrors
	// Shards knows the terms of the shards that this coordinator owns, and who hears of their
	// changes. It is optional; without it changes carry no term, and WordPress.com hears of all.
	Shards shard.Holder
	// History notes what becomes of every turn, for TakeNotes.
	History bool
	// Random makes idempotency keys.
	Random func() uint64
	// Tracer, optional, records the steps of sites in trouble, whose checks are then traced.
	Tracer Tracer
	Log    *slog.Logger
}

// grain is the grain of the schedule; wheelBuckets cover the longest interval with it.
const (
	grain        = 100 * time.Millisecond
	wheelBuckets = 1 << 18
)

// Engine is the live state. New makes one.
type Engine struct {
	o    Options
	hand handover

	// mu guards what follows. No port is called while it is held.
	mu sync.Mutex
	// out collects the effects of the call that holds the lock.
	out effects
	// tenures are those of the shards as of the last Tick or Read.
	tenures shard.Held

	// The parts that decide; see doc.go.
	sites     *roster.Table
	agenda    *schedule.Agenda
	core      *dispatch.Core
	fleet     *checkers.Fleet
	edits     *changelog.Log
	snapshots *snapshot.Journal
	remarks   *remarks.Book
	meter     *coverage.Meter

	// The parts that combine them, each for one purpose.
	cases *casebook
	judge *judge
	watch *watchlist
	deal  *dealer
	// demands are the checks that callers wait for.
	demands demands
	// notes are what became of every turn; nil without Options.History.
	notes *notebook

	// ticked is when Tick was last called.
	ticked time.Time
	keys   []dispatch.Key // scratch of CheckIn
	// results are counted for TakeResults, from its first call on.
	results tally.Tally
}

// Counters count events since the start.
type Counters struct {
	Checks, Failures, Blips, FalseAlarms, Inconclusive, Changes uint64
	// Stale counts results for sites of a shard that had been lost.
	Stale uint64
	// NotesDropped counts the notes of turns that nobody took in time.
	NotesDropped uint64
}

// New makes an engine without sites.
func New(o Options, now time.Time) *Engine {
	hosts := roster.NewHosts(maphash.MakeSeed())
	e := &Engine{
		o:         o,
		hand:      handover{panel: o.Panel, committer: o.Committer, tracer: o.Tracer, log: o.Log},
		sites:     roster.New(now, hosts),
		agenda:    schedule.NewAgenda(now, grain, wheelBuckets),
		core:      dispatch.New(o.Dispatch),
		fleet:     checkers.New(o.Outliers, now),
		edits:     changelog.New(),
		snapshots: snapshot.NewJournal(),
		remarks:   remarks.New(),
		meter:     coverage.New(now),
		ticked:    now,
		demands:   demands{open: map[check.SiteID]*Demand{}},
	}
	e.cases = &casebook{
		sites: e.sites, snapshots: e.snapshots, flapWindow: o.Policy.FlapWindow, open: map[schedule.Slot]*site{}, untold: map[schedule.Slot]struct{}{},
	}
	e.judge = &judge{
		policy: o.Policy, pace: pace(o.Interval), pages: pageChecks(o.Pages), random: o.Random, hosts: hosts,
		agenda: e.agenda, core: e.core, fleet: e.fleet, out: &e.out, tenures: &e.tenures, tlsErrors: o.TLSErrors,
		traced: o.Tracer != nil,
	}
	e.watch = &watchlist{
		pace: pace(o.Interval), sites: e.sites, agenda: e.agenda, core: e.core, edits: e.edits,
		cases: e.cases, snapshots: e.snapshots, remarks: e.remarks, judge: e.judge, out: &e.out,
	}
	e.deal = &dealer{
		pace: pace(o.Interval), pages: pageChecks(o.Pages), sites: e.sites, agenda: e.agenda, core: e.core, meter: e.meter, out: &e.out, tenures: &e.tenures, tlsErrors: o.TLSErrors,
		ahead: lookahead{sites: e.sites, core: e.core}, outlets: map[dispatch.SessionID]*outlet{},
	}
	if o.Tracer != nil {
		e.deal.traced = e.cases
	}
	if o.History {
		e.notes = &notebook{pace: pace(o.Interval), sites: e.sites, book: history.NewBook()}
	}
	return e
}

// release ends a call that may have effects: it unlocks mu and hands them over.
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

// handOver hands over all queued effects, and ends the sessions that refused their batch.
func (e *Engine) handOver() {
	for _, refused := range e.hand.run() {
		e.mu.Lock()
		e.endSession(refused.at, refused.to.id, "the checker does not read its stream")
		e.release()
	}
}
