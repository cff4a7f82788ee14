package scenario

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/test/seeds"
)

// chaosFor is how long TestWhateverFailsSitesAreCheckedAndToldOfOnce has its mischief;
// see make chaos.
var chaosFor = flag.Duration("chaos.for", 35*time.Second, "how long things fail at random")

// promised is the time that a site may wait for its next check beyond its interval, whatever
// fails: a lease and a session must end first.
const promised = 75 * time.Second

// fault is a temporary failure of a node.
type fault struct {
	name       string
	begin, end func(*grid, *testing.T, node)
}

func faults() []fault {
	return []fault{
		{"is killed", (*grid).kill, (*grid).revive},
		{"is stopped", (*grid).pause, (*grid).resume},
		{"is cut off", func(g *grid, _ *testing.T, n node) { g.cut(n) }, func(g *grid, _ *testing.T, n node) { g.heal(n) }},
	}
}

// At random moments a coordinator, a checker or the database is killed, stopped or cut off.
// Every site is checked again in time. Nothing is sent about working sites; of a site that goes
// down meanwhile WordPress.com and a webhook are notified once, and once more when it is back.
func TestWhateverFailsSitesAreCheckedAndToldOfOnce(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		t.Logf("to repeat it: make chaos TESTSEED=%d CHAOSFLAGS=-chaos.for=%s", seed, *chaosFor)
		m := &mischief{random: rand.New(rand.NewPCG(seed, 0)), hook: newHook(t, newLedger("the webhook", seed), bodyAsIs)}
		m.grid = lay(t, plan{coordinators: 3, sites: 600, interval: 5 * time.Second, flags: func(int) []string { return []string{allowPrivate} }})
		g := m.grid
		m.subscribe(t)
		g.balanced(t)
		g.checked(t, time.Now(), patience)
		began := time.Now()
		for time.Since(began) < *chaosFor {
			m.round(t)
		}
		ended := time.Now()
		g.awaitTold(t, m.down, 0)
		for _, r := range m.down {
			g.farm.become(r.url, http.StatusOK)
		}
		g.awaitTold(t, m.down, 0, 1)
		g.quiet(t)
		g.checked(t, time.Now(), takeover+g.plan.interval+busy)
		m.verdict(t, began, ended)
	})
}

// mischief is a sequence of faults in a grid.
type mischief struct {
	*grid
	random *rand.Rand
	// hook is told of everything, too.
	hook *hook
	deck []func(*testing.T)
	// down are the sites that went down.
	down []row
}

// subscribe has the hook told of everything.
func (m *mischief) subscribe(t *testing.T) {
	t.Helper()
	_, err := monitorv1.NewSubscriptionServiceClient(dial(t, m.addresses[m.coordinators[0]])).CreateSubscription(t.Context(),
		&monitorv1.CreateSubscriptionRequest{Subscription: &monitorv1.Subscription{
			Name: "webhook", Kind: monitorv1.SubscriptionKind_SUBSCRIPTION_KIND_WEBHOOK, Url: m.hook.server.URL,
		}})
	if err != nil {
		t.Fatal(err)
	}
}

// round causes one fault, and lets two sites go down around it.
func (m *mischief) round(t *testing.T) {
	t.Helper()
	if len(m.deck) == 0 {
		m.shuffle()
	}
	next := m.deck[0]
	m.deck = m.deck[1:]
	next(t)
	m.watch(t, time.Now().Add(m.some(5*time.Second)))
}

// shuffle makes a deck with every fault of every kind of node once, and some faults between
// two nodes.
func (m *mischief) shuffle() {
	kinds := [][]node{m.coordinators, checkers(), {database}}
	for _, f := range faults() {
		for _, nodes := range kinds {
			n := nodes[m.random.IntN(len(nodes))]
			m.deck = append(m.deck, func(t *testing.T) { m.fails(t, f, n) })
		}
	}
	// And the half things: who is alone without the database has a successor before it
	// knows, and one connection of two nodes that are well is no matter of either.
	m.lose(m.coordinators[m.random.IntN(len(m.coordinators))], database)
	m.lose(checkers()[m.random.IntN(2)], m.coordinators[m.random.IntN(len(m.coordinators))])
	m.random.Shuffle(len(m.deck), func(i, j int) { m.deck[i], m.deck[j] = m.deck[j], m.deck[i] })
}

