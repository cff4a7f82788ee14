//go:build galera

package scenario

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/galera"
)

// mishap is what befalls a node of the cluster.
type mishap struct {
	name       string
	begin, end func(*galera.Node, *testing.T)
}

func mishaps() []mishap {
	return []mishap{
		{"killed", func(n *galera.Node, t *testing.T) { n.Kill(t) }, func(n *galera.Node, t *testing.T) { n.Return(t) }},
		{"cut off", func(n *galera.Node, t *testing.T) { n.Isolate(t) }, func(n *galera.Node, t *testing.T) { n.Rejoin(t) }},
		{"behind", func(n *galera.Node, t *testing.T) { n.Hold(t) }, func(n *galera.Node, t *testing.T) { n.Release(t) }},
	}
}

// layOnGalera is lay with a cluster: node i+1 is the first that coordinator i is given, and with
// spare ones the others follow.
func layOnGalera(t *testing.T, c *galera.Cluster, p plan, spare bool) *grid {
	t.Helper()
	g := newGrid(t, p, c.Nodes[0].Server)
	if code, _, stderr := run(t, "migrate", "--db="+g.server.DSN()); code != 0 {
		t.Fatalf("jetmon migrate: exit code %d: %s", code, stderr)
	}
	g.sow(t)
	g.verify(t)
	var panel []string
	for i, region := range []string{"europe", "america", "asia"} {
		n := verifliers()[i]
		panel = append(panel, fmt.Sprintf("--veriflier=name=%s,region=%s,addr=%s", n, region, g.addresses[n]))
	}
	for i := range p.coordinators {
		var servers []string
		for j := range galera.Size {
			if j == 0 || spare {
				servers = append(servers, c.Nodes[(i+j)%galera.Size].Address())
			}
		}
		g.coordinateOn(t, i, strings.Replace(g.server.DSN(), g.server.Address(), strings.Join(servers, ","), 1), panel)
	}
	for _, n := range checkers() {
		args := []string{"checker", "--node=" + string(n), "--allow-private", "--max-in-flight=" + fmt.Sprint(p.room)}
		for _, c := range g.coordinators {
			args = append(args, "--coordinator="+g.addresses[c])
		}
		g.run(t, n, `msg=started.* role=checker()`, args...)
	}
	return g
}

// coordinateOn starts one more coordinator, with a database of its own.
func (g *grid) coordinateOn(t *testing.T, i int, dsn string, panel []string) {
	t.Helper()
	n := node(fmt.Sprintf("coordinator-%d", i+1))
	g.coordinators = append(g.coordinators, n)
	args := append([]string{
		"coordinator", "--node=" + string(n), "--db-updates", "--db=" + dsn,
		"--interval=" + g.plan.interval.String(), "--time-between-checks=" + g.plan.recheck.String(),
		"--wpcom-url=http://" + g.addresses[wordpress] + "/jetmon/",
	}, panel...)
	g.run(t, n, `msg=started.* role=coordinator.* address=(\S+)`, args...)
}

// Each of two coordinators works on its own node of a cluster. What befalls the node of one of
// them gives its shards to the other one in time. What goes down meanwhile is told, once.
func TestACoordinatorWhoseGaleraNodeFailsIsRelieved(t *testing.T) {
	t.Parallel()
	c := galera.New(t)
	g := layOnGalera(t, c, plan{coordinators: 2, sites: 200, interval: 4 * time.Second, recheck: time.Second, room: 200}, false)
	for i, it := range mishaps() {
		g.suffers(t, c.Nodes[1], it, g.rows[i*20:(i+1)*20], func(began time.Time) {
			victim := g.coordinators[1]
			await(t, "all shards have another owner", patience, func() bool { return g.relieved(t, victim) })
			took := time.Since(began)
			t.Logf("a coordinator whose node is %s: all its shards have another owner after %s", it.name, took.Round(time.Millisecond))
			if took > takeover+busy {
				t.Errorf("the last shard had another owner %s after its owner's node was %s, want %s", took, it.name, takeover)
			}
		})
	}
	g.toldOnceOf(t, len(mishaps())*20)
}

// With the other nodes in its DSN, a coordinator goes on by way of them.
func TestACoordinatorGoesOnByWayOfAnotherGaleraNode(t *testing.T) {
	t.Parallel()
	c := galera.New(t)
	g := layOnGalera(t, c, plan{coordinators: 2, sites: 200, interval: 4 * time.Second, recheck: time.Second, room: 200}, true)
	for i, it := range mishaps() {
		down := g.rows[i*20 : (i+1)*20]
		g.suffers(t, c.Nodes[1], it, down, func(began time.Time) {
			for _, r := range down {
				g.inbox.awaitTold(t, r.url, patience, 0)
			}
			took := time.Since(began)
			t.Logf("a coordinator whose first node is %s: %d sites that go down are told after %s", it.name, len(down), took.Round(time.Millisecond))
			if took > takeover+busy {
				t.Errorf("the last one was told after %s, want %s", took, takeover)
			}
		})
	}
	g.toldOnceOf(t, len(mishaps())*20)
}

// suffers has sites go down just before and while a node suffers a mishap, until meanwhile
// returns, and waits until all is well again and each site is told.
func (g *grid) suffers(t *testing.T, n *galera.Node, it mishap, down []row, meanwhile func(began time.Time)) {
	t.Helper()
	g.balanced(t)
	g.checked(t, time.Now(), patience)
	for _, r := range down[:len(down)/2] {
		g.farm.become(r.url, http.StatusServiceUnavailable)
	}
	await(t, "some are asked", patience, func() bool { return !g.farm.after(down[0].url, time.Now().Add(-time.Second)).IsZero() })
	began := time.Now()
	it.begin(n, t)
	for _, r := range down[len(down)/2:] {
		g.farm.become(r.url, http.StatusServiceUnavailable)
	}
	meanwhile(began)
	it.end(n, t)
	for _, r := range down {
		g.inbox.awaitTold(t, r.url, patience, 0)
	}
}

// toldOnceOf checks that so many sites are told of, once each, and are outages, once each.
func (g *grid) toldOnceOf(t *testing.T, sites int) {
	t.Helper()
	g.balanced(t)
	g.checked(t, time.Now(), patience)
	if n := len(g.inbox.told()); n != sites {
		t.Errorf("WordPress.com was told %d times, want once of each of %d sites", n, sites)
	}
	if n := g.server.Query(t, "SELECT COUNT(*) FROM jetmon_outages"); n != fmt.Sprintln(sites) {
		t.Errorf("%s outages are in the database, want %d", strings.TrimSpace(n), sites)
	}
	var fenced, stale, waiting uint64
	for _, n := range g.coordinators {
		c := g.fleet(t, n).GetCoordinator()
		fenced, stale, waiting = fenced+c.GetFencedChanges(), stale+c.GetStaleResults(), waiting+c.GetUncommittedChanges()
	}
	t.Logf("%d sites went down, each was told once; %d late changes were fenced and %d results stale", sites, fenced, stale)
	if waiting != 0 {
		t.Errorf("%d changes wait", waiting)
	}
}
