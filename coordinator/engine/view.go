package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/tally"
	"github.com/Automattic/jetmon/coordinator/rules/coverage"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// View is the engine's current state of a site.
type View struct {
	State lifecycle.State
	// Status is the committed status, with its time and its outage.
	Status      check.Status
	StatusSince time.Time
	OutageID    int64
	// Interval is the interval in force.
	Interval time.Duration
	// Last is the observation of the newest check, at LastCheck by LastNode; nil before the
	// first. State.Node made the newest observation that was not UNKNOWN.
	Last      *check.Observation
	LastCheck time.Time
	LastNode  string
	// Next is the time of the next check or ballot; zero when neither is due.
	Next time.Time
	// Flapping means that the site must stay up for a while before its recovery is reported.
	Flapping bool
	// Regional is the newest ballot that was split by region; nil when none was recently.
	Regional *Regional
	// Checks are those of the current run of failures, or of the recovery; Ballot is
	// the newest ballot of the run, nil when there was none.
	Checks []record.LocalCheck
	Ballot *record.Ballot
	// Pending means that a change is being written to the store.
	Pending bool
	// Uncheckable is why the site's URL cannot be checked at all; empty for other sites.
	Uncheckable string
	// Hushed is the maintenance because of which nobody is told what State says; 0 for none.
	// Status is then what WordPress.com knows.
	Hushed int64
	// Voice is who hears of the site's changes. Unless that is WordPress.com, Status is the
	// status on record, on trial our own verdict.
	Voice shard.Voice
	// UndecidedReason is why an undecided suspect is not reported; empty for other sites.
	UndecidedReason string
}

// View returns the state of one site; false when this coordinator does not watch it.
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
		Checks: slices.Clone(s.checks), Pending: s.pending != nil, Voice: e.judge.voice(s.Row.Bucket),
		Flapping: s.State.Status != check.StatusRunning && s.State.Flap.Flapping(now, e.o.Policy),
	}
	if u := s.untold; u != nil && u.hushed != 0 {
		v.Hushed, v.Status, v.StatusSince = u.hushed, u.known.Status, u.known.Since
	}
	if due, ok := e.agenda.Due(&s.timer); ok {
		v.Next = due
	}
	if s.undecided != nil {
		v.UndecidedReason = s.undecided.reason
	}
	v.Uncheckable, _ = s.uncheckable()
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

// Undecided is a suspect on which the panel could not decide.
type Undecided struct {
	Site   check.SiteID
	URL    string
	Since  time.Time
	Reason string
}

// CheckerView describes one session.
type CheckerView struct {
	Node, Region, Instance string
	Joined                 time.Time
	Open, Credit           int
	SelfCheck              check.SelfCheck
	// UnwellSince is when the checker became unhealthy; zero while it reaches its anchors.
	UnwellSince time.Time
	// Quarantined is when its quarantine started; zero while the checker is trusted.
	Quarantined time.Time
	// Rival is another process that claims the checker's name; zero when none does.
	Rival dispatch.Rival
}

// Summary counts the sites and checks, and lists the checkers and the undecided suspects.
type Summary struct {
	Sites, Suspect, Down uint64
	// Uncheckable counts the sites whose URL cannot be checked at all, UncheckableBy by reason.
	Uncheckable   uint64
	UncheckableBy map[string]uint64
	// Queued checks wait for a checker with room. Parked checks wait because their host has
	// enough checks out.
	Queued, Parked, Open int
	// Coverage reports how punctual the checks are.
	Coverage coverage.Report
	Counters Counters
	Checkers []CheckerView
	// Undecided lists the undecided suspects, the oldest first, at most maxUndecided;
	// UndecidedCount is how many there are.
	Undecided      []Undecided
	UndecidedCount int
	// Disagreements lists the suspects about which a veriflier's readers disagree, the oldest
	// first, at most maxDisagreements; DisagreementCount is how many there are.
	Disagreements     []Disagreement
	DisagreementCount int
	// NoCheckersSince is when the last checker left; zero while one is connected.
	NoCheckersSince time.Time
}

const maxUndecided = 100

// Counters returns the counts since the start.
func (e *Engine) Counters() Counters {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.counts()
}

// TakeResults returns the results of checks since the last call; none the first time, from
// which on they are counted.
func (e *Engine) TakeResults() *tally.Counts {
	e.mu.Lock()
	defer e.mu.Unlock()
	taken := e.results.Take()
	if taken == nil {
		e.results.Start()
		taken = &tally.Counts{}
	}
	return taken
}

// Summary returns the summary at now.
func (e *Engine) Summary(now time.Time) Summary {
	e.mu.Lock()
	defer e.mu.Unlock()
	sum := Summary{
		Sites: uint64(e.sites.Len()), Queued: e.core.Queued(), Parked: e.core.Parked(), Open: e.core.Open(),
		Counters: e.counts(), NoCheckersSince: e.fleet.EmptySince(), Coverage: e.meter.Report(now),
		UncheckableBy: map[string]uint64{},
	}
	for _, s := range e.cases.open {
		if s.undecided != nil {
			sum.Undecided = append(sum.Undecided, Undecided{Site: s.Row.ID, URL: s.Row.URL, Since: s.undecided.since, Reason: s.undecided.reason})
		}
		if d, ok := s.disagreement(); ok {
			sum.Disagreements = append(sum.Disagreements, d)
		}
		if reason, is := s.uncheckable(); is {
			sum.Uncheckable++
			sum.UncheckableBy[reason]++
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
	slices.SortFunc(sum.Undecided, func(a, b Undecided) int { return a.Since.Compare(b.Since) })
	sum.UndecidedCount = len(sum.Undecided)
	sum.Undecided = sum.Undecided[:min(len(sum.Undecided), maxUndecided)]
	sum.DisagreementCount = len(sum.Disagreements)
	sum.Disagreements = oldest(sum.Disagreements)
	slices.SortFunc(sum.Checkers, func(a, b CheckerView) int { return strings.Compare(a.Node, b.Node) })
	return sum
}