// lose puts the loss of one connection into the deck.
func (m *mischief) lose(from, to node) {
	w := m.wires[[2]node{from, to}]
	f := fault{
		"loses its connection to " + string(to),
		func(*grid, *testing.T, node) { w.cut() }, func(*grid, *testing.T, node) { w.heal() },
	}
	m.deck = append(m.deck, func(t *testing.T) { m.fails(t, f, from) })
}

// some returns a random time up to most.
func (m *mischief) some(most time.Duration) time.Duration {
	return time.Duration(m.random.Int64N(int64(most)))
}

// fails causes one fault of at most 20 s, and of exactly that when it stops a process.
func (m *mischief) fails(t *testing.T, f fault, n node) {
	t.Helper()
	lasts := time.Second + m.some(19*time.Second)
	if f.name == "is stopped" {
		lasts = 20 * time.Second
	}
	m.breakOne()
	m.watch(t, time.Now().Add(m.some(4*time.Second)))
	began := time.Now()
	f.begin(m.grid, t, n)
	m.watch(t, began.Add(m.some(lasts)))
	m.breakOne()
	m.watch(t, began.Add(lasts))
	f.end(m.grid, t, n)
	ended := time.Now()
	m.checked(t, ended, promised+m.plan.interval)
	from := began.Add(-m.plan.interval) // the last check before counts
	gap, url, since := m.farm.gap(m.healthy(), from, time.Now())
	t.Logf("%s %s for %s: the longest time without a check was %s (%s, from %s on); all were checked again %s after its end",
		n, f.name, ended.Sub(began).Round(time.Millisecond), gap.Round(time.Millisecond), url,
		since.Sub(began).Round(time.Millisecond), time.Since(ended).Round(time.Millisecond))
	// One fault alone costs less than is promised for whatever happens: a checker's
	// session is over after 15 s, a coordinator's leases are taken over within 20.
	if gap > m.plan.interval+takeover+busy {
		t.Errorf("%s was not checked for %s when %s %s, want %s at most", url, gap, n, f.name, m.plan.interval+takeover)
	}
}

// breakOne lets one more site go down for good.
func (m *mischief) breakOne() {
	for len(m.down) < len(m.rows)/4 { // not more than looks like a storm
		r := m.rows[m.random.IntN(len(m.rows))]
		if !slices.Contains(m.down, r) {
			m.farm.become(r.url, http.StatusServiceUnavailable)
			m.down = append(m.down, r)
			return
		}
	}
}

// healthy lists the sites that never went down.
func (m *mischief) healthy() []string {
	return urls(slices.DeleteFunc(slices.Clone(m.rows), func(r row) bool { return slices.Contains(m.down, r) }))
}

// awaitTold waits until WordPress.com got these statuses of each of the sites.
func (g *grid) awaitTold(t *testing.T, rows []row, want ...int) {
	t.Helper()
	for _, r := range rows {
		g.inbox.awaitTold(t, r.url, patience, want...)
	}
}

// verdict compares what happened with what is promised.
func (m *mischief) verdict(t *testing.T, began, ended time.Time) {
	t.Helper()
	gap, url, since := m.farm.gap(m.healthy(), began, time.Now())
	t.Logf("within %s %d sites went down; the longest time without a check was %s", ended.Sub(began).Round(time.Second), len(m.down), gap.Round(time.Millisecond))
	if gap > m.plan.interval+promised {
		t.Errorf("%s was not checked for %s from %s on, want %s at most", url, gap, since.Format(time.TimeOnly), m.plan.interval+promised)
	}
	for _, r := range m.down {
		m.inbox.isTold(t, r.url, 0, 1)
	}
	if n := len(m.inbox.told()); n != 2*len(m.down) {
		t.Errorf("WordPress.com was told %d times of %d sites that went down and came back", n, len(m.down))
	}
	if n := m.hook.heardAll(t, m.events(t), everything); n != 2*len(m.down) {
		t.Errorf("%d changes were committed of %d sites that went down and came back", n, len(m.down))
	}
	for what, query := range map[string]string{
		"outages":       "SELECT COUNT(*) FROM jetmon_outages",
		"outages ended": "SELECT COUNT(*) FROM jetmon_outages WHERE end_ms > 0",
	} {
		if n := m.server.Query(t, query); n != fmt.Sprintln(len(m.down)) {
			t.Errorf("%s%s are in the database, want %d", n, what, len(m.down))
		}
	}
}
