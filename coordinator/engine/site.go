package engine

import (
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/schedule"
	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
)

// site is all that the engine knows of one site. Only sites that are not calm are kept
// in this form; see record.
type site struct {
	row   store.Site // as committed
	state lifecycle.State
	slot  schedule.Slot
	// place on Engine.waits, and one; 0: the site has none.
	place schedule.Slot
	// host is a hash of the address that it was reached at; 0: not known.
	host uint32
	// kept says that the store may have a memo of it.
	kept bool
	// sequence numbers the checks; urgent is whether the newest one was.
	sequence uint64
	urgent   bool
	// last is what the newest check saw, at lastCheck; nil before the first.
	last      *check.Observation
	lastCheck time.Time
	// checks are the observations of the present run of failures, or of the
	// present recovery; at most maxChecks.
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
	// headHostile says that HEAD fails where GET works.
	headHostile bool
}

// begin resets the state to what the row says, and keeps Unsettled. Ballots are numbered
// from the next one on.
func (s *site) begin(ballots uint32) {
	unsettled := s.state.Unsettled
	s.state = lifecycle.Initial(s.row.Status, s.row.StatusSince, s.row.Paused)
	s.state.Ballot, s.state.Unsettled = ballots, unsettled
}

// maxChecks bounds the evidence kept of one run.
const maxChecks = 4

// target is what to ask a node.
func (s *site) target() check.Target {
	var f flags
	if s.urgent {
		f |= flagUrgent
	}
	if s.headHostile {
		f |= flagHeadHostile
	}
	return target(s.row.URL, s.row.Settings, s.sequence, f)
}

func target(url string, settings check.Settings, sequence uint64, f flags) check.Target {
	t := check.Target{
		URL:         check.CompleteURL(url),
		Settings:    settings,
		Timeout:     check.RoutineTimeout,
		HeadHostile: f&flagHeadHostile != 0 && sequence%headAgain != 0,
	}
	if f&flagUrgent != 0 {
		t.Timeout = check.VerifyTimeout
	}
	return t
}

// note keeps an observation that is evidence of a run of failures, or of a recovery.
func (s *site) note(c store.LocalCheck) {
	switch o := c.Observation.Outcome; {
	case o == check.OutcomeUnknown, o == check.OutcomeUp && s.state.Status == check.StatusRunning && !s.state.Unsettled:
		return
	case o == check.OutcomeDown && s.state.Stage == lifecycle.ConfirmedDown:
		return // all of it is told; a site may stay so for years
	case o == check.OutcomeUp && s.state.Stage != lifecycle.Recovering,
		o == check.OutcomeDown && s.state.Stage == lifecycle.Recovering:
		s.checks = nil // the direction turns
	case len(s.checks) == maxChecks:
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
		s.headHostile = true
	case o.Outcome == check.OutcomeUp && o.Method == check.MethodHead:
		s.headHostile = false
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

// forget drops what belongs to a run that is over, or to another URL.
func (s *site) forget() {
	s.checks, s.answer = nil, nil
	s.askDue, s.opened = false, false
}

// Regional says that a site fails for some regions and works for others.
type Regional struct {
	Down, Up []string
	At       time.Time
}

// regionalFor is how long a regional finding is shown.
const regionalFor = time.Hour

// hold says why a failing site is not reported.
type hold struct {
	since  time.Time
	reason string
}
