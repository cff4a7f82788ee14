package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/roster"
	"github.com/Automattic/jetmon/coordinator/engine/snapshot"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// site is the full state of one site. Only sites that are not compact are kept in this
// form, as cases; the others have only an entry.
type site struct {
	roster.Site
	// timer is the site's timer on the agenda; it holds the site's slot.
	timer schedule.Timer
	// stored: the store may have a snapshot of the site.
	stored bool
	// checks are the observations of the current run of failures, or of the
	// current recovery; at most snapshot.MaxChecks.
	checks []record.LocalCheck
	// askDue means that a ballot opens at the next step; opened means that the panel has it.
	askDue, opened bool
	// pending is the change that is not committed yet; until it is, nothing else is decided.
	pending *record.Change
	// answer is the panel's answer to the newest ballot, for evidence.
	answer *Answer
	// untold is set while WordPress.com does not know of the outage that is open, and the
	// coordinator tells.
	untold *untold
	// regional is the newest ballot that was split by region.
	regional Regional
	// undecided is why the site is not reported although it fails; nil when it is decided.
	undecided *undecided
	// saga is its trace.
	saga saga
}

// begin resets the state to the row's status, and keeps Unsettled. ballots is the highest
// ballot number so far.
func (s *site) begin(ballots uint32) {
	unsettled := s.State.Unsettled
	s.State = lifecycle.Initial(s.Row.Status, s.Row.StatusSince, s.Row.Paused)
	s.State.Ballot, s.State.Unsettled = ballots, unsettled
}

// inherit marks the site's status as one of an earlier URL, whose outage is not the site's.
func (s *site) inherit() {
	s.State = s.State.Inherit()
	s.Row.OutageID, s.Row.Inherited = 0, s.State.Inherited
}

// uncheckable reports whether no check of the site's URL is possible, and why: its last check
// refused the URL itself, before it asked anybody. What WordPress.com was told of the site
// earlier, by v1 or of another URL, makes no difference; while a verdict is being formed, the
// other nodes decide.
func (s *site) uncheckable() (reason string, is bool) {
	switch s.State.Stage {
	case lifecycle.NeverChecked, lifecycle.Up, lifecycle.Down, lifecycle.ConfirmedDown:
	default:
		return "", false
	}
	o := s.Last
	if o == nil || o.Outcome != check.OutcomeUnknown || o.Failure != check.FailurePolicy || len(o.Hops) > 0 {
		return "", false
	}
	return cmp.Or(o.Reason, "policy"), true
}

// target returns the site's target.
func (j *judge) target(s *site) check.Target {
	t := target{URL: s.Row.URL, settings: &s.Row.Settings, timeout: budget(s.State.Stage, s.Urgent), pageWasFilled: s.PageFilled}
	t.headHostile = s.HeadHostile && s.Sequence%headAgain != 0
	t.tlsErrors = cmp.Or(s.Row.Settings.TLSErrors, j.tlsErrors)
	t.pageRule = j.pages.rule(t.settings, turnOf(s.Row.ID, s.Sequence), isTroubled(s.State.Stage, s.Urgent))
	return t.spell()
}

// target is a check.Target in 40 bytes instead of 112, since thousands of them may be
// queued. The settings are shared and must not be changed. The zero target stands for a
// site that has been removed.
type target struct {
	URL         string // as in the row
	settings    *check.Settings
	timeout     time.Duration
	headHostile bool
	// pageRule and pageWasFilled are as in check.Target.
	pageRule      check.PageRule
	pageWasFilled bool
	// tlsErrors is the site's, or the fleet's.
	tlsErrors check.TLSErrors
}

// spell returns the full target.
func (t target) spell() check.Target {
	if t.settings == nil {
		return check.Target{}
	}
	full := check.Target{
		URL: check.CompleteURL(t.URL), Settings: *t.settings, Timeout: t.timeout, HeadHostile: t.headHostile,
		PageRule: t.pageRule, PageWasFilled: t.pageWasFilled,
	}
	full.TLSErrors = t.tlsErrors
	return full
}

// budget returns how long a check of a site may take. A site in trouble keeps the longer
// timeout until it is up again: with the shorter one, a site that comes back slowly would
// stay down although no re-check would have called it down.
func budget(stage lifecycle.Stage, urgent bool) time.Duration {
	if isTroubled(stage, urgent) {
		return check.VerifyTimeout
	}
	return check.RoutineTimeout
}

// isTroubled reports whether a check is of a site in trouble.
func isTroubled(stage lifecycle.Stage, urgent bool) bool {
	return urgent || stage != lifecycle.Up && stage != lifecycle.NeverChecked
}

// note keeps an observation that is evidence of a run of failures, or of a recovery.
func (s *site) note(c record.LocalCheck) {
	switch o := c.Observation.Outcome; {
	case o == check.OutcomeUnknown, o == check.OutcomeUp && s.State.Status == check.StatusRunning && !s.State.Unsettled:
		return
	case o == check.OutcomeDown && s.State.Stage == lifecycle.ConfirmedDown:
		return // everything has been reported; a site may stay down for years
	case o == check.OutcomeUp && s.State.Stage != lifecycle.Recovering,
		o == check.OutcomeDown && s.State.Stage == lifecycle.Recovering:
		s.checks = nil // the direction turns
	case len(s.checks) == snapshot.MaxChecks:
		// The first one opened the run: keep it, drop the second oldest.
		s.checks = slices.Delete(s.checks, 1, 2)
	}
	s.checks = append(s.checks, c)
}

// headAgain is the number of checks after which HEAD is tried again on a site that was
// hostile to it: once a day at an interval of five minutes.
const headAgain = 288

// learn records whether the site answers HEAD.
func (s *site) learn(o check.Observation) {
	switch {
	case slices.Contains(o.Advisories, check.AdvisoryHeadUnsupported):
		s.HeadHostile = true
	case o.Outcome == check.OutcomeUp && o.Method == check.MethodHead:
		s.HeadHostile = false
	}
}

// cause returns the failure that opened the current run.
func (s *site) cause() check.Observation {
	for _, c := range s.checks {
		if c.Observation.Outcome == check.OutcomeDown {
			return c.Observation
		}
	}
	return check.Observation{}
}

// evidence returns the site's newest ballot with its evidence.
func (s *site) evidence() record.Ballot {
	a := s.answer
	return record.Ballot{
		SiteID: s.Row.ID, Bucket: s.Row.Bucket, OutageID: s.Row.OutageID,
		Verdict: a.Verdict, Rule: a.Rule, Round: a.Question.Round,
		Opened: a.Opened, Decided: a.Decided, Votes: a.Votes, Checks: slices.Clone(s.checks),
	}
}

// forget drops what belongs to a run that is over, or to another URL.
func (s *site) forget() {
	s.checks, s.answer = nil, nil
	s.askDue, s.opened = false, false
}

// Regional is a finding that a site fails for some regions and works for others.
type Regional = snapshot.Regional

// regionalFor is how long a regional finding is shown.
const regionalFor = time.Hour

// undecided is why a failing site is not reported: the panel could not decide.
type undecided struct {
	since  time.Time
	reason string
}
