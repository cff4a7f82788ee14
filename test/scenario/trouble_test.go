package scenario

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// trouble is one kind of failure of a database.
type trouble struct {
	name       string
	begin, end func(*testing.T, *grid)
	// refuses says that nothing can be written meanwhile.
	refuses bool
}

// troubles last this long at least.
const trouble10s = 10 * time.Second

func troubles() []trouble {
	slow := func(d time.Duration) func(*testing.T, *grid) {
		return func(_ *testing.T, g *grid) { g.each(database, func(w *wire) { w.slow(d) }) }
	}
	readOnly := func(on int) func(*testing.T, *grid) {
		return func(t *testing.T, g *grid) { g.server.Query(t, fmt.Sprintf("SET GLOBAL read_only=%d", on)) }
	}
	return []trouble{
		{"is read-only", readOnly(1), readOnly(0), true},
		{"is slow", slow(100 * time.Millisecond), slow(0), false},
		{"hangs", func(_ *testing.T, g *grid) { g.cut(database) }, func(_ *testing.T, g *grid) { g.heal(database) }, true},
		{"is killed", func(t *testing.T, g *grid) { g.kill(t, database) }, func(t *testing.T, g *grid) { g.revive(t, database) }, true},
	}
}

// Whatever fails in the database, checks go on and the fleet's status reports the failure. A
// site that goes down meanwhile is notified once, when the failure is over.
func TestTroubleWithTheDatabaseLosesNothing(t *testing.T) {
	t.Parallel()
	g := lay(t, plan{coordinators: 2, sites: 300, interval: 4 * time.Second})
	g.balanced(t)
	g.checked(t, time.Now(), patience)
	for i, it := range troubles() {
		g.endures(t, it, g.rows[i*10], g.rows[i*10+1])
	}
	if n := len(g.inbox.told()); n != 2*len(troubles()) {
		t.Errorf("WordPress.com was told %d times, want only of the sites that went down", n)
	}
}

// A site goes down after the database has been dead so long that all leases are uncertain and
// no write is tried. An alarm reports that, before and after. Nothing is lost, because no
// other owner has the shards.
func TestAnOutageDecidedLongAfterTheDatabaseDiedIsToldWhenItIsBack(t *testing.T) {
	t.Parallel()
	g := lay(t, plan{coordinators: 1, sites: 40, interval: 4 * time.Second})
	g.balanced(t)
	g.checked(t, time.Now(), patience)
	only, down := g.coordinators[0], g.rows[0]
	g.kill(t, database)
	died := time.Now()
	await(t, "the alarm, though nothing is to be written", patience, func() bool { return g.storeAlarm(t) })
	if took := time.Since(died); took > trouble10s+busy {
		t.Errorf("the alarm was raised after %s, want %s", took.Round(time.Millisecond), trouble10s)
	}
	await(t, "the leases have run out", patience, func() bool { return time.Since(died) > trouble10s+3*time.Second })
	g.farm.become(down.url, http.StatusServiceUnavailable)
	await(t, "the outage is decided", patience, func() bool {
		return g.fleet(t, only).GetCoordinator().GetUncommittedChanges() > 0
	})
	if !g.storeAlarm(t) {
		t.Error("an outage waits for the database, and there is no alarm")
	}
	g.revive(t, database)
	g.inbox.awaitTold(t, down.url, patience, 0)
	await(t, "the alarm ends", patience, func() bool { return !g.storeAlarm(t) })
	if c := g.fleet(t, only).GetCoordinator(); c.GetUncommittedChanges() != 0 || c.GetFencedChanges() != 0 {
		t.Errorf("%d changes wait and %d are counted as fenced, want none", c.GetUncommittedChanges(), c.GetFencedChanges())
	}
}

// endures causes a trouble, with one site that goes down just before it and one during it.
func (g *grid) endures(t *testing.T, it trouble, before, within row) {
	t.Helper()
	g.farm.become(before.url, http.StatusServiceUnavailable)
	began := time.Now()
	it.begin(t, g)
	g.farm.become(within.url, http.StatusServiceUnavailable)
	alarmed := time.Duration(0)
	await(t, "the database "+it.name+" for long enough", patience, func() bool {
		if alarmed == 0 && g.storeAlarm(t) {
			alarmed = time.Since(began)
		}
		return time.Since(began) > trouble10s && (alarmed > 0 || !it.refuses)
	})
	if it.refuses {
		g.inbox.isTold(t, within.url)
	}
	it.end(t, g)
	ended := time.Now()
	told := g.inbox.awaitTold(t, before.url, patience, 0)[0].at
	if last := g.inbox.awaitTold(t, within.url, patience, 0)[0].at; last.After(told) {
		told = last
	}
	await(t, "the alarm ends", patience, func() bool { return !g.storeAlarm(t) })
	g.checked(t, time.Now(), g.plan.interval+takeover)
	gap, url, since := g.farm.gap(urls(g.rows), began, time.Now())
	t.Logf("the database %s for %s: alarm after %s, all told %s after its end; the longest time without a check was %s (%s, from %s on)", it.name,
		ended.Sub(began).Round(time.Millisecond), alarmed.Round(time.Millisecond), told.Sub(ended).Round(time.Millisecond),
		gap.Round(time.Millisecond), url, since.Sub(began).Round(time.Millisecond))
	if gap > g.plan.interval+busy {
		t.Errorf("%s was not checked for %s while the database %s, want that checks go on each %s", url, gap, it.name, g.plan.interval)
	}
}

// storeAlarm reports whether a coordinator raises the alarm about the database.
func (g *grid) storeAlarm(t *testing.T) bool {
	t.Helper()
	for _, n := range g.coordinators {
		for _, a := range g.fleet(t, n).GetAlarms() {
			if a.GetKind() == monitorv1.AlarmKind_ALARM_KIND_STORE {
				return true
			}
		}
	}
	return false
}
