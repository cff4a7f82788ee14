package lifecycle_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/internal/check"
)

type (
	state   = lifecycle.State
	effects = []lifecycle.Effect
)

const (
	running   = check.StatusRunning
	down      = check.StatusDown
	confirmed = check.StatusConfirmedDown
)

// at returns a moment of the stories below, in seconds.
func at(seconds int) time.Time { return time.Unix(1_700_000_000+int64(seconds), 0).UTC() }

func up(second int, node string) lifecycle.Event {
	return lifecycle.Observed{At: at(second), Node: node, Outcome: check.OutcomeUp}
}

func failing(second int, node string) lifecycle.Event {
	return lifecycle.Observed{At: at(second), Node: node, Outcome: check.OutcomeDown}
}

func unknown(second int, node string) lifecycle.Event {
	return lifecycle.Observed{At: at(second), Node: node, Outcome: check.OutcomeUnknown}
}

func decided(second int, ballot uint32, v quorum.Verdict) lifecycle.Event {
	return lifecycle.Decided{At: at(second), Ballot: ballot, Verdict: v}
}

// The states that the transitions begin from. The newest observation is node a's, at
// second 100; the first failure was at second 60. The notice window is 59 minutes.
var (
	fresh     = state{Stage: lifecycle.NeverChecked, Status: running}
	isUp      = state{Stage: lifecycle.Up, Status: running, Ballot: 4, Node: "a", Observed: at(100)}
	suspect1  = state{Stage: lifecycle.Suspect, Status: running, Failures: 1, FirstFailure: at(60), Ballot: 4, Node: "a", Observed: at(100)}
	suspect2  = state{Stage: lifecycle.Suspect, Status: running, Failures: 2, FirstFailure: at(60), Ballot: 4, Node: "a", Observed: at(100)}
	undecided = state{Stage: lifecycle.Suspect, Status: running, Failures: 3, FirstFailure: at(60), Ballot: 7, Held: true, Node: "a", Observed: at(100)}
	verifying = state{Stage: lifecycle.Verifying, Status: running, Failures: 3, FirstFailure: at(60), Ballot: 5, Round: 1, Node: "a", Observed: at(100)}
	lastRound = state{Stage: lifecycle.Verifying, Status: running, Failures: 3, FirstFailure: at(60), Ballot: 7, Round: 3, Node: "a", Observed: at(100)}
	isDown    = state{Stage: lifecycle.Down, Status: down, StatusSince: at(102), Failures: 3, FirstFailure: at(60), Ballot: 5, Node: "a", Observed: at(100)}
	stillDown = state{Stage: lifecycle.ConfirmedDown, Status: confirmed, StatusSince: at(95), Failures: 3, FirstFailure: at(60), Ballot: 5, Node: "a", Observed: at(100)}
	recover0  = state{Stage: lifecycle.Recovering, Status: down, StatusSince: at(90), Failures: 3, FirstFailure: at(60), Ballot: 5, Node: "a", Observed: at(100)}
	recover2  = state{Stage: lifecycle.Recovering, Status: confirmed, StatusSince: at(95), Failures: 3, FirstFailure: at(60), Ballot: 5, Node: "a", Observed: at(100)}
	unsettled = state{Stage: lifecycle.NeverChecked, Status: running, StatusSince: at(7), Unsettled: true}
	paused    = state{Stage: lifecycle.Paused, Status: running, Ballot: 5, Node: "a", Observed: at(100)}
	paused0   = state{Stage: lifecycle.Paused, Status: down, StatusSince: at(90), Failures: 3, FirstFailure: at(60), Ballot: 5, Node: "a", Observed: at(100)}
	paused2   = state{Stage: lifecycle.Paused, Status: confirmed, StatusSince: at(95), Ballot: 5, Node: "a", Observed: at(100)}
)

// transition is one sentence of the specification: what an event means in a state.
type transition struct {
	from  state
	event lifecycle.Event
	// want changes from into the next state; nil: nothing changes.
	want    func(*state)
	effects effects
}

// seen sets the newest observation of the next state.
func seen(s *state, node string, second int) { s.Node, s.Observed = node, at(second) }

// cleared ends a run of failures.
func cleared(s *state) {
	s.Stage, s.Failures, s.FirstFailure, s.Round, s.Held = lifecycle.Up, 0, time.Time{}, 0, false
}

