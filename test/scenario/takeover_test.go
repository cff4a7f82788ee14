package scenario

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
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

// Sites whose turn comes while nobody owns their shard do not wait for the next one: no site of a
// coordinator that dies waits longer than its interval and the takeover, however long the interval.
func TestNoSiteLosesATurnToTheDeathOfItsCoordinator(t *testing.T) {
	t.Parallel()
	g := lay(t, plan{coordinators: 2, sites: 2000, interval: upgradeInterval})
	g.balanced(t)
	began := time.Now()
	g.checked(t, began, patience)
	victim, sites := g.owner(t)
	killed := time.Now()
	g.kill(t, victim)
	g.takenOver(t, sites, killed)
	gap, url, since := g.farm.gap(urls(sites), began, time.Now())
	t.Logf("the longest time without a check was %s", gap.Round(time.Millisecond))
	if gap > g.plan.interval+takeover+busy {
		t.Errorf("%s was not checked for %s from %s before the death on, want %s at most", url, gap, killed.Sub(since), g.plan.interval+takeover)
	}
}

// owner is a coordinator with sites, and these sites.
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

// takenOver waits until all sites of a dead coordinator are checked again, and checks that the
// first of them is in time.
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

// A coordinator is stopped until its sites have another owner, with outages decided but not
// yet written, and with checks out. When it continues, its unwritten changes are discarded and
// counted, and each outage is notified once.
func TestAStoppedCoordinatorThatGoesOnWritesNothing(t *testing.T) {
	t.Parallel()
	g := lay(t, plan{coordinators: 2, sites: 300, interval: 4 * time.Second})
	g.farm.answerAfter(time.Second) // so that some checks are always out
	g.balanced(t)
	g.checked(t, time.Now(), patience)
	victim, sites := g.owner(t)
	down := sites[:min(len(sites), 30)]
	early, late := down[:len(down)-10], down[len(down)-10:]
	for _, r := range early {
		g.farm.become(r.url, http.StatusServiceUnavailable)
	}
	await(t, "some outages are told", patience, func() bool { return len(g.inbox.all()) > 0 })
	g.wire(t, victim, database).cut()
	for _, r := range late {
		g.farm.become(r.url, http.StatusServiceUnavailable)
	}
	await(t, "outages are decided and not written", patience, func() bool {
		return g.fleet(t, victim).GetCoordinator().GetUncommittedChanges() >= uint64(len(late))
	})
	before := len(g.inbox.told())
	g.pause(t, victim)
	stopped := time.Now()
	g.wire(t, victim, database).heal()
	g.takenOver(t, sites, stopped)
	g.watch(t, stopped.Add(takeover))
	g.resume(t, victim)
	g.awaitTold(t, down, 0)
	g.checked(t, time.Now(), g.plan.interval+takeover)
	for _, r := range down {
		g.farm.become(r.url, http.StatusOK)
	}
	g.awaitTold(t, down, 0, 1)
	c := g.fleet(t, victim).GetCoordinator()
	t.Logf("%d of %d outages were told before %s was stopped; of what came late %d changes were fenced and %d results stale",
		before, len(down), victim, c.GetFencedChanges(), c.GetStaleResults())
	if c.GetFencedChanges() < uint64(len(late)) || c.GetUncommittedChanges() != 0 {
		t.Errorf("of at least %d changes that were not written when it was stopped, %d are counted as fenced and %d wait",
			len(late), c.GetFencedChanges(), c.GetUncommittedChanges())
	}
	if n := g.server.Query(t, "SELECT COUNT(*) FROM jetmon_outages"); n != fmt.Sprintln(len(down)) {
		t.Errorf("%s outages are in the database, want %d", strings.TrimSpace(n), len(down))
	}
	if n := len(g.inbox.told()); n != 2*len(down) {
		t.Errorf("WordPress.com was told %d times, want twice of each of the %d sites", n, len(down))
	}
}

// A coordinator is cut off from the database in the middle of a transaction that locks a
// shard. Nobody waits for it: its shards have another owner in time. It keeps checking, since
// it cannot know. When it learns of the loss, its unfinished change is discarded and its
// checkers' results are stale. Both are counted.
func TestACoordinatorCutOffInTheMiddleOfAWriteHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	g := lay(t, plan{coordinators: 2, sites: 100, interval: 4 * time.Second})
	g.farm.answerAfter(time.Second) // so that some checks are always out
	g.balanced(t)
	g.checked(t, time.Now(), patience)
	victim, sites := g.owner(t)
	line := g.wire(t, victim, database)
	line.cutAt("INSERT INTO jetmon_outages")
	down := sites[0]
	g.farm.become(down.url, http.StatusServiceUnavailable)
	await(t, "the outage is being written", patience, line.wasCut)
	cut := time.Now()
	await(t, "all shards have another owner", patience, func() bool { return g.relieved(t, victim) })
	took := time.Since(cut)
	t.Logf("all shards had another owner %s after the cut", took.Round(time.Millisecond))
	if took > takeover+busy {
		t.Errorf("the last shard had another owner %s after the cut, want %s", took, takeover)
	}
	g.inbox.awaitTold(t, down.url, patience, 0)
	line.heal()
	g.balanced(t)
	g.checked(t, time.Now(), patience)
	g.inbox.isTold(t, down.url, 0)
	c := g.fleet(t, victim).GetCoordinator()
	t.Logf("of what came late %d changes were fenced and %d results stale", c.GetFencedChanges(), c.GetStaleResults())
	if c.GetFencedChanges() == 0 || c.GetStaleResults() == 0 {
		t.Errorf("%d changes are counted as fenced and %d results as stale, want some of both", c.GetFencedChanges(), c.GetStaleResults())
	}
	if n := g.server.Query(t, "SELECT COUNT(*) FROM jetmon_outages"); n != "1\n" {
		t.Errorf("%s outages are in the database, want 1", strings.TrimSpace(n))
	}
}
