package coordinator_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// startDown starts a coordinator over a site that an earlier one has reported as down.
func startDown(t *testing.T) (r *rig, site, outage int64) {
	t.Helper()
	r = startWith(t, func(o *coordinator.Options) {
		s, ctx := o.Store, t.Context()
		row, err := s.CreateSite(ctx, record.Site{BlogID: 7, Bucket: 7, URL: "https://example.com/", Interval: 5 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		lease, err := s.ClaimShard(ctx, shard.Of(7), shard.Owner{Node: "earlier", TTL: time.Minute}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		done, err := storetest.Commit(ctx, s, lease.Fence(), record.Change{
			Key: "down", SiteID: row.ID, BlogID: 7, Bucket: 7, URL: row.URL, From: check.StatusRunning, To: check.StatusDown,
			Start: now, At: now, LastCheck: now, Cause: check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureServer},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.ReleaseShard(ctx, lease); err != nil {
			t.Fatal(err)
		}
		site, outage = int64(row.ID), done.OutageID
	})
	await(t, "the site is loaded", func() bool { return !strings.HasPrefix(explainNow(t, r, site).GetSummary(), "No coordinator") })
	return r, site, outage
}

// patchField changes one field of a site.
func patchField(t *testing.T, r *rig, path string, site *monitorv1.Site) *monitorv1.Site {
	t.Helper()
	resp, err := monitorv1.NewSiteServiceClient(r.conn).UpdateSite(t.Context(), &monitorv1.UpdateSiteRequest{
		Site: site, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{path}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetSite()
}

func outageOf(t *testing.T, r *rig, id int64) *monitorv1.Outage {
	t.Helper()
	resp, err := monitorv1.NewOutageServiceClient(r.conn).GetOutage(t.Context(), &monitorv1.GetOutageRequest{OutageId: id})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetOutage()
}

func explainNow(t *testing.T, r *rig, site int64) *monitorv1.Explanation {
	t.Helper()
	resp, err := monitorv1.NewSiteServiceClient(r.conn).ExplainSite(t.Context(), &monitorv1.ExplainSiteRequest{SiteId: site})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetExplanation()
}

func TestThePauseOfASiteThatIsDownSuspendsItsOutage(t *testing.T) {
	t.Parallel()
	r, site, outage := startDown(t)
	patchField(t, r, "paused", &monitorv1.Site{SiteId: site, Paused: true})
	if o := outageOf(t, r, outage); o.GetSuspendTime() == nil || o.GetEndTime() != nil || o.GetStatusId() != 0 {
		t.Errorf("the outage is %v", o)
	}
	for _, name := range []string{"7", "example.com"} {
		resp, err := wpcomv1.NewJetpackMonitorServiceClient(r.conn).GetJetpackMonitorStatus(t.Context(), &wpcomv1.GetJetpackMonitorStatusRequest{Site: name})
		if err != nil || resp.GetStatus() || !resp.GetPaused() {
			t.Errorf("the status of %s is %v, %v", name, resp, err)
		}
	}
	if x := explainNow(t, r, site); x.GetOutage().GetSuspendTime() == nil || !strings.Contains(x.GetSummary(), "is suspended since") {
		t.Errorf("explained as %v", x)
	}
	patchField(t, r, "paused", &monitorv1.Site{SiteId: site})
	if o := outageOf(t, r, outage); o.GetSuspendTime() != nil || o.GetPausedDuration() == nil || o.GetEndTime() != nil {
		t.Errorf("the outage is %v", o)
	}
}

func TestAURLThatIsChangedEndsTheOutageOfTheOldOne(t *testing.T) {
	t.Parallel()
	r, site, outage := startDown(t)
	got := patchField(t, r, "url", &monitorv1.Site{SiteId: site, Url: "https://example.org/"})
	if got.GetStatusId() != 0 || got.GetOutageId() != 0 || got.GetState() != monitorv1.SiteState_SITE_STATE_NEVER_CHECKED {
		t.Errorf("the site is %v", got)
	}
	o := outageOf(t, r, outage)
	if o.GetEndReason() != monitorv1.EndReason_END_REASON_CHANGED || o.GetEndTime() == nil || o.GetUrl() != "https://example.com/" {
		t.Errorf("the outage is %v", o)
	}
	if x := explainNow(t, r, site); x.GetOutage() != nil || !strings.Contains(x.GetSummary(), "down (status 0)") {
		t.Errorf("explained as %v", x)
	}
}