var checking = map[string]transition{
	"the first good check of a site makes it up": {
		fresh, up(110, "b"), func(s *state) { s.Stage = lifecycle.Up; seen(s, "b", 110) }, nil},
	"the first check that fails makes a site suspect that nobody has seen up": {
		fresh, failing(110, "b"), func(s *state) {
			s.Stage, s.Failures, s.FirstFailure = lifecycle.Suspect, 1, at(110)
			seen(s, "b", 110)
		}, effects{lifecycle.Recheck{After: 20 * time.Second, Avoid: "b"}}},
	"a first check that could not tell leaves a site never checked": {fresh, unknown(110, "b"), nil, nil},
	"a good check of a site that is up is remembered and nothing else": {
		isUp, up(110, "b"), func(s *state) { seen(s, "b", 110) }, nil},
	"a failing check makes a site suspect and is repeated elsewhere": {
		isUp, failing(110, "b"), func(s *state) {
			s.Stage, s.Failures, s.FirstFailure = lifecycle.Suspect, 1, at(110)
			seen(s, "b", 110)
		}, effects{lifecycle.Recheck{After: 20 * time.Second, Avoid: "b"}}},
	"a check that could not tell means nothing for a site that is up": {isUp, unknown(110, "b"), nil, nil},
	"a failing check that ended before the newest good one changes nothing": {
		isUp, failing(99, "b"), nil, nil},
	"a failing check that ended with the newest good one counts": {
		isUp, failing(100, "b"), func(s *state) {
			s.Stage, s.Failures, s.FirstFailure = lifecycle.Suspect, 1, at(100)
			seen(s, "b", 100)
		}, effects{lifecycle.Recheck{After: 20 * time.Second, Avoid: "b"}}},
	"a second failure is counted and repeated elsewhere": {
		suspect1, failing(110, "b"), func(s *state) { s.Failures = 2; seen(s, "b", 110) },
		effects{lifecycle.Recheck{After: 20 * time.Second, Avoid: "b"}}},
	"the last failure of the run asks the verifliers at once": {
		suspect2, failing(110, "b"), func(s *state) {
			s.Stage, s.Failures, s.Ballot, s.Round = lifecycle.Verifying, 3, 5, 1
			seen(s, "b", 110)
		}, effects{lifecycle.Verify{Ballot: 5, Round: 1}}},
	"a good check on the way is a blip": {
		suspect2, up(110, "b"), func(s *state) { cleared(s); seen(s, "b", 110) }, effects{lifecycle.Blip{Failures: 2}}},
	"a re-check that could not tell is asked for again and counts as nothing": {
		suspect2, unknown(110, "b"), nil, effects{lifecycle.Recheck{After: 20 * time.Second, Avoid: "b"}}},
	"a re-check that could not tell and is late asks for nothing": {suspect2, unknown(99, "b"), nil, nil},
	"a good check that is older than the newest failure does not end the run": {
		suspect2, up(99, "b"), nil, nil},
	"the next failing check of an undecided suspect begins a new verification of the same run": {
		undecided, failing(110, "b"), func(s *state) {
			s.Stage, s.Ballot, s.Round, s.Held = lifecycle.Verifying, 8, 1, false
			seen(s, "b", 110)
		}, effects{lifecycle.Verify{Ballot: 8, Round: 1}}},
	"a good check of an undecided suspect ends its run as a blip": {
		undecided, up(110, "b"), func(s *state) { cleared(s); seen(s, "b", 110) }, effects{lifecycle.Blip{Failures: 3}}},
	"a check of an undecided suspect that could not tell is repeated": {
		undecided, unknown(110, "b"), nil, effects{lifecycle.Recheck{After: 20 * time.Second, Avoid: "b"}}},
	"a ballot that is over means nothing for a site that is never checked": {
		fresh, decided(110, 0, quorum.Confirmed), nil, nil},
	"a rejection means nothing for a site that is never checked": {fresh, decided(110, 0, quorum.Rejected), nil, nil},
	"a ballot without a decision means nothing for a site that is never checked": {
		fresh, decided(110, 0, quorum.Inconclusive), nil, nil},
	"a confirmation that comes after the site was seen up opens no outage": {
		isUp, decided(110, 4, quorum.Confirmed), nil, nil},
	"a rejection that comes after the site was seen up is no false alarm": {
		isUp, decided(110, 4, quorum.Rejected), nil, nil},
	"a ballot without a decision that comes after the site was seen up asks no more": {
		isUp, decided(110, 4, quorum.Inconclusive), nil, nil},
	"a confirmation of an earlier run opens no outage": {suspect2, decided(110, 4, quorum.Confirmed), nil, nil},
	"a rejection of an earlier run does not end this one": {
		suspect2, decided(110, 4, quorum.Rejected), nil, nil},
	"a ballot of an earlier run without a decision does not begin a round": {
		suspect2, decided(110, 4, quorum.Inconclusive), nil, nil},
	"an undecided suspect is not confirmed by votes that came too late": {undecided, decided(110, 7, quorum.Confirmed), nil, nil},
}

