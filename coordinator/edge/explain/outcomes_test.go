package explain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/explain"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// nothing stands for a site without an observation.
const nothing = check.Outcome(255)

// observed returns an observation with an outcome.
func observed(o check.Outcome) *check.Observation {
	switch o {
	case nothing:
		return nil
	case check.OutcomeUp:
		return &check.Observation{Outcome: o, HTTPStatus: 200}
	case check.OutcomeDown:
		return &check.Observation{Outcome: o, Failure: check.FailureServer, Reason: "overloaded", HTTPStatus: 503}
	default:
		return &check.Observation{Outcome: o, Failure: check.FailurePolicy, Reason: "private_address"}
	}
}

const (
	good    = "The last check, by c9, was good."
	failing = "The last check, by c9, found it failing: server (overloaded), HTTP status 503."
	unsure  = "The last check, by c9, could not tell: policy (private_address)."
)

// stages lists, for each stage, its sentence without a check, and the whole summary after a
// check of each outcome. The state rests on node c1, which made the newest check that could
// tell; c9 made the newest check of all.
var stages = map[lifecycle.Stage]struct {
	state lifecycle.State
	says  map[check.Outcome]string
}{
	lifecycle.NeverChecked: {lifecycle.State{}, map[check.Outcome]string{
		nothing:              "Not checked yet since it was taken over, resumed or edited; WordPress.com was told running (status 1) at 2026-01-02 03:00:00Z.",
		check.OutcomeUp:      "Not judged yet since it was taken over, resumed or edited; WordPress.com was told running (status 1) at 2026-01-02 03:00:00Z. " + good,
		check.OutcomeDown:    "Not judged yet since it was taken over, resumed or edited; WordPress.com was told running (status 1) at 2026-01-02 03:00:00Z. " + failing,
		check.OutcomeUnknown: "No check could tell yet since it was taken over, resumed or edited; WordPress.com was told running (status 1) at 2026-01-02 03:00:00Z. " + unsure,
	}},
	lifecycle.Up: {lifecycle.State{Node: "c1"}, map[check.Outcome]string{
		nothing:              "Up when it was last known, at 2026-01-02 03:03:05Z.",
		check.OutcomeUp:      "Up: the last check, by c9, was good.",
		check.OutcomeDown:    "Up: the verifliers rejected its failures. " + failing,
		check.OutcomeUnknown: "Up when it was last known, at 2026-01-02 03:03:05Z. " + unsure,
	}},
	lifecycle.Suspect: {lifecycle.State{Node: "c1", Failures: 2, FirstFailure: since}, after(
		"Suspect: 2 of 3 failing checks since 2026-01-02 03:00:00Z. Nobody has been told.")},
	lifecycle.Verifying: {lifecycle.State{Node: "c1", Failures: 3, FirstFailure: since, Round: 2}, after(
		"Failing since 2026-01-02 03:00:00Z; the verifliers are asked, round 2 of 3. Nobody has been told.")},
	lifecycle.Down: {lifecycle.State{Node: "c1"}, after(
		"Down: WordPress.com was told down (status 0) at 2026-01-02 03:00:00Z.")},
	lifecycle.ConfirmedDown: {lifecycle.State{Node: "c1"}, after(
		"Down: WordPress.com was told confirmed down (status 2) at 2026-01-02 03:00:00Z.")},
	lifecycle.Recovering: {lifecycle.State{Node: "c1", Flap: lifecycle.Flap{Good: since}}, after(
		"Coming back: good since 2026-01-02 03:00:00Z, so far seen by c1 alone; another node is asked; WordPress.com was told down (status 0) at 2026-01-02 03:00:00Z.")},
	lifecycle.Paused: {lifecycle.State{Node: "c1"}, after("Paused: it is not checked.")},
}

var since = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

// after is for a stage whose own sentence does not depend on the last check.
func after(sentence string) map[check.Outcome]string {
	return map[check.Outcome]string{
		nothing: sentence, check.OutcomeUp: sentence + " " + good,
		check.OutcomeDown: sentence + " " + failing, check.OutcomeUnknown: sentence + " " + unsure,
	}
}

func viewOf(stage lifecycle.Stage, last *check.Observation) engine.View {
	state := stages[stage].state
	state.Stage, state.Observed, state.StatusSince = stage, at.Add(-time.Minute), since
	v := engine.View{State: state, Status: check.StatusRunning, StatusSince: since, Last: last, LastNode: "c9", LastCheck: at}
	if last != nil && (last.Outcome == check.OutcomeUp || last.Outcome == check.OutcomeDown) {
		v.State.Observed = v.LastCheck // it was judged
	}
	switch stage {
	case lifecycle.Down, lifecycle.Recovering:
		v.Status = check.StatusDown
	case lifecycle.ConfirmedDown:
		v.Status = check.StatusConfirmedDown
	}
	return v
}

