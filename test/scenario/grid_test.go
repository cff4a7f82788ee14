package scenario

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/test/mariadb"
)

// The nodes of a grid that are not our processes.
const (
	database  node = "database"
	wordpress node = "wordpress"
	peers     node = "peers" // all coordinators
)

// plan describes the grid that a story needs.
type plan struct {
	coordinators int
	// sites, on as many hosts as there are, at most 250.
	sites int
	// interval of all sites; recheck between the checks of a failing one, 0 means 1 s.
	interval, recheck time.Duration
	// flags of each coordinator, by its number from 0; nil means none.
	flags func(i int) []string
	// room is how many checks a checker runs at once; 0 means 200.
	room int
}

// grid is several coordinators on one MariaDB, two checkers connected to all of them, and
// three verifliers. All are real processes; each of their connections, except those to the
// sites, runs over its own wire.
type grid struct {
	plan   plan
	inbox  *inbox
	server *mariadb.Server
	farm   *farm
	// rows are the sites, coordinators the names of those.
	rows         []row
	coordinators []node

	running
	wires map[[2]node]*wire
}

// newGrid is a grid on a server of which nothing runs yet.
func newGrid(t *testing.T, p plan, server *mariadb.Server) *grid {
	g := &grid{
		plan: p, inbox: newInbox(t), server: server, farm: newFarm(t, min(p.sites, 250)),
		running: newRunning(), wires: map[[2]node]*wire{},
	}
	g.addresses[wordpress] = strings.TrimPrefix(g.inbox.server.URL, "http://")
	t.Cleanup(func() {
		if t.Failed() {
			g.tell(t)
		}
	})
	return g
}

// sow puts the sites on the farm and into the table.
func (g *grid) sow(t *testing.T) {
	t.Helper()
	for i := range g.plan.sites {
		// Neighbours in the table are in different buckets and shards.
		g.rows = append(g.rows, row{id: i + 1, blog: i + 1, bucket: i * 37 % 512, url: g.farm.sow(i)})
	}
	g.server.Query(t, insert(g.rows))
}

// verify starts the verifliers.
func (g *grid) verify(t *testing.T) {
	t.Helper()
	for i, region := range []string{"europe", "america", "asia"} {
		n := verifliers()[i]
		g.run(t, n, `msg=started.* role=veriflier.* address=(\S+)`, "veriflier", "--name="+string(n), "--region="+region, "--allow-private")
	}
}

// relieved reports whether every shard has an owner that is not the victim.
func (g *grid) relieved(t *testing.T, victim node) bool {
	owners := g.shards(t)
	for _, n := range owners {
		if n == victim {
			return false
		}
	}
	return len(owners) == 32
}

// lay starts a grid once there is room for it. It ends with the test, and a failed test shows
// the logs.
func lay(t *testing.T, p plan) *grid {
	t.Helper()
	grids <- struct{}{}
	t.Cleanup(func() { <-grids })
	if p.recheck == 0 {
		p.recheck = time.Second
	}
	if p.room == 0 {
		p.room = 200
	}
	g := newGrid(t, p, mariadb.NewServer(t))
	g.addresses[database] = g.server.Address()
	if code, _, stderr := run(t, "migrate", "--db="+g.server.PlainDSN(g.server.Address())); code != 0 {
		t.Fatalf("jetmon migrate: exit code %d: %s", code, stderr)
	}
	g.sow(t)
	g.verify(t)
	for i := range p.coordinators {
		g.coordinate(t, i)
	}
	for _, n := range checkers() {
		args := []string{"checker", "--node=" + string(n), "--allow-private", "--max-in-flight=" + fmt.Sprint(p.room)}
		for _, c := range g.coordinators {
			args = append(args, "--coordinator="+g.wire(t, n, c).address())
		}
		g.run(t, n, `msg=started.* role=checker()`, args...)
	}
	return g
}