var judging = map[string]transition{
	"confirmed: the outage began with the first failure, and is reported": {
		verifying, decided(110, 5, quorum.Confirmed), func(s *state) {
			s.Stage, s.Status, s.StatusSince, s.Round = lifecycle.Down, down, at(110), 0
		}, effects{lifecycle.Change{From: running, To: down, Start: at(60), At: at(110)}}},
	"rejected: the site is up, and the alarm was false": {
		verifying, decided(110, 5, quorum.Rejected), cleared, effects{lifecycle.FalseAlarm{Ballot: 5}}},
	"inconclusive: a fresh round after 5 seconds": {
		verifying, decided(110, 5, quorum.Inconclusive), func(s *state) { s.Ballot, s.Round = 6, 2 },
		effects{lifecycle.Verify{Ballot: 6, Round: 2, After: 5 * time.Second}}},
	"inconclusive again: the last round after 15 seconds": {
		state{Stage: lifecycle.Verifying, Status: running, Ballot: 6, Round: 2}, decided(110, 6, quorum.Inconclusive),
		func(s *state) { s.Ballot, s.Round = 7, 3 },
		effects{lifecycle.Verify{Ballot: 7, Round: 3, After: 15 * time.Second}}},
	"inconclusive for the last time: undecided, nothing sent, nothing closed": {
		lastRound, decided(110, 7, quorum.Inconclusive), func(s *state) {
			s.Stage, s.Held, s.Round = lifecycle.Suspect, true, 0
		}, nil},
	"a ballot that is still pending decides nothing":       {verifying, decided(110, 5, quorum.Pending), nil, nil},
	"an earlier round's confirmation decides nothing":      {lastRound, decided(110, 6, quorum.Confirmed), nil, nil},
	"an earlier round's rejection decides nothing":         {lastRound, decided(110, 5, quorum.Rejected), nil, nil},
	"a ballot that was never opened decides nothing":       {verifying, decided(110, 6, quorum.Confirmed), nil, nil},
	"a check that could not tell does not disturb a vote":  {verifying, unknown(110, "b"), nil, nil},
	"an older good check does not end a vote":              {verifying, up(99, "b"), nil, nil},
	"a failing check during a vote is remembered, no more": {verifying, failing(110, "b"), func(s *state) { seen(s, "b", 110) }, nil},
	"a good check during a vote ends it": {
		verifying, up(110, "b"), func(s *state) { cleared(s); seen(s, "b", 110) },
		effects{lifecycle.Abandon{Ballot: 5}, lifecycle.Blip{Failures: 3}}},
}

