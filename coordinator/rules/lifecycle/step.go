package lifecycle

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/internal/check"
)

// Initial returns the state of a site that comes from the database: status was reported to
// WordPress.com at since. A site reported as running starts as NeverChecked: whether it
// does run is not guessed.
func Initial(status check.Status, since time.Time, paused bool) State {
	s := State{Stage: Paused, Status: status, StatusSince: since}
	if !paused {
		s.Stage = s.resting()
	}
	return s
}

// Inherit marks the status of a new State as one of an earlier URL, if it is not running.
func (s State) Inherit() State {
	s.Inherited = s.Status != check.StatusRunning
	if s.Stage != Paused {
		s.Stage = s.resting()
	}
	return s
}

// resting returns the stage that a status stands for while nothing is in progress.
func (s State) resting() Stage {
	switch {
	case s.Inherited:
		return NeverChecked
	case s.Status == check.StatusDown:
		return Down
	case s.Status == check.StatusConfirmedDown:
		return ConfirmedDown
	default:
		return NeverChecked
	}
}

// Step applies an event to a site. It returns the next state, and what must be done, in
// order. An event without meaning for the site leaves the state as it is, without effects.
func Step(s State, e Event, p Policy) (State, []Effect) {
	switch e := e.(type) {
	case Observed:
		return s.observed(e, p)
	case Decided:
		return s.decided(e, p)
	case Pause:
		return s.pause()
	case Resume:
		if s.Stage == Paused {
			s.Stage = s.resting()
		}
	}
	return s, nil
}

func (s State) observed(e Observed, p Policy) (State, []Effect) {
	if s.Stage == Paused || e.At.Before(s.Observed) {
		return s, nil
	}
	switch e.Outcome {
	case check.OutcomeUp:
		return s.good(e, p)
	case check.OutcomeDown:
		return s.bad(e, p)
	}
	// The node could not tell. A re-check is repeated; any other check comes round by the
	// schedule.
	if s.Stage == Suspect {
		return s, []Effect{Recheck{After: p.Between, Avoid: e.Node}}
	}
	return s, nil
}

// good applies a check that found the site up.
func (s State) good(e Observed, p Policy) (State, []Effect) {
	last := s.Node
	s.Node, s.Observed = e.Node, e.At
	switch s.Stage {
	case Suspect:
		return s.well(e, Blip{Failures: s.Failures})
	case Verifying:
		return s.well(e, Abandon{Ballot: s.Ballot}, Blip{Failures: s.Failures})
	case Down, ConfirmedDown:
		s.Stage = Recovering
		s.Flap.Good = e.At
		return s, []Effect{SecondLook{Avoid: e.Node}}
	case Recovering:
		// One node alone does not end an outage: its path may be the only one that works.
		s.Flap.Agreed = s.Flap.Agreed || e.Node != last
		switch {
		case !s.Flap.Agreed:
			return s, []Effect{SecondLook{Avoid: e.Node}}
		case !s.Flap.lasted(e.At, p):
			return s, nil
		}
		s, change := s.tell(check.StatusRunning, e.At)
		s.Flap = s.Flap.recovered(e.At)
		return s.up(), []Effect{change}
	default:
		return s.well(e)
	}
}

// well applies a good check of a site whose status is running, or inherited.
func (s State) well(e Observed, effects ...Effect) (State, []Effect) {
	s = s.up()
	if s.Inherited {
		s.Stage, s.Flap.Good = Recovering, e.At
		return s, append(effects, SecondLook{Avoid: e.Node})
	}
	if s.Unsettled {
		var change Change
		s, change = s.tell(check.StatusRunning, e.At)
		change.From = check.StatusDown
		effects = append(effects, change)
	}
	return s, effects
}