// coordinate starts one more coordinator.
func (g *grid) coordinate(t *testing.T, i int) {
	t.Helper()
	n := node(fmt.Sprintf("coordinator-%d", i+1))
	g.coordinators = append(g.coordinators, n)
	endpoint := g.wire(t, peers, n)
	args := []string{
		"coordinator", "--node=" + string(n), "--db-updates", "--endpoint=" + endpoint.address(),
		"--db=" + g.server.PlainDSN(g.wire(t, n, database).address()),
		"--interval=" + g.plan.interval.String(), "--time-between-checks=" + g.plan.recheck.String(),
		"--wpcom-url=http://" + g.wire(t, n, wordpress).address() + "/jetmon/",
	}
	for i, region := range []string{"europe", "america", "asia"} {
		v := verifliers()[i]
		args = append(args, fmt.Sprintf("--veriflier=name=%s,region=%s,addr=%s", v, region, g.wire(t, n, v).address()))
	}
	if g.plan.flags != nil {
		args = append(args, g.plan.flags(i)...)
	}
	g.run(t, n, `msg=started.* role=coordinator.* address=(\S+)`, args...)
	endpoint.lead(g.addresses[n])
}

// wire returns the wire from one node to another, and lays it on first use.
func (g *grid) wire(t *testing.T, from, to node) *wire {
	t.Helper()
	ends := [2]node{from, to}
	if g.wires[ends] == nil {
		g.wires[ends] = newWire(t, g.addresses[to])
	}
	return g.wires[ends]
}

// urls lists the URLs of some rows.
func urls(rows []row) []string {
	list := make([]string, len(rows))
	for i, r := range rows {
		list[i] = r.url
	}
	return list
}

// checked waits until every site has been checked since the given time.
func (g *grid) checked(t *testing.T, since time.Time, within time.Duration) {
	t.Helper()
	g.farm.awaitAll(t, "every site is checked", urls(g.rows), since, within)
}

// fleet asks a coordinator directly, not over a wire; nil if it does not answer.
func (g *grid) fleet(t *testing.T, n node) *monitorv1.Fleet {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	resp, err := monitorv1.NewFleetServiceClient(dial(t, g.addresses[n])).GetFleet(ctx, &monitorv1.GetFleetRequest{})
	if err != nil {
		return nil
	}
	return resp.GetFleet()
}

// shards lists the owner of each shard by number, as recorded in the database.
func (g *grid) shards(t *testing.T) map[int]node {
	t.Helper()
	owners := map[int]node{}
	for line := range strings.Lines(g.server.Query(t, "SELECT shard, owner FROM jetmon_shards WHERE expires_ms > UNIX_TIMESTAMP(NOW(3))*1000")) {
		var shard int
		var owner string
		if _, err := fmt.Sscan(line, &shard, &owner); err == nil {
			owners[shard] = node(owner)
		}
	}
	return owners
}

// balanced waits until the coordinators share the shards evenly.
func (g *grid) balanced(t *testing.T) {
	t.Helper()
	await(t, "the coordinators share the shards evenly", patience, func() bool {
		has := map[node]int{}
		for _, n := range g.shards(t) {
			has[n]++
		}
		for _, n := range g.coordinators {
			if has[n] < 32/len(g.coordinators) {
				return false
			}
		}
		return true
	})
}

// owned lists the sites in the shards of a coordinator.
func (g *grid) owned(t *testing.T, n node) []row {
	t.Helper()
	owners := g.shards(t)
	var list []row
	for _, r := range g.rows {
		if owners[r.bucket/16] == n {
			list = append(list, r)
		}
	}
	return list
}

// tell prints the nodes' logs.
func (g *grid) tell(t *testing.T) {
	t.Helper()
	for _, n := range append(append([]node{}, g.coordinators...), checkers()...) {
		p := g.processes[n]
		if p == nil {
			continue
		}
		text := p.out.String()
		t.Logf("%s logged:\n%s", n, text[max(0, len(text)-12_000):])
	}
}