var outage = map[string]transition{
	"a failing check inside the notice window is silent": {
		isDown, failing(102+59*60-1, "b"), func(s *state) { seen(s, "b", 102+59*60-1) }, nil},
	"a failing check when the notice window is over confirms the outage, without a vote": {
		isDown, failing(102+59*60, "b"), func(s *state) {
			s.Stage, s.Status, s.StatusSince = lifecycle.ConfirmedDown, confirmed, at(102+59*60)
			seen(s, "b", 102+59*60)
		}, effects{lifecycle.Change{From: down, To: confirmed, Start: at(60), At: at(102 + 59*60)}}},
	"a site loaded as down without a date is confirmed by its next failing check": {
		lifecycle.Initial(down, time.Time{}, false), failing(110, "b"), func(s *state) {
			s.Stage, s.Status, s.StatusSince = lifecycle.ConfirmedDown, confirmed, at(110)
			seen(s, "b", 110)
		}, effects{lifecycle.Change{From: down, To: confirmed, At: at(110)}}},
	"a failing check of a site that is confirmed down is silent for ever": {
		stillDown, failing(1_000_000, "b"), func(s *state) { seen(s, "b", 1_000_000) }, nil},
	"a check that could not tell does not end an outage":             {isDown, unknown(110, "b"), nil, nil},
	"a check that could not tell does not confirm an outage":         {isDown, unknown(10_000, "b"), nil, nil},
	"a check that could not tell does not end a confirmed outage":    {stillDown, unknown(110, "b"), nil, nil},
	"a good check that is older than the outage's last changes none": {isDown, up(99, "b"), nil, nil},
	"a good check of a site that is down is put to another node": {
		isDown, up(110, "b"), func(s *state) { s.Stage, s.Flap.Good = lifecycle.Recovering, at(110); seen(s, "b", 110) },
		effects{lifecycle.SecondLook{Avoid: "b"}}},
	"a good check of a site that is confirmed down is put to another node": {
		stillDown, up(110, "a"), func(s *state) { s.Stage, s.Flap.Good = lifecycle.Recovering, at(110); seen(s, "a", 110) },
		effects{lifecycle.SecondLook{Avoid: "a"}}},
	"a good answer from another node closes the outage": {
		recover0, up(110, "b"), func(s *state) {
			cleared(s)
			s.Status, s.StatusSince = running, at(110)
			s.Flap.Recoveries[0] = at(110)
			seen(s, "b", 110)
		}, effects{lifecycle.Change{From: down, To: running, Start: at(60), At: at(110)}}},
	"a good answer from another node closes a confirmed outage": {
		recover2, up(110, "b"), func(s *state) {
			cleared(s)
			s.Status, s.StatusSince = running, at(110)
			s.Flap.Recoveries[0] = at(110)
			seen(s, "b", 110)
		}, effects{lifecycle.Change{From: confirmed, To: running, Start: at(60), At: at(110)}}},
	"a second good answer from the same node closes nothing": {
		recover0, up(110, "a"), func(s *state) { seen(s, "a", 110) }, effects{lifecycle.SecondLook{Avoid: "a"}}},
	"a second look that could not tell changes nothing": {recover0, unknown(110, "b"), nil, nil},
	"a second look that is older than the first closes nothing": {
		recover0, up(99, "b"), nil, nil},
	"a second look that fails inside the notice window: down as before": {
		recover0, failing(110, "b"), func(s *state) { s.Stage = lifecycle.Down; seen(s, "b", 110) }, nil},
	"a second look that fails after the notice window confirms the outage": {
		recover0, failing(90+59*60, "b"), func(s *state) {
			s.Stage, s.Status, s.StatusSince = lifecycle.ConfirmedDown, confirmed, at(90+59*60)
			seen(s, "b", 90+59*60)
		}, effects{lifecycle.Change{From: down, To: confirmed, Start: at(60), At: at(90 + 59*60)}}},
	"a second look that fails while confirmed down: confirmed down as before, not reported again": {
		recover2, failing(1_000_000, "b"), func(s *state) {
			s.Stage = lifecycle.ConfirmedDown
			seen(s, "b", 1_000_000)
		}, nil},
	"a second confirmation opens no second outage":                   {isDown, decided(110, 5, quorum.Confirmed), nil, nil},
	"a rejection that comes late closes no outage":                   {isDown, decided(110, 5, quorum.Rejected), nil, nil},
	"a ballot without a decision asks nobody about an outage":        {isDown, decided(110, 5, quorum.Inconclusive), nil, nil},
	"a confirmation does not touch a confirmed outage":               {stillDown, decided(110, 5, quorum.Confirmed), nil, nil},
	"a rejection does not touch a confirmed outage":                  {stillDown, decided(110, 5, quorum.Rejected), nil, nil},
	"a ballot without a decision does not touch a confirmed outage":  {stillDown, decided(110, 5, quorum.Inconclusive), nil, nil},
	"a confirmation does not stop a recovery":                        {recover0, decided(110, 5, quorum.Confirmed), nil, nil},
	"a rejection does not complete a recovery":                       {recover0, decided(110, 5, quorum.Rejected), nil, nil},
	"a ballot without a decision means nothing to a recovering site": {recover0, decided(110, 5, quorum.Inconclusive), nil, nil},
}

