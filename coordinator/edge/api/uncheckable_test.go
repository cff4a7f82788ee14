package api

import (
	"testing"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

func TestTheStateOfAnUncheckableSiteSaysSo(t *testing.T) {
	t.Parallel()
	last := &check.Observation{Outcome: check.OutcomeUnknown, Failure: check.FailurePolicy, Reason: "userinfo"}
	site := &monitorv1.Site{}
	overlay(site, engine.View{State: lifecycle.State{Stage: lifecycle.NeverChecked}, Last: last, Uncheckable: "userinfo"})
	if site.GetState() != monitorv1.SiteState_SITE_STATE_UNCHECKABLE || site.GetLastObservation().GetReason() != "userinfo" {
		t.Errorf("the site is %v", site)
	}
}
