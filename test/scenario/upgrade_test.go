package scenario

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/mariadb"
	"github.com/Automattic/jetmon/test/release"
)

const (
	checker3 node = "checker-3"
	// upgradeInterval is longer than takeover, so that a site whose turn is lost waits longer than
	// is promised, on a busy machine too.
	upgradeInterval = takeover + 2*busy
)

// upgrade is a whole fleet that is replaced process by process: two coordinators, three checkers,
// three verifliers and a gateway. Its sites go down and come back all the time.
type upgrade struct {
	*grid
	older string        // the program of the version before
	waits time.Duration // how much longer than its interval a site may wait
	pause time.Duration // from one node to the next
	began time.Time     // when the fleet was there
	// unrecorded is how many notifications coordinators could not note as told when they ended,
	// because the database had no time for them; they are sent again under their keys.
	unrecorded int
	weather    *weather
	clients    *clients
	browser    *ear
}

// A fleet of the version before is upgraded process by process under load, coordinators first;
// it goes back, checkers first, on the schema of the new version; it is upgraded again, the
// gateway first, and a coordinator is killed. No site waits longer than is promised for its next
// check, WordPress.com hears of each change once and in order, every call of the API succeeds,
// and who watches the changes misses none.
func TestAnUpgradeLeavesNoGap(t *testing.T) {
	t.Parallel()
	for _, v := range release.Before(t) {
		t.Run("from "+v.Commit[:8], func(t *testing.T) {
			t.Parallel()
			u := layOlder(t, v, plan{coordinators: 2, sites: 2000, interval: upgradeInterval})
			u.underWay(t)
			coordinators, checkers, others := u.coordinators, append(checkers(), checker3), verifliers()

			u.migrate(t)          // by the new program, while the old one runs
			u.pause = time.Second // in which sites go down, come back, and are told of
			u.replaceAll(t, "upgrade", "", slices.Concat(coordinators, checkers, others, []node{gateway}))
			u.pause = 0
			u.replaceAll(t, "way back", u.older, slices.Concat(checkers, []node{gateway}, others, coordinators))
			if again := u.repeated(); len(again) > u.unrecorded {
				t.Errorf("%d notifications were sent again after their success, and coordinators said so of %d when they ended: %q", len(again), u.unrecorded, again)
			}
			u.pause = time.Second
			u.replaceAll(t, "upgrade", "", slices.Concat([]node{gateway}, others, coordinators[:1]))
			u.step(t, "upgrade by kill -9", coordinators[1], func(p *process) { p.kill(t) }, "")
			u.replaceAll(t, "upgrade", "", checkers)
			u.verdict(t)
		})
	}
}

// layOlder starts the fleet, all of it from the version before.
func layOlder(t *testing.T, v release.Version, p plan) *upgrade {
	t.Helper()
	path := buildOlder(t, v)
	grids <- struct{}{}
	t.Cleanup(func() { <-grids })
	p.recheck, p.room = time.Second, 200
	g := newGrid(t, p, mariadb.NewServer(t))
	g.program = path
	g.addresses[database] = g.server.Address()
	if out, err := commandOf(path, "migrate", "--db="+g.server.PlainDSN(g.server.Address())).CombinedOutput(); err != nil {
		t.Fatalf("jetmon migrate of the version before: %v: %s", err, out)
	}
	g.sow(t)
	g.verify(t)
	for i := range p.coordinators {
		g.coordinate(t, i)
	}
	for _, n := range append(checkers(), checker3) {
		args := []string{"checker", "--node=" + string(n), "--allow-private", "--max-in-flight=" + fmt.Sprint(p.room)}
		for _, c := range g.coordinators {
			args = append(args, "--coordinator="+g.wire(t, n, c).address())
		}
		g.run(t, n, `msg=started.* role=checker()`, args...)
	}
	g.run(t, gateway, `msg=started.* role=gateway.* address=(\S+)`, "gateway",
		"--coordinator="+g.wire(t, gateway, g.coordinators[0]).address()+","+g.wire(t, gateway, g.coordinators[1]).address())
	return &upgrade{grid: g, older: path, waits: v.Waits}
}