var pausing = map[string]transition{
	"a site that was never checked is paused": {fresh, lifecycle.Pause{}, func(s *state) { s.Stage = lifecycle.Paused }, nil},
	"a site that is up is paused":             {isUp, lifecycle.Pause{}, func(s *state) { s.Stage = lifecycle.Paused }, nil},
	"a pause forgets a run of failures": {
		suspect2, lifecycle.Pause{}, func(s *state) { cleared(s); s.Stage = lifecycle.Paused }, nil},
	"a pause clears an undecided suspect": {
		undecided, lifecycle.Pause{}, func(s *state) { cleared(s); s.Stage = lifecycle.Paused }, nil},
	"a pause ends a vote": {
		verifying, lifecycle.Pause{}, func(s *state) { cleared(s); s.Stage = lifecycle.Paused },
		effects{lifecycle.Abandon{Ballot: 5}}},
	"a pause leaves an outage open":           {isDown, lifecycle.Pause{}, func(s *state) { s.Stage = lifecycle.Paused }, nil},
	"a pause leaves a confirmed outage open":  {stillDown, lifecycle.Pause{}, func(s *state) { s.Stage = lifecycle.Paused }, nil},
	"a pause leaves a recovering outage open": {recover2, lifecycle.Pause{}, func(s *state) { s.Stage = lifecycle.Paused }, nil},
	"a paused site cannot be paused again":    {paused, lifecycle.Pause{}, nil, nil},
	"a resumed site that was running is to be checked": {
		paused, lifecycle.Resume{}, func(s *state) { s.Stage = lifecycle.NeverChecked }, nil},
	"a resumed site that was down is down": {
		paused0, lifecycle.Resume{}, func(s *state) { s.Stage = lifecycle.Down }, nil},
	"a resumed site that was confirmed down is confirmed down": {
		paused2, lifecycle.Resume{}, func(s *state) { s.Stage = lifecycle.ConfirmedDown }, nil},
	"a paused site is not brought up by a check in progress":    {paused0, up(110, "b"), nil, nil},
	"a paused site is not made suspect by a check in progress":  {paused, failing(110, "b"), nil, nil},
	"a paused site has no use for a check that could not tell":  {paused, unknown(110, "b"), nil, nil},
	"a paused site is not confirmed down by a vote in progress": {paused, decided(110, 5, quorum.Confirmed), nil, nil},
	"a paused site is not rejected by a vote in progress":       {paused, decided(110, 5, quorum.Rejected), nil, nil},
	"a paused site begins no round":                             {paused, decided(110, 5, quorum.Inconclusive), nil, nil},
	"resuming a site that was never checked changes nothing":    {fresh, lifecycle.Resume{}, nil, nil},
	"resuming a site that is up changes nothing":                {isUp, lifecycle.Resume{}, nil, nil},
	"resuming a suspect changes nothing":                        {suspect1, lifecycle.Resume{}, nil, nil},
	"resuming does not disturb a vote":                          {verifying, lifecycle.Resume{}, nil, nil},
	"resuming does not end an outage":                           {isDown, lifecycle.Resume{}, nil, nil},
	"resuming does not end a confirmed outage":                  {stillDown, lifecycle.Resume{}, nil, nil},
	"resuming does not complete a recovery":                     {recover0, lifecycle.Resume{}, nil, nil},
}

// settled ends what was unsettled.
func settled(s *state, second int) { s.Unsettled, s.StatusSince = false, at(second) }

