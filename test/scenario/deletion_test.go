package scenario

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// WordPress.com deletes rows of sites that are down: while the coordinators run, in the moment
// before they are killed, and while none runs. Each outage ends with the reason "deleted"
// within a minute after a coordinator can know, and nobody is notified. The outages of
// remaining rows stay open, whatever else WordPress.com did to the rows.
func TestTheOutageOfADeletedRowIsOver(t *testing.T) {
	t.Parallel()
	const of = 4 // of each kind
	g := lay(t, plan{coordinators: 2, sites: 300, interval: 4 * time.Second})
	g.balanced(t)
	g.checked(t, time.Now(), patience)
	down := g.rows[:5*of]
	atWork, before, away := down[:of], down[of:2*of], down[2*of:3*of]
	stay, back := down[3*of:4*of], down[4*of:]
	for _, r := range down {
		g.farm.become(r.url, http.StatusServiceUnavailable)
	}
	g.awaitTold(t, down, 0)
	g.server.Query(t, fmt.Sprintf("UPDATE jetpack_monitor_sites SET monitor_active=0 WHERE jetpack_monitor_site_id=%d", stay[0].id))
	g.server.Query(t, fmt.Sprintf("UPDATE jetpack_monitor_sites SET bucket_no=%d WHERE jetpack_monitor_site_id=%d", (stay[1].bucket+256)%512, stay[1].id))

	g.server.Query(t, deletions(atWork))
	g.awaitDeleted(t, atWork, time.Now())

	g.server.Query(t, deletions(before))
	for _, n := range g.coordinators {
		g.kill(t, n)
	}
	g.server.Query(t, deletions(away))
	for _, n := range g.coordinators {
		g.revive(t, n)
	}
	await(t, "the coordinators own all shards again", patience, func() bool { return len(g.shards(t)) == 32 })
	g.awaitDeleted(t, slices.Concat(before, away), time.Now())

	for _, r := range back {
		g.farm.become(r.url, http.StatusOK)
	}
	g.awaitTold(t, back, 0, 1)
	for _, r := range back {
		if o := g.outage(t, r); o.GetEndTime() == nil || o.GetEndReason() != monitorv1.EndReason_END_REASON_RECOVERED {
			t.Errorf("the outage of a site that is up again is %v", o)
		}
	}
	for _, r := range stay {
		if o := g.outage(t, r); o.GetEndTime() != nil || o.GetEndReason() != monitorv1.EndReason_END_REASON_UNSPECIFIED {
			t.Errorf("the outage of a row that is still there is %v", o)
		}
		g.inbox.isTold(t, r.url, 0)
	}
	for _, r := range slices.Concat(atWork, before, away) {
		g.inbox.isTold(t, r.url, 0)
	}
}

// deletions lists what WordPress.com does to some rows.
func deletions(rows []row) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "DELETE FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id=%d;\n", r.id)
	}
	return b.String()
}

// awaitDeleted waits until the outages of some rows are over, and fails if that takes too long.
func (g *grid) awaitDeleted(t *testing.T, rows []row, since time.Time) {
	t.Helper()
	for _, r := range rows {
		var o *monitorv1.Outage
		await(t, "the outage of "+r.url+" is over", patience, func() bool {
			o = g.outage(t, r)
			return o.GetEndTime() != nil
		})
		if o.GetEndReason() != monitorv1.EndReason_END_REASON_DELETED || o.GetStatusId() != 1 || o.GetEndTime().AsTime().Before(o.GetConfirmTime().AsTime()) {
			t.Errorf("the outage of a deleted row is %v", o)
		}
	}
	took := time.Since(since)
	t.Logf("the outages of %d deleted rows were over after %s", len(rows), took.Round(time.Millisecond))
	if took > seen+busy {
		t.Errorf("the outages of deleted rows were over after %s, want %s", took, seen)
	}
}

// outage returns the outage of a site; nil if no coordinator answers.
func (g *grid) outage(t *testing.T, r row) *monitorv1.Outage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	client := monitorv1.NewOutageServiceClient(dial(t, g.addresses[g.coordinators[0]]))
	resp, err := client.ListOutages(ctx, &monitorv1.ListOutagesRequest{SiteId: int64(r.id)})
	if err != nil {
		return nil
	}
	if n := len(resp.GetOutages()); n != 1 {
		t.Fatalf("site %d has %d outages, want 1", r.id, n)
	}
	return resp.GetOutages()[0]
}
