package scenario

import (
	"slices"
	"testing"
	"time"
)

const (
	// takeover is how long the sites of a coordinator that died may be without an owner.
	takeover = 20 * time.Second
	// busy is what two cores that run many stories may add to a promised time.
	busy = 5 * time.Second
)

func TestSitesOfAKilledCoordinatorAreTakenOver(t *testing.T) {
	t.Parallel()
	g := lay(t, plan{coordinators: 2, sites: 400, interval: 4 * time.Second})
	g.balanced(t)
	g.checked(t, time.Now(), patience)
	victim, sites := g.owner(t)
	killed := time.Now()
	g.kill(t, victim)
	g.takenOver(t, sites, killed)
	await(t, "the others own all", patience, func() bool {
		for _, n := range g.shards(t) {
			if n == victim {
				return false
			}
		}
		return len(g.shards(t)) == 32
	})
	if told := g.inbox.all(); len(told) != 0 {
		t.Errorf("WordPress.com was told of sites that work: %+v", told)
	}
}

// owner is a coordinator that owns sites, and those.
func (g *grid) owner(t *testing.T) (node, []row) {
	t.Helper()
	for _, n := range slices.Backward(g.coordinators) {
		if rows := g.owned(t, n); len(rows) > 0 {
			return n, rows
		}
	}
	t.Fatal("no coordinator owns a site")
	return "", nil
}

// takenOver waits until all sites of a dead coordinator are checked again, and wants
// the first of them in time.
func (g *grid) takenOver(t *testing.T, sites []row, died time.Time) {
	t.Helper()
	// What was out when it died may still be checked for a moment.
	last := died.Add(2 * time.Second)
	g.farm.awaitAll(t, "the sites are checked again", urls(sites), last, takeover+g.plan.interval+patience)
	first, all := time.Duration(1<<62), time.Duration(0)
	for _, r := range sites {
		at := g.farm.after(r.url, last).Sub(died)
		first, all = min(first, at), max(all, at)
	}
	t.Logf("takeover of %d sites: the first check after %s, each checked again after %s", len(sites), first.Round(time.Millisecond), all.Round(time.Millisecond))
	if first > takeover+busy {
		t.Errorf("the first check by a new owner came %s after the death, want %s", first, takeover)
	}
	if all > takeover+g.plan.interval+busy {
		t.Errorf("the last site was checked again %s after the death, want %s", all, takeover+g.plan.interval)
	}
}
