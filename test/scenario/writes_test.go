package scenario

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Healthy checks write nothing: the number of writes does not depend on the number of checks.
func TestHealthyChecksWriteNothing(t *testing.T) {
	t.Parallel()
	const sites, watched = 1200, 15 * time.Second
	g := lay(t, plan{coordinators: 2, sites: sites, interval: time.Minute, flags: func(i int) []string {
		return []string{fmt.Sprintf("--bucket-min=%d", 256*i), fmt.Sprintf("--bucket-max=%d", 256*i+255)}
	}})
	g.awaitSites(t, sites)
	calm, few := g.writes(t, watched)
	g.plan.interval = 2 * time.Second
	for _, n := range g.coordinators {
		g.kill(t, n)
		g.processes[n].args = append(g.processes[n].args, "--interval="+g.plan.interval.String())
		g.revive(t, n)
	}
	g.awaitSites(t, sites)
	g.checked(t, time.Now(), patience)
	loud, many := g.writes(t, watched)
	t.Logf("within %s: %d writes beside %d checks, %d writes beside %d checks", watched, calm, few, loud, many)
	if many < 5000 || few > many/10 {
		t.Errorf("%d and %d checks were made, want many more in the end", few, many)
	}
	// Leases are renewed each 5 s, at most one statement a shard, and each coordinator
	// announces itself. The watch may see one renewal more or less.
	const renewals = (32 + 2) * 4
	if loud > renewals || loud > calm+(32+2) {
		t.Errorf("%d writes beside %d checks, %d beside %d: want at most the %d renewals of leases", loud, many, calm, few, renewals)
	}
}

// awaitSites waits until the coordinators have the given number of sites.
func (g *grid) awaitSites(t *testing.T, n int) {
	t.Helper()
	await(t, fmt.Sprintf("the coordinators watch %d sites", n), patience, func() bool {
		sum := 0
		for _, c := range g.coordinators {
			sum += int(g.fleet(t, c).GetCoordinator().GetSites())
		}
		return sum == n
	})
}

// writes counts the database's writes and the checks during a span of time.
func (g *grid) writes(t *testing.T, d time.Duration) (writes, checks int) {
	t.Helper()
	count := func() int {
		sum := 0
		for line := range strings.Lines(g.server.Query(t, `SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_insert','Com_insert_select',
			'Com_update','Com_update_multi','Com_delete','Com_delete_multi','Com_replace','Com_replace_select','Com_load')`)) {
			var name string
			var n int
			if _, err := fmt.Sscan(line, &name, &n); err != nil {
				t.Fatalf("status %q: %v", line, err)
			}
			sum += n
		}
		return sum
	}
	writes, checks = -count(), -g.farm.checks()
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
	return writes + count(), checks + g.farm.checks()
}
