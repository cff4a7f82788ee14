package engine

import (
	"log/slog"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/dispatch"
	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/quorum"
	"github.com/Automattic/jetmon/coordinator/schedule"
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
}

// Session is the engine's way to one checker.
type Session interface {
	// Assign hands a batch over; it must not block. False means that the session
	// cannot take it and will be ended.
	Assign(dispatch.Batch, []check.Target) bool
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

	start time.Time

	mu    sync.Mutex
	wheel *schedule.Wheel
	core  *dispatch.Core

	// pages hold the records of slots 0..slots-1; free lists the slots without a site.
	pages []*[pageSize]record
	slots int
	free  []schedule.Slot
	byID  map[check.SiteID]schedule.Slot
	// buckets are the heads of the lists of slots, noSlot when empty.
	buckets [check.Buckets]uint32
	urls    arena
	// settings and nodes hold each different value once; records have the index.
	settings   interned
	nodes      []string
	nodeByName map[string]uint16
	// cases are the sites that are not calm.
	cases map[schedule.Slot]*site
	// ballots is the highest number that a ballot had.
	ballots uint32
	// recent is when sites were put or changed other than by PutBucket, of late: an
	// older read does not undo it.
	recent map[check.SiteID]time.Time

	sessions map[dispatch.SessionID]*session
	held     map[check.SiteID]hold
	// witnesses watch the checkers, by node.
	witnesses map[string]*storm.Witness
	counts    Counters
	due       []schedule.Slot // scratch of Tick
	// lonely is when the last session ended; zero while there is one.
	lonely time.Time
}

// Counters count what happened since the start.
type Counters struct {
	Checks, Failures, Blips, FalseAlarms, Inconclusive, Changes uint64
}

// New makes an engine without sites.
func New(o Options, now time.Time) *Engine {
	e := &Engine{
		start:      now.Add(-grain), // so that no check ends at 0
		o:          o,
		wheel:      schedule.New(now, tick, wheelBuckets),
		core:       dispatch.New(o.Dispatch),
		byID:       map[check.SiteID]schedule.Slot{},
		cases:      map[schedule.Slot]*site{},
		recent:     map[check.SiteID]time.Time{},
		settings:   newInterned(),
		nodes:      []string{""},
		nodeByName: map[string]uint16{"": 0},
		sessions:   map[dispatch.SessionID]*session{},
		held:       map[check.SiteID]hold{},
		witnesses:  map[string]*storm.Witness{},
		lonely:     now,
	}
	for i := range e.buckets {
		e.buckets[i] = noSlot
	}
	return e
}

// Tick does what is due at now: checks are handed out, dead sessions are ended.
// Call it about every tick; after a pause what was missed is done once.
func (e *Engine) Tick(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.due = e.wheel.Advance(now, e.due[:0])
	for _, slot := range e.due {
		if s := e.cases[slot]; s != nil {
			e.siteDue(now, s)
			e.settle(now, s)
		} else if r := e.record(slot); r.id != 0 {
			e.calmDue(now, slot, r)
		}
	}
	lost, _ := e.core.Expire(now)
	for _, id := range lost {
		e.endSession(now, id, "no heartbeat")
	}
	e.assign(now)
}

// siteDue does the one thing that a site waits for.
func (e *Engine) siteDue(now time.Time, s *site) {
	switch s.state.Stage {
	case lifecycle.Paused:
	case lifecycle.Verifying:
		if s.askDue {
			e.ask(s)
		}
	default:
		e.submit(now, s, s.state.Stage == lifecycle.Suspect && !s.state.Held)
		e.wait(s, schedule.Next(s.row.ID, e.interval(s), now))
	}
}

// submit queues one check of a site, unless one is open.
func (e *Engine) submit(now time.Time, s *site, urgent bool) {
	if urgent {
		e.submitTo(now, s, s.state.Node)
		return
	}
	e.queueSite(now, s, "", false)
}

// submitTo queues one urgent check, for any node but avoid if there is another.
func (e *Engine) submitTo(now time.Time, s *site, avoid string) {
	e.queueSite(now, s, avoid, true)
}

func (e *Engine) queueSite(now time.Time, s *site, avoid string, urgent bool) {
	if e.queue(now, s.row.ID, s.sequence+1, avoid, urgent) {
		s.sequence++
		s.urgent = urgent
	}
}

// queue puts a check into the queue. False: an open check answers this one too, or the
// queue is full and the site waits for its next turn.
func (e *Engine) queue(now time.Time, id check.SiteID, sequence uint64, avoid string, urgent bool) bool {
	return e.core.Submit(now, dispatch.Check{Site: id, Sequence: sequence, Avoid: avoid, Urgent: urgent}) == nil
}

// wait has the wheel come by at a time, once; rest has it not come by.
func (e *Engine) wait(s *site, at time.Time) { e.wheel.Add(s.slot, at) }
func (e *Engine) rest(s *site)               { e.wheel.Remove(s.slot) }

func (e *Engine) interval(s *site) time.Duration { return e.intervalOf(s.row.Interval) }

func (e *Engine) intervalOf(own time.Duration) time.Duration {
	if e.o.Interval > 0 {
		return e.o.Interval
	}
	return own
}

// assign hands out what credits allow.
func (e *Engine) assign(now time.Time) {
	for _, b := range e.core.Assign(now) {
		targets := make([]check.Target, len(b.Checks))
		for i, c := range b.Checks {
			if slot, ok := e.byID[c.Site]; ok {
				targets[i] = e.target(slot)
			}
		}
		if ses := e.sessions[b.Session]; ses == nil || !ses.out.Assign(b, targets) {
			e.endSession(now, b.Session, "the checker does not read its stream")
		}
	}
}

// target is what to ask a node about the site in a slot.
func (e *Engine) target(slot schedule.Slot) check.Target {
	if s := e.cases[slot]; s != nil {
		return s.target()
	}
	r := e.record(slot)
	return target(e.urls.text(r.url), e.settings.list[r.settings], uint64(r.sequence), r.flags)
}

// ask opens the site's ballot with the panel.
func (e *Engine) ask(s *site) {
	s.askDue = false
	s.opened = true
	t := s.target()
	t.Timeout = check.VerifyTimeout
	e.o.Panel.Ask(Question{Site: s.row.ID, Ballot: s.state.Ballot, Round: s.state.Round, Target: t})
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