// settling holds the transitions of sites that WordPress.com knows as running, with an outage on record
// that was not reported, or after a withdrawn notification that it may have received.
var settling = map[string]transition{
	"a good check settles a site that is unsettled": {
		unsettled, up(110, "b"), func(s *state) { cleared(s); seen(s, "b", 110); settled(s, 110) },
		effects{lifecycle.Change{From: down, To: running, At: at(110)}}},
	"a failing check of an unsettled site is no more believed than another": {
		unsettled, failing(110, "b"), func(s *state) {
			s.Stage, s.Failures, s.FirstFailure = lifecycle.Suspect, 1, at(110)
			seen(s, "b", 110)
		}, effects{lifecycle.Recheck{After: 20 * time.Second, Avoid: "b"}}},
	"a check that could not tell settles nothing": {unsettled, unknown(110, "b"), nil, nil},
	"a good check among failing ones settles a site": {
		open(suspect2), up(110, "b"), func(s *state) { cleared(s); seen(s, "b", 110); settled(s, 110) },
		effects{lifecycle.Blip{Failures: 2}, lifecycle.Change{From: down, To: running, At: at(110)}}},
	"a good check during a vote settles a site": {
		open(verifying), up(110, "b"), func(s *state) { cleared(s); seen(s, "b", 110); settled(s, 110) },
		effects{lifecycle.Abandon{Ballot: 5}, lifecycle.Blip{Failures: 3}, lifecycle.Change{From: down, To: running, At: at(110)}}},
	"a confirmation tells of an outage, old or new, and settles the site": {
		open(verifying), decided(110, 5, quorum.Confirmed), func(s *state) {
			s.Stage, s.Status, s.Round = lifecycle.Down, down, 0
			settled(s, 110)
		}, effects{lifecycle.Change{From: running, To: down, Start: at(60), At: at(110)}}},
	"a rejection leaves it to the next good check": {
		open(verifying), decided(110, 5, quorum.Rejected), cleared, effects{lifecycle.FalseAlarm{Ballot: 5}}},
	"that check settles the site": {
		open(isUp), up(110, "b"), func(s *state) { seen(s, "b", 110); settled(s, 110) },
		effects{lifecycle.Change{From: down, To: running, At: at(110)}}},
	"an undecided suspect stays unsettled": {open(undecided), unknown(110, "b"), nil, effects{lifecycle.Recheck{After: 20 * time.Second, Avoid: "b"}}},
	"a pause leaves it unsettled":          {unsettled, lifecycle.Pause{}, func(s *state) { cleared(s); s.Stage = lifecycle.Paused }, nil},
	"a resumed site is unsettled":          {open(paused), lifecycle.Resume{}, func(s *state) { s.Stage = lifecycle.NeverChecked }, nil},
	"a paused site settles nothing":        {open(paused), up(110, "b"), nil, nil},
}

// open marks a state as unsettled.
func open(s state) state {
	s.Unsettled = true
	return s
}

func tables() []map[string]transition {
	return []map[string]transition{checking, judging, outage, pausing, settling}
}

