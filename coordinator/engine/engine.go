package engine

import (
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/checkers"
	"github.com/Automattic/jetmon/coordinator/coverage"
	"github.com/Automattic/jetmon/coordinator/dispatch"
	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/quorum"
	"github.com/Automattic/jetmon/coordinator/roster"
	"github.com/Automattic/jetmon/coordinator/schedule"
	"github.com/Automattic/jetmon/coordinator/shard"
	"github.com/Automattic/jetmon/coordinator/snapshot"
	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/coordinator/storm"
	"github.com/Automattic/jetmon/internal/check"
)

// Panel asks the verifliers. Its answers arrive at Engine.Decide and Engine.Looked.
type Panel interface {
	// Ask holds a ballot.
	Ask(Question)
	// Abandon stops a ballot that is under way; its answer no longer matters.
	Abandon(site check.SiteID, ballot uint32)
	// Look asks any one veriflier for a second look.
	Look(Question)
}

// Question is one site to ask the verifliers about.
type Question struct {
	Site   check.SiteID
	Ballot uint32
	Round  uint8
	Target check.Target
}

// Ledger writes to the store. Its answers arrive at Engine.Committed and Engine.Refused.
type Ledger interface {
	// Record commits a change; there is at most one a site at a time.
	Record(store.Change)
	// Keep keeps the evidence of a ballot that opened no outage.
	Keep(store.Ballot)
	// Full says that too many changes wait: until it is over nothing new is decided.
	Full() bool
}

// Session is the engine's way to one checker.
type Session interface {
	// Assign hands a batch over, under a term; it must not block. The targets are lent
	// until it returns. False means that the session cannot take it and will be ended.
	Assign(b dispatch.Batch, targets []check.Target, term uint64) bool
	// Revoke takes batches back, if the session has room for the message.
	Revoke([]dispatch.Ref)
	// End closes the session.
	End(reason string)
}

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
	o Options

	mu     sync.Mutex
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
	// recent is when sites were put or changed other than by a Reading, of late: an
	// older read does not undo it.
	recent map[check.SiteID]time.Time
	// pruned is when those were looked through that are not of late any more.
	pruned time.Time

	// fleet knows what the word of each checker is worth; sessions are the ways to them.
	fleet    *checkers.Fleet
	sessions map[dispatch.SessionID]Session
	held     map[check.SiteID]hold
	counts   Counters
	terms    [shard.Count]uint64
	// edits counts what Edits answers, by id: see editBlock.
	edits [1 << 12]uint64
	// drops counts how often each shard was dropped.
	drops [shard.Count]uint64
	// snapshots knows what of the cases is to be written, and what an earlier owner has left.
	snapshots *snapshot.Journal
	expected  []dispatch.Check // scratch of expectDue
	targets   []check.Target   // scratch of assign
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
		agenda:    schedule.NewAgenda(now, tick, wheelBuckets),
		meter:     coverage.New(now),
		ticked:    now,
		snapshots: snapshot.NewJournal(),
		core:      dispatch.New(o.Dispatch),
		sites:     roster.New(now, maphash.MakeSeed()),
		cases:     map[schedule.Slot]*site{},
		recent:    map[check.SiteID]time.Time{},
		fleet:     checkers.New(o.Storm, now),
		sessions:  map[dispatch.SessionID]Session{},
		held:      map[check.SiteID]hold{},
	}
	return e
}

// Answer is the panel's answer to Ask.
type Answer struct {
	Question Question
	Verdict  quorum.Verdict
	Rule     quorum.Rule
	// Opened and Decided bound the ballot.
	Opened, Decided time.Time
	Votes           []store.Vote
}

// Opinions are the votes as quorum judges them, in their order.
func (a Answer) Opinions() []quorum.Opinion { return Opinions(a.Votes) }

// Opinions are votes as quorum judges them, in their order.
func Opinions(votes []store.Vote) []quorum.Opinion {
	out := make([]quorum.Opinion, len(votes))
	for i, v := range votes {
		out[i] = quorum.Opinion{Voter: quorum.Voter{Name: v.Veriflier, Region: v.Region}, Value: v.Value}
	}
	return out
}

// Look is the panel's answer to Look. Observation is nil when nobody answered.
type Look struct {
	Question    Question
	Veriflier   string
	At          time.Time
	Observation *check.Observation
}
