package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/coverage"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// View is what the engine knows of a site at this moment.
type View struct {
	State lifecycle.State
	// Status is the committed one, with its time and its outage.
	Status      check.Status
	StatusSince time.Time
	OutageID    int64
	// Interval is the one in force.
	Interval time.Duration
	// Last is what the newest check saw, at LastCheck; nil before the first. LastNode made
	// it; State.Node made the newest one that could tell.
	Last      *check.Observation
	LastCheck time.Time
	LastNode  string
	// Next is when it is checked next, or a ballot is opened; zero when neither is due.
	Next time.Time
	// Flapping says that its outage must be over for a while before that is told.
	Flapping bool
	// Regional is the newest ballot that was split by region, nil when there was none lately.
	Regional *Regional
	// Checks are those of the present run of failures, or of the recovery; Ballot is
	// its newest decision, nil when there was none.
	Checks []store.LocalCheck
	Ballot *store.Ballot
	// Pending says that a change is on its way to the store.
	Pending bool
	// Muted means that WordPress.com is told nothing, and that Status is what is on record.
	Muted bool
	// HoldReason says why a failing site is not reported; empty when it is not held.
	HoldReason string
}

// View reads one site; false when this coordinator does not watch it.
func (e *Engine) View(now time.Time, id check.SiteID) (View, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.cases.find(id)
	if s == nil {
		return View{}, false
	}
	v := View{
		State: s.State, Status: s.Row.Status, StatusSince: s.Row.StatusSince, OutageID: s.Row.OutageID,
		Interval: e.judge.pace.of(s.Row.Interval), Last: s.Last, LastCheck: s.LastCheck, LastNode: s.LastNode,
		Checks: slices.Clone(s.checks), Pending: s.pending != nil, Muted: e.o.Muted,
		Flapping: s.State.Status != check.StatusRunning && s.State.Flap.Flapping(now, e.o.Policy),
	}
	if due, ok := e.agenda.Due(&s.timer); ok {
		v.Next = due
	}
	if s.hold != nil {
		v.HoldReason = s.hold.reason
	}
	if s.answer != nil {
		b := s.evidence()
		v.Ballot = &b
	}
	if !s.regional.At.IsZero() && now.Sub(s.regional.At) <= regionalFor {
		r := s.regional
		v.Regional = &r
	}
	return v, true
}

// Held is a site on which the verifliers cannot agree.
type Held struct {
	Site   check.SiteID
	URL    string
	Since  time.Time
	Reason string
}

// CheckerView is one session.
type CheckerView struct {
	Node, Region, Instance string
	Joined                 time.Time
	Open, Credit           int
	SelfCheck              check.SelfCheck
	// UnwellSince is since when it does not reach its own anchors; zero while it does.
	UnwellSince time.Time
	// Quarantined is since when its failures count for nothing; zero while it is trusted.
	Quarantined time.Time
	// Rival is another process that asks for its name, zero when none does.
	Rival dispatch.Rival
}

// Summary is the engine's view of itself.
type Summary struct {
	Sites, Suspect, Down uint64
	// Queued checks wait for a checker with room, Parked ones for their turn at a machine
	// that has enough checks at once.
	Queued, Parked, Open int
	// Coverage says whether sites are checked when their intervals ask for it.
	Coverage coverage.Report
	Counters Counters
	Checkers []CheckerView
	// Held are the sites held back, the oldest first, at most maxHeld; HeldCount is how
	// many there are.
	Held      []Held
	HeldCount int
	// LonelySince is when the last checker left; zero while there is one.
	LonelySince time.Time
}

const maxHeld = 100

// Counters reads what happened since the start.
func (e *Engine) Counters() Counters {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.judge.counts
}

// Summary counts and lists.
func (e *Engine) Summary(now time.Time) Summary {
	e.mu.Lock()
	defer e.mu.Unlock()
	sum := Summary{
		Sites: uint64(e.sites.Len()), Queued: e.core.Queued(), Parked: e.core.Parked(), Open: e.core.Open(),
		Counters: e.judge.counts, LonelySince: e.fleet.EmptySince(), Coverage: e.meter.Report(now),
	}
	for _, s := range e.cases.open {
		if s.hold != nil {
			sum.Held = append(sum.Held, Held{Site: s.Row.ID, URL: s.Row.URL, Since: s.hold.since, Reason: s.hold.reason})
		}
		switch {
		case s.State.Status != check.StatusRunning:
			sum.Down++
		case s.State.Stage == lifecycle.Suspect || s.State.Stage == lifecycle.Verifying:
			sum.Suspect++
		}
	}
	for _, info := range e.core.Sessions() {
		st := e.fleet.Status(e.fleet.Get(info.ID))
		sum.Checkers = append(sum.Checkers, CheckerView{
			Node: info.Hello.Node, Region: info.Hello.Region, Instance: info.Hello.Instance,
			Joined: info.JoinedAt, Rival: info.Rival, Open: info.Open, Credit: info.Credit,
			SelfCheck: st.Self, UnwellSince: st.UnhealthySince, Quarantined: st.Quarantined,
		})
	}
	slices.SortFunc(sum.Held, func(a, b Held) int { return a.Since.Compare(b.Since) })
	sum.HeldCount = len(sum.Held)
	sum.Held = sum.Held[:min(len(sum.Held), maxHeld)]
	slices.SortFunc(sum.Checkers, func(a, b CheckerView) int { return strings.Compare(a.Node, b.Node) })
	return sum
}
