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
	"github.com/Automattic/jetmon/internal/check"
)

func TestAnInheritedStatusIsExplained(t *testing.T) {
	t.Parallel()
	told := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	v := engine.View{Status: check.StatusDown, StatusSince: told, State: lifecycle.Initial(check.StatusDown, told, false).Inherit()}
	f := explain.Facts{Now: told.Add(time.Hour), View: v, Policy: lifecycle.DefaultPolicy(), Rule: quorum.Rule{Voters: 6, Need: 4, Regions: 2}}
	if got, want := f.Summary(), "Not checked yet since it was taken over, resumed or edited; WordPress.com was told down (status 0) at 2026-01-02 03:00:00Z."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := strings.Join(f.WouldChange(), "\n"); !strings.Contains(got, "up and told (status 1)") || !strings.Contains(got, "an outage of this URL is opened, and nobody is told again") {
		t.Errorf("would change: %s", got)
	}
	f.View.State.Stage = lifecycle.Suspect
	if got := f.Summary(); !strings.Contains(got, "Nobody has been told of it; of an earlier URL WordPress.com was told down (status 0)") {
		t.Errorf("%q", got)
	}
	got := explain.Past(told.Add(time.Hour), nil, &record.Outage{ID: 5, End: told, EndReason: record.EndChanged})
	if want := "outage 5 ended at 2026-01-02 03:00:00Z because the site got another URL."; !strings.Contains(got, want) {
		t.Errorf("%q", got)
	}
}

func TestAnUncheckableSiteIsExplained(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	for status, told := range map[check.Status]string{
		check.StatusRunning: "running (status 1)", check.StatusDown: "down (status 0)", check.StatusConfirmedDown: "confirmed down (status 2)",
	} {
		v := engine.View{
			Status: status, StatusSince: now, State: lifecycle.Initial(status, now, false), Uncheckable: "userinfo",
			Last: &check.Observation{Outcome: check.OutcomeUnknown, Failure: check.FailurePolicy, Reason: "userinfo"}, LastCheck: now, LastNode: "a",
		}
		f := explain.Facts{Now: now, View: v, Policy: lifecycle.DefaultPolicy()}
		want := "Uncheckable: its URL cannot be checked (userinfo), so nobody is told anything; WordPress.com was told " + told + " at 2026-01-02 03:00:00Z."
		if got := f.Summary(); !strings.HasPrefix(got, want) {
			t.Errorf("%q", got)
		}
		if got := f.WouldChange(); len(got) != 1 || got[0] != "another URL of the site" {
			t.Errorf("would change: %q", got)
		}
	}
}