func TestStep(t *testing.T) {
	t.Parallel()
	for _, table := range tables() {
		for name, tt := range table {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				want := tt.from
				if tt.want != nil {
					tt.want(&want)
				}
				got, did := lifecycle.Step(tt.from, tt.event, lifecycle.DefaultPolicy())
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("state (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.effects, did); diff != "" {
					t.Errorf("effects (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// The tables are complete: they have each kind of event in each stage.
func TestTheTablesAreComplete(t *testing.T) {
	t.Parallel()
	told := map[string]bool{}
	for _, table := range tables() {
		for _, tt := range table {
			told[fmt.Sprint(tt.from.Stage, " ", kind(tt.event))] = true
		}
	}
	kinds := []lifecycle.Event{
		up(0, ""), failing(0, ""), unknown(0, ""), decided(0, 0, quorum.Confirmed), decided(0, 0, quorum.Rejected),
		decided(0, 0, quorum.Inconclusive), lifecycle.Pause{}, lifecycle.Resume{},
	}
	for stage := lifecycle.NeverChecked; stage <= lifecycle.Paused; stage++ {
		for _, e := range kinds {
			if pair := fmt.Sprint(stage, " ", kind(e)); !told[pair] {
				t.Errorf("no sentence for %s", pair)
			}
		}
	}
}

func kind(e lifecycle.Event) string {
	switch e := e.(type) {
	case lifecycle.Observed:
		return fmt.Sprintf("Observed(%d)", e.Outcome)
	case lifecycle.Decided:
		return fmt.Sprintf("Decided(%v)", e.Verdict)
	default:
		return fmt.Sprintf("%T", e)
	}
}

func TestInitial(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status check.Status
		paused bool
		want   lifecycle.Stage
	}{
		"a site reported as running is not guessed to be up":  {running, false, lifecycle.NeverChecked},
		"a site reported as down is down":                     {down, false, lifecycle.Down},
		"a site reported as confirmed down is confirmed down": {confirmed, false, lifecycle.ConfirmedDown},
		"a paused site is paused, whatever was reported":      {down, true, lifecycle.Paused},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := state{Stage: tt.want, Status: tt.status, StatusSince: at(5)}
			if diff := cmp.Diff(want, lifecycle.Initial(tt.status, at(5), tt.paused)); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
		})
	}
}

// The machine continues from a status that another program has left as if the status were
// its own: for a failing and a good check of each kind of row.
func TestASiteContinuesFromAnyRow(t *testing.T) {
	t.Parallel()
	never, recent, old := time.Time{}, at(0), at(-3*24*3600)
	tests := []struct {
		status check.Status
		since  time.Time
		fails  []lifecycle.Change // after three failing checks and a confirmed ballot
		good   []lifecycle.Change // after good checks by two nodes
	}{
		{down, never, changes(down, confirmed, 0), changes(down, running, 1)},
		{down, recent, nil, changes(down, running, 1)},
		{down, old, changes(down, confirmed, 0), changes(down, running, 1)},
		{running, never, changes(running, down, 42), nil},
		{running, recent, changes(running, down, 42), nil},
		{running, old, changes(running, down, 42), nil},
		{confirmed, never, nil, changes(confirmed, running, 1)},
		{confirmed, recent, nil, changes(confirmed, running, 1)},
		{confirmed, old, nil, changes(confirmed, running, 1)},
	}
	for _, tt := range tests {
		for _, way := range []struct {
			events []lifecycle.Event
			want   []lifecycle.Change
		}{{breaks(0), tt.fails}, {mends(0), tt.good}} {
			told, _ := playFrom(lifecycle.Initial(tt.status, tt.since, false), way.events...)
			for i := range told {
				told[i].Start = time.Time{}
			}
			if diff := cmp.Diff(way.want, told); diff != "" {
				t.Errorf("status %d since %v, %v (-want +got):\n%s", tt.status, tt.since, way.events[0], diff)
			}
		}
	}
}

// changes is one change at a second.
func changes(from, to check.Status, second int) []lifecycle.Change {
	return []lifecycle.Change{{From: from, To: to, At: at(second)}}
}

func TestOtherPolicies(t *testing.T) {
	t.Parallel()
	for _, failures := range []uint8{0, 1} {
		p := lifecycle.Policy{Failures: failures}
		s, did := lifecycle.Step(isUp, failing(110, "b"), p)
		if s.Stage != lifecycle.Verifying || s.FirstFailure != at(110) || s.Failures != 1 ||
			!cmp.Equal(did, effects{lifecycle.Verify{Ballot: 5, Round: 1}}) {
			t.Errorf("%d failures: the first failure leads to %+v, %v", failures, s, did)
		}
		s, did = lifecycle.Step(s, decided(111, 5, quorum.Inconclusive), p)
		if s.Stage != lifecycle.Suspect || !s.Held || did != nil {
			t.Errorf("no second round: undecided at once, not %+v, %v", s, did)
		}
	}
}

// An undecided suspect is verified again at the next failure, even if the operator
// has raised the number of failures since.
func TestAnUndecidedSuspectCountsNoFurtherFailures(t *testing.T) {
	t.Parallel()
	for _, failures := range []uint8{1, 3, 5, 255} {
		s, did := lifecycle.Step(undecided, failing(110, "b"), lifecycle.Policy{Failures: failures})
		if s.Stage != lifecycle.Verifying || !cmp.Equal(did, effects{lifecycle.Verify{Ballot: 8, Round: 1}}) {
			t.Errorf("%d failures: %+v, %v", failures, s, did)
		}
	}
}

func TestStageNames(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]lifecycle.Stage{
		"NeverChecked": lifecycle.NeverChecked, "Suspect": lifecycle.Suspect, "ConfirmedDown": lifecycle.ConfirmedDown,
		"Paused": lifecycle.Paused, "Stage(0)": 0, "Stage(9)": 9,
	} {
		if got.String() != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
