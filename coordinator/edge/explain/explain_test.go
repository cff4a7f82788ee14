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
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// TestEveryStageIsExplained walks through the life of a site.
func TestEveryStageIsExplained(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                        string
		view                        engine.View
		summary, withheld, wouldSay string
	}{
		{"never checked", engine.View{State: lifecycle.State{Stage: lifecycle.NeverChecked}, Status: check.StatusRunning},
			"Not checked yet", "", "3 failing checks, 20s apart"},
		{"up", engine.View{State: lifecycle.State{Stage: lifecycle.Up, Node: "c1"}, Status: check.StatusRunning, LastNode: "c1", Last: &check.Observation{Outcome: check.OutcomeUp}},
			"by c1, was good", "", "4 of 6 verifliers in 2 regions"},
		{"up, but down from a region", engine.View{State: lifecycle.State{Stage: lifecycle.Up}, Status: check.StatusRunning, Regional: &engine.Regional{Down: []string{"asia"}, Up: []string{"eu"}}},
			"Up", "down from [asia], up from [eu]", ""},
		{"suspect", engine.View{State: lifecycle.State{Stage: lifecycle.Suspect, Failures: 1, FirstFailure: at}, Status: check.StatusRunning},
			"1 of 3 failing checks since 2026-01-02 03:04:05Z", "not confirmed yet", "2 more failing checks"},
		{"undecided", engine.View{State: lifecycle.State{Stage: lifecycle.Suspect, Failures: 3, Held: true}, Status: check.StatusRunning, UndecidedReason: "eu1 is unreachable"},
			"undecided since", "eu1 is unreachable", "asked anew"},
		{"verifying", engine.View{State: lifecycle.State{Stage: lifecycle.Verifying, Round: 2}, Status: check.StatusRunning},
			"round 2 of 3", "not confirmed yet", "3 of 6 verifliers that see it up"},
		{"down, and nobody was told", engine.View{State: lifecycle.State{Stage: lifecycle.Down, StatusSince: at}, Status: check.StatusDown, StatusSince: at, Voice: shard.Muted},
			"on record as down (status 0) since 2026-01-02 03:04:05Z, and WordPress.com is told nothing", "every change", "after 2026-01-02 04:03:05Z"},
		{"down", engine.View{State: lifecycle.State{Stage: lifecycle.Down, StatusSince: at}, Status: check.StatusDown, StatusSince: at},
			"told down (status 0) at 2026-01-02 03:04:05Z", "", "after 2026-01-02 04:03:05Z"},
		{"down and flapping", engine.View{State: lifecycle.State{Stage: lifecycle.Down, Flap: lifecycle.Flap{Relapses: 2}}, Status: check.StatusDown, Flapping: true},
			"come back 2 times", "", "for 10m0s, since it flaps"},
		{"confirmed down", engine.View{State: lifecycle.State{Stage: lifecycle.ConfirmedDown}, Status: check.StatusConfirmedDown},
			"confirmed down (status 2)", "", "one by another node"},
		{"recovering", engine.View{State: lifecycle.State{Stage: lifecycle.Recovering, Node: "c1"}, Status: check.StatusDown},
			"so far seen by c1 alone", "one node alone", "another node than c1"},
		{"recovering slowly", engine.View{State: lifecycle.State{Stage: lifecycle.Recovering, Flap: lifecycle.Flap{Agreed: true, Good: at}}, Status: check.StatusDown},
			"it flaps", "must be good for 10m0s", "after 2026-01-02 03:14:05Z"},
		{"paused", engine.View{State: lifecycle.State{Stage: lifecycle.Paused}, Status: check.StatusRunning},
			"Paused", "", "resumed"},
		{"decided but not stored", engine.View{State: lifecycle.State{Stage: lifecycle.Down}, Status: check.StatusRunning, Pending: true},
			"Down", "waits for the database", "no check is judged before"},
		{"down since before anybody noted when", engine.View{State: lifecycle.State{Stage: lifecycle.Down}, Status: check.StatusDown},
			"knows it as down (status 0)", "", "the next failing check: it is told as confirmed down"},
		{"down for longer than the notice window", engine.View{State: lifecycle.State{Stage: lifecycle.Down, StatusSince: at.Add(-time.Hour)}, Status: check.StatusDown},
			"Down", "", "the next failing check: it is told as confirmed down"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := explain.Facts{Now: at, View: tt.view, Policy: lifecycle.DefaultPolicy(), Rule: quorum.Rule{Voters: 6, Need: 4, Regions: 2}}
			if got := f.Summary(); !strings.Contains(got, tt.summary) {
				t.Errorf("summary %q, want %q in it", got, tt.summary)
			}
			if got := f.Withheld(); !strings.Contains(got, tt.withheld) || (got == "") != (tt.withheld == "") {
				t.Errorf("withheld %q, want %q in it", got, tt.withheld)
			}
			if got := strings.Join(f.WouldChange(), "\n"); !strings.Contains(got, tt.wouldSay) || got == "" {
				t.Errorf("would change %q, want %q in it", got, tt.wouldSay)
			}
		})
	}
}

func TestThePastIsTold(t *testing.T) {
	t.Parallel()
	before := at.Add(-time.Hour)
	open := &record.Outage{ID: 9, Start: before, Confirmed: before}
	over := &record.Outage{ID: 9, Start: before, Confirmed: before, End: at.Add(-time.Minute)}
	later := &record.Outage{ID: 9, Start: before, Confirmed: before, End: at.Add(time.Minute)}
	ballot := func(v quorum.Verdict, when time.Time) *record.Ballot {
		return &record.Ballot{Verdict: v, Decided: when}
	}
	tests := []struct {
		name   string
		ballot *record.Ballot
		outage *record.Outage
		want   string
	}{
		{"nothing is known", nil, nil, "No outage"},
		{"an open outage", ballot(quorum.Confirmed, before), open, "Down at"},
		{"an outage that ended later", ballot(quorum.Confirmed, before), later, "Down at"},
		{"an outage that was over", ballot(quorum.Confirmed, before), over, "was over"},
		{"an outage that ended with its site", ballot(quorum.Confirmed, before), &record.Outage{ID: 9, Start: before, Confirmed: before, End: at.Add(-time.Minute), EndReason: record.EndDeleted}, "was deleted"},
		{"a false alarm", ballot(quorum.Rejected, before), nil, "rejected"},
		{"a false alarm after an outage", ballot(quorum.Rejected, at), over, "rejected"},
		{"no decision", ballot(quorum.Inconclusive, before), nil, "could not decide"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := explain.Past(at, tt.ballot, tt.outage); !strings.Contains(got, tt.want) {
				t.Errorf("%q, want %q in it", got, tt.want)
			}
		})
	}
}
