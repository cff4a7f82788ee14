package engine

import (
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/roster"
	"github.com/Automattic/jetmon/coordinator/engine/snapshot"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// site is all that the engine knows of one site. Only sites that are not calm are kept in
// this form, as cases; of the others there is a record.
type site struct {
	roster.Site
	// timer is the site's on the agenda; its slot is that of the site.
	timer schedule.Timer
	// kept: the store may have a snapshot of it.
	kept bool
	// checks are the observations of the present run of failures, or of the
	// present recovery; at most snapshot.MaxChecks.
	checks []store.LocalCheck
	// askDue says that a ballot is to be opened when the wheel comes by; opened
	// that the panel has it.
	askDue, opened bool
	// pending is a change that is not committed yet; until it is, nothing else is judged.
	pending *store.Change
	// answer is the newest ballot's, for evidence.
	answer *Answer
	// regional is the newest ballot that was split by region.
	regional Regional
	// hold is why it is not reported though it fails; nil when it is not held.
	hold *hold
}

// begin resets the state to what the row says, and keeps Unsettled. Ballots are numbered
// from the next one on.
func (s *site) begin(ballots uint32) {
	unsettled := s.State.Unsettled
	s.State = lifecycle.Initial(s.Row.Status, s.Row.StatusSince, s.Row.Paused)
	s.State.Ballot, s.State.Unsettled = ballots, unsettled
}

// target is what to ask a node about the site.
func (s *site) target() check.Target {
	t := target{URL: s.Row.URL, settings: &s.Row.Settings, timeout: budget(s.State.Stage, s.Urgent)}
	t.headHostile = s.HeadHostile && s.Sequence%headAgain != 0
	return t.spell()
}

// target is what to ask a node, in 40 bytes instead of the 112 of a check.Target: of those
// that are handed out, thousands may be in line. The settings are shared and not to be
// changed; the zero target is that of a site that was taken off.
type target struct {
	URL         string // as in the row
	settings    *check.Settings
	timeout     time.Duration
	headHostile bool
}

// spell spells a target out.
func (t target) spell() check.Target {
	if t.settings == nil {
		return check.Target{}
	}
	return check.Target{URL: check.CompleteURL(t.URL), Settings: *t.settings, Timeout: t.timeout, HeadHostile: t.headHostile}
}

// budget is how long a check of a site may take. A site in trouble keeps the patience that
// it was called down with until it is up again: with less, one that comes back slowly
// would stay down though nobody would call it down.
func budget(stage lifecycle.Stage, urgent bool) time.Duration {
	if calm := stage == lifecycle.Up || stage == lifecycle.NeverChecked; calm && !urgent {
		return check.RoutineTimeout
	}
	return check.VerifyTimeout
}

// note keeps an observation that is evidence of a run of failures, or of a recovery.
func (s *site) note(c store.LocalCheck) {
	switch o := c.Observation.Outcome; {
	case o == check.OutcomeUnknown, o == check.OutcomeUp && s.State.Status == check.StatusRunning && !s.State.Unsettled:
		return
	case o == check.OutcomeDown && s.State.Stage == lifecycle.ConfirmedDown:
		return // all of it is told; a site may stay so for years
	case o == check.OutcomeUp && s.State.Stage != lifecycle.Recovering,
		o == check.OutcomeDown && s.State.Stage == lifecycle.Recovering:
		s.checks = nil // the direction turns
	case len(s.checks) == snapshot.MaxChecks:
		// The first one opened the run: keep it, forget the second oldest.
		s.checks = slices.Delete(s.checks, 1, 2)
	}
	s.checks = append(s.checks, c)
}

// headAgain is every how many checks HEAD is tried on a site that was hostile to it:
// once a day at five minutes.
const headAgain = 288

// learn remembers whether the site answers HEAD.
func (s *site) learn(o check.Observation) {
	switch {
	case slices.Contains(o.Advisories, check.AdvisoryHeadUnsupported):
		s.HeadHostile = true
	case o.Outcome == check.OutcomeUp && o.Method == check.MethodHead:
		s.HeadHostile = false
	}
}

// cause is the failure that opened the present run.
func (s *site) cause() check.Observation {
	for _, c := range s.checks {
		if c.Observation.Outcome == check.OutcomeDown {
			return c.Observation
		}
	}
	return check.Observation{}
}

// evidence is that of the site's newest ballot.
func (s *site) evidence() store.Ballot {
	a := s.answer
	return store.Ballot{
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

// Regional says that a site fails for some regions and works for others.
type Regional = snapshot.Regional

// regionalFor is how long a regional finding is shown.
const regionalFor = time.Hour

// hold is why a failing site is not reported: the verifliers cannot agree.
type hold struct {
	since  time.Time
	reason string
}