// bad applies a check that found the site failing.
func (s State) bad(e Observed, p Policy) (State, []Effect) {
	s.Node, s.Observed = e.Node, e.At
	switch {
	case s.Stage == Verifying:
		return s, nil
	case s.isDown():
		return s.stillDown(e.At, p)
	case s.Stage == Suspect:
		if s.Held {
			return s.verify(1, 0)
		}
	default:
		s.Flap.Good, s.Flap.Agreed = time.Time{}, false // of a recovery from an inherited status
		s = s.up()
		s.Stage, s.FirstFailure = Suspect, e.At
	}
	need := max(1, p.Failures)
	s.Failures = min(s.Failures+1, need)
	if s.Failures >= need {
		return s.verify(1, 0)
	}
	return s, []Effect{Recheck{After: p.Between, Avoid: e.Node}}
}

// isDown reports whether the site is down or recovering from an outage of its own.
func (s State) isDown() bool {
	return !s.Inherited && (s.Stage == Down || s.Stage == ConfirmedDown || s.Stage == Recovering)
}

// stillDown applies a failing check of a site that is reported down: it ends a recovery,
// and after the notice window turns status 0 into 2 without a new vote.
func (s State) stillDown(at time.Time, p Policy) (State, []Effect) {
	if s.Stage == Recovering {
		s.Flap = s.Flap.relapsed()
	}
	s.Stage = s.resting()
	if s.Status != check.StatusDown || at.Before(s.StatusSince.Add(p.NoticeWindow)) {
		return s, nil
	}
	s, change := s.tell(check.StatusConfirmedDown, at)
	s.Stage = ConfirmedDown
	return s, []Effect{change}
}

func (s State) decided(e Decided, p Policy) (State, []Effect) {
	if s.Stage != Verifying || e.Ballot != s.Ballot {
		return s, nil
	}
	switch e.Verdict {
	case quorum.Confirmed:
		s, change := s.opens(e.At)
		s.Stage, s.Round = s.resting(), 0
		return s, []Effect{change}
	case quorum.Rejected:
		if s = s.up(); s.Inherited {
			s.Stage = s.resting()
		}
		return s, []Effect{FalseAlarm{Ballot: e.Ballot}}
	case quorum.Inconclusive:
		if round := max(1, s.Round); int(round) <= len(p.RoundWaits) {
			return s.verify(round+1, p.RoundWaits[round-1])
		}
		s.Stage, s.Held, s.Round = Suspect, true, 0
	}
	return s, nil
}

func (s State) pause() (State, []Effect) {
	var effects []Effect
	switch s.Stage {
	case Paused:
		return s, nil
	case Verifying:
		effects = []Effect{Abandon{Ballot: s.Ballot}}
	case Recovering:
		// Nothing is checked during a pause: a good stretch before it neither continues
		// after it, nor counts as a relapse.
		s.Flap.Good, s.Flap.Agreed = time.Time{}, false
	}
	// A run that was not reported to WordPress.com is forgotten; an outage stands.
	if s.resting() == NeverChecked {
		s = s.up()
	}
	s.Stage = Paused
	return s, effects
}

// verify opens the next ballot.
func (s State) verify(round uint8, after time.Duration) (State, []Effect) {
	s.Stage, s.Held = Verifying, false
	s.Ballot++
	s.Round = round
	return s, []Effect{Verify{Ballot: s.Ballot, Round: round, After: after}}
}

// up ends the run of failures.
func (s State) up() State {
	s.Stage, s.Failures, s.FirstFailure, s.Round, s.Held = Up, 0, time.Time{}, 0, false
	return s
}

// opens opens an outage. An inherited status stays as it was told.
func (s State) opens(at time.Time) (State, Change) {
	if !s.Inherited {
		return s.tell(check.StatusDown, at)
	}
	s.Inherited = false
	return s, Change{From: s.Status, To: s.Status, Start: s.FirstFailure, At: at}
}

// tell changes the status.
func (s State) tell(to check.Status, at time.Time) (State, Change) {
	change := Change{From: s.Status, To: to, Start: s.FirstFailure, At: at, Relapses: s.Flap.Relapses}
	s.Status, s.StatusSince, s.Unsettled, s.Inherited = to, at, false, false
	return s, change
}