// migrate brings the schema up to date with the program under test.
func (u *upgrade) migrate(t *testing.T) {
	t.Helper()
	code, out, stderr := run(t, "migrate", "--db="+u.server.PlainDSN(u.server.Address()))
	if code != 0 {
		t.Fatalf("jetmon migrate: exit code %d: %s%s", code, out, stderr)
	}
	t.Logf("the schema was brought up to date while the version before ran: %s", strings.TrimSpace(out))
}

// underWay waits until the fleet is in order, and lets the load begin.
func (u *upgrade) underWay(t *testing.T) *upgrade {
	t.Helper()
	u.balanced(t)
	for _, n := range append(checkers(), checker3, gateway) {
		u.works(t, n)
	}
	u.began = time.Now()
	base := "http://" + u.addresses[gateway]
	u.browser = listen(t, base+"/v1/changes:watch?heartbeat=1s")
	await(t, "a stream of changes begins", patience, func() bool {
		u.browser.mu.Lock()
		defer u.browser.mu.Unlock()
		return u.browser.last != ""
	})
	// The first hundred sites stay up: they are what clients read and edit.
	u.clients = useAPI(t, base, u.rows[0])
	u.weather = blow(t, u.grid, u.rows[100:])
	return u
}

// replaceAll replaces nodes one after the other: each gets SIGTERM, and the next one's turn comes
// when its successor works.
func (u *upgrade) replaceAll(t *testing.T, name, program string, nodes []node) {
	t.Helper()
	for _, n := range nodes {
		u.step(t, name, n, func(p *process) {
			asked := time.Now()
			p.terminate(t)
			p.finished(t, asked)
		}, program)
	}
}

// unrecorded finds what a coordinator says at its end of notifications that it sent.
var unrecorded = regexp.MustCompile(`msg="stopped with unrecorded deliveries[^"]*" notifications=(\d+)`)

// step replaces one node.
func (u *upgrade) step(t *testing.T, name string, n node, end func(*process), program string) {
	t.Helper()
	p, began := u.processes[n], time.Now()
	end(p)
	ended := time.Now()
	for _, line := range unrecorded.FindAllStringSubmatch(p.out.String(), -1) {
		number, err := strconv.Atoi(line[1])
		if err != nil {
			t.Fatal(err)
		}
		u.unrecorded += number
	}
	p.program = program
	p.start(t)
	u.works(t, n)
	t.Logf("%s %s: %s ended in %s and its successor worked %s later", began.Format("15:04:05.000"), name, n,
		ended.Sub(began).Round(time.Millisecond), time.Since(ended).Round(time.Millisecond))
	time.Sleep(u.pause)
}

// works waits until a node that has been started does its work, as /readyz says it.
func (u *upgrade) works(t *testing.T, n node) {
	t.Helper()
	switch {
	case n == gateway:
		await(t, "the gateway is ready", patience, func() bool {
			code, _, err := rest{"http://" + u.addresses[gateway]}.do(t, http.MethodGet, "/readyz", "", "")
			return err == nil && code == http.StatusOK
		})
	case slices.Contains(append(checkers(), checker3), n):
		await(t, string(n)+" has a session with every coordinator", patience, func() bool {
			return !slices.ContainsFunc(u.coordinators, func(c node) bool { return !u.knows(t, c, n) })
		})
	default:
		serving(t, u.addresses[n])
	}
}

// knows reports whether a coordinator has a session with a checker.
func (u *upgrade) knows(t *testing.T, c, n node) bool {
	t.Helper()
	for _, k := range u.fleet(t, c).GetCheckers() {
		if k.GetNode() == string(n) {
			return true
		}
	}
	return false
}

// repeated lists the notifications that came again after they had succeeded.
func (u *upgrade) repeated() (keys []string) {
	answered := map[string]bool{}
	for _, a := range u.inbox.all() {
		if answered[a.key] {
			keys = append(keys, a.key)
		}
		answered[a.key] = true
	}
	return keys
}

