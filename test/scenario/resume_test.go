package scenario

import (
	"net/http"
	"testing"
	"time"
)

// A coordinator is killed between the second and the third failing check of some sites. After
// its restart it continues there: the notifications come as soon as without the crash, long
// before three new failing checks would have been possible.
func TestAKilledCoordinatorGoesOnWithItsConfirmations(t *testing.T) {
	t.Parallel()
	const recheck = 15 * time.Second
	g := lay(t, plan{coordinators: 1, sites: 100, interval: 3 * time.Second, recheck: recheck})
	g.checked(t, time.Time{}, patience)
	failing := g.rows[:5]
	broke := time.Now()
	for _, r := range failing {
		g.farm.become(r.url, http.StatusServiceUnavailable)
	}
	first := broke
	for _, r := range failing {
		await(t, "the second failing check of "+r.url, patience, func() bool {
			return len(g.farm.since(r.url, broke)) >= 2 && time.Since(g.farm.since(r.url, broke)[0]) > recheck
		})
		first = later(first, g.farm.since(r.url, broke)[0])
	}
	// What is known of a site in trouble is at most 5 s behind.
	g.watch(t, time.Now().Add(5*time.Second+500*time.Millisecond))
	killed := time.Now()
	g.kill(t, g.coordinators[0])
	g.revive(t, g.coordinators[0])
	g.awaitTold(t, failing, 0)
	told := first
	for _, r := range failing {
		told = later(told, g.inbox.of(r.url)[0].at)
	}
	t.Logf("killed %s after the first failing check; the last of %d outages was told %s after it, %s after the crash; anew takes %s",
		killed.Sub(first).Round(time.Millisecond), len(failing), told.Sub(first).Round(time.Millisecond), told.Sub(killed).Round(time.Millisecond), 2*recheck)
	if told.Sub(killed) > 2*recheck-busy {
		t.Errorf("the last outage was told %s after the crash, want less than the %s that it takes from the beginning", told.Sub(killed), 2*recheck)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
