package scenario

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// Long before its turn, any coordinator has a site checked, and says what was seen there. Who asks
// many times at once does not flood the site.
func TestASiteIsCheckedOnDemand(t *testing.T) {
	t.Parallel()
	g := lay(t, plan{coordinators: 2, sites: 40, interval: time.Minute})
	g.balanced(t)
	g.checked(t, time.Now(), patience+time.Minute)
	for i, r := range g.rows[:8] {
		status, want := http.StatusOK, checkv1.Outcome_OUTCOME_UP
		if i == 7 {
			status, want = http.StatusServiceUnavailable, checkv1.Outcome_OUTCOME_DOWN
		}
		g.farm.become(r.url, status)
		began := time.Now()
		var callers sync.WaitGroup
		for n := range 20 {
			callers.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				client := monitorv1.NewSiteServiceClient(dial(t, g.addresses[g.coordinators[n%2]]))
				resp, err := client.CheckSite(ctx, &monitorv1.CheckSiteRequest{SiteId: int64(r.id)})
				if err != nil || resp.GetObservation().GetOutcome() != want {
					t.Errorf("site %d: %v, %v", r.id, resp, err)
				}
			})
		}
		callers.Wait()
		asked := g.farm.since(r.url, began)
		if len(asked) == 0 || len(asked) > 4*len(g.coordinators) {
			t.Errorf("site %d: %d requests for 20 calls", r.id, len(asked))
		}
	}
}