func facts(v engine.View) explain.Facts {
	return explain.Facts{Now: at, View: v, Policy: lifecycle.DefaultPolicy(), Rule: quorum.Rule{Voters: 6, Need: 4, Regions: 2}}
}

// TestASummarySaysWhatTheLastCheckSaw goes through all stages and outcomes. It fails for a
// stage that is not in the table, and for an outcome that a row of it does not have.
func TestASummarySaysWhatTheLastCheckSaw(t *testing.T) {
	t.Parallel()
	outcomes := []check.Outcome{nothing}
	for number := range checkv1.Outcome_name {
		if number != int32(checkv1.Outcome_OUTCOME_UNSPECIFIED) {
			outcomes = append(outcomes, check.Outcome(number))
		}
	}
	for stage := lifecycle.NeverChecked; !strings.HasPrefix(stage.String(), "Stage("); stage++ {
		row, ok := stages[stage]
		if !ok {
			t.Errorf("the table says nothing about %s", stage)
		}
		for _, o := range outcomes {
			want, ok := row.says[o]
			if got := facts(viewOf(stage, observed(o))).Summary(); !ok || got != want {
				t.Errorf("%s, outcome %d (in the table: %t)\n got %q\nwant %q", stage, o, ok, got, want)
			}
		}
		if len(facts(viewOf(stage, nil)).WouldChange()) == 0 {
			t.Errorf("nothing would change %s", stage)
		}
		// An unknown outcome says nothing about the site.
		odd := &check.Observation{Failure: check.FailurePolicy, Reason: "private_address"}
		if got := facts(viewOf(stage, odd)).Summary(); got != row.says[check.OutcomeUnknown] {
			t.Errorf("%s, no outcome\n got %q\nwant %q", stage, got, row.says[check.OutcomeUnknown])
		}
	}
}

// A check that came while a change of status waited for the database has not been judged.
func TestACheckThatWasNotJudgedIsSaidToHaveChangedNothing(t *testing.T) {
	t.Parallel()
	for stage := range stages {
		for _, o := range []check.Outcome{check.OutcomeUp, check.OutcomeDown, check.OutcomeUnknown} {
			v := viewOf(stage, observed(o))
			v.State.Observed = at.Add(-time.Minute)
			got := facts(v).Summary()
			if said := strings.HasSuffix(got, " It has changed nothing."); said != (o != check.OutcomeUnknown && !(stage == lifecycle.Up && o == check.OutcomeUp)) {
				t.Errorf("%s, outcome %d: %q", stage, o, got)
			}
			if strings.Contains(got, "rejected") {
				t.Errorf("%s, outcome %d: %q", stage, o, got)
			}
		}
	}
}

// TestEveryFailureHasAWord fails for a kind of failure without one.
func TestEveryFailureHasAWord(t *testing.T) {
	t.Parallel()
	for number, name := range checkv1.FailureKind_name {
		word := strings.ToLower(strings.TrimPrefix(name, "FAILURE_KIND_"))
		if number == 0 {
			word = "no failure"
		}
		o := &check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureKind(number)}
		if got := facts(viewOf(lifecycle.Down, o)).Summary(); !strings.HasSuffix(got, "found it failing: "+word+".") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestWhoIsNotKnownIsNotNamed(t *testing.T) {
	t.Parallel()
	v := viewOf(lifecycle.Up, observed(check.OutcomeUp))
	v.LastNode = ""
	if got := facts(v).Summary(); got != "Up: the last check was good." {
		t.Errorf("%q", got)
	}
}

// TestThePastOfEveryVerdictIsTold fails for a verdict without a sentence.
func TestThePastOfEveryVerdictIsTold(t *testing.T) {
	t.Parallel()
	tests := map[quorum.Verdict]string{
		quorum.Pending:      "had not decided at 2026-01-02 03:00:00Z",
		quorum.Confirmed:    "confirmed a suspicion at 2026-01-02 03:00:00Z, and no outage was stored",
		quorum.Rejected:     "rejected by the verifliers at 2026-01-02 03:00:00Z",
		quorum.Inconclusive: "could not decide at 2026-01-02 03:00:00Z",
	}
	for v := quorum.Pending; !strings.HasPrefix(v.String(), "Verdict("); v++ {
		want, ok := tests[v]
		if got := explain.Past(at, &record.Ballot{Verdict: v, Decided: since}, nil); !ok || !strings.Contains(got, want) {
			t.Errorf("%s (in the table: %t): %q, want %q in it", v, ok, got, want)
		}
	}
}