// verdict compares what happened with what is promised.
func (u *upgrade) verdict(t *testing.T) {
	t.Helper()
	u.weather.calm(t)
	down := u.weather.down()
	u.awaitTold(t, down, 0, 1)
	u.quiet(t)
	u.clients.verdict(t, u.grid, u.rows[0])
	u.noGap(t)
	for _, r := range down {
		u.inbox.isTold(t, r.url, 0, 1)
	}
	told := len(u.inbox.told())
	t.Logf("%d sites went down and came back, %d notifications, %d of them sent again; from the failure to the notification at most %s",
		len(down), told, len(u.repeated()), u.weather.slowest().Round(time.Millisecond))
	if told != 2*len(down) || len(down) < 20 {
		t.Errorf("WordPress.com was told %d times of %d sites that went down and came back", told, len(down))
	}
	want, n := u.committed(t)
	await(t, "the watcher has heard of all changes", patience, func() bool { events, _ := u.browser.heard(); return events >= n })
	u.browser.mu.Lock()
	defer u.browser.mu.Unlock()
	if got, all := fmt.Sprint(u.browser.keys), fmt.Sprint(want); got != all || len(u.browser.broken) > 0 {
		t.Errorf("the watcher heard\n%s\nand this was committed:\n%s\nwhat was no event: %q", got, all, u.browser.broken)
	}
}

// noGap checks that every site was checked in time, from the start of the fleet until now.
func (u *upgrade) noGap(t *testing.T) {
	t.Helper()
	now, late, most := time.Now(), 0, u.plan.interval+u.waits+busy
	for _, r := range u.rows {
		gap, url, since := u.farm.gap([]string{r.url}, u.began, now)
		if gap > u.plan.interval+2*time.Second {
			late++
		}
		if gap > most {
			t.Errorf("%s was not checked for %s from %s on, want %s at most", url, gap.Round(time.Millisecond), since.Format("15:04:05.000"), u.plan.interval+u.waits)
		}
	}
	worst, _, since := u.farm.gap(urls(u.rows), u.began, now)
	t.Logf("%d of %d sites waited 2 s longer than their interval of %s once; the longest time without a check was %s, from %s on",
		late, len(u.rows), u.plan.interval, worst.Round(time.Millisecond), since.Format("15:04:05.000"))
}

// weather takes sites down, each once, and lets each come back when WordPress.com was told.
type weather struct {
	grid *grid
	stop func()

	mu     sync.Mutex
	began  map[string]time.Time // by URL, of those that went down
	rows   []row
	latest time.Duration
}

// blow lets a site go down twice a second, until calm or the end of the test.
func blow(t *testing.T, g *grid, rows []row) *weather {
	t.Helper()
	w, over := &weather{grid: g, began: map[string]time.Time{}}, make(chan struct{})
	var work sync.WaitGroup
	w.stop = sync.OnceFunc(func() { close(over); work.Wait() })
	work.Go(func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for _, r := range rows {
			select {
			case <-over:
				return
			case <-tick.C:
				w.fails(r)
				w.mend()
			}
		}
	})
	t.Cleanup(w.stop)
	return w
}

// calm ends it: everything comes back in its time.
func (w *weather) calm(t *testing.T) {
	t.Helper()
	w.stop()
	await(t, "WordPress.com is told of all sites that are down", patience, func() bool {
		w.mend()
		w.mu.Lock()
		defer w.mu.Unlock()
		return !slices.ContainsFunc(w.rows, func(r row) bool { return !w.began[r.url].IsZero() })
	})
}

func (w *weather) fails(r row) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.grid.farm.become(r.url, http.StatusServiceUnavailable)
	w.began[r.url], w.rows = time.Now(), append(w.rows, r)
}

// mend lets the sites come back that WordPress.com knows to be down.
func (w *weather) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.grid.inbox.all() {
		if url := a.notification.MonitorURL; a.notification.StatusID == 0 && !w.began[url].IsZero() {
			w.grid.farm.become(url, http.StatusOK)
			w.latest = max(w.latest, a.at.Sub(w.began[url]))
			w.began[url] = time.Time{}
		}
	}
}

func (w *weather) down() []row {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.rows)
}

func (w *weather) slowest() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latest
}
