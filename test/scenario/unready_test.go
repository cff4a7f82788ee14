package scenario

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

const (
	// unready is how long a coordinator may be without its database before it says that it
	// is not ready, and heard how soon its gateway knows.
	unready = 10 * time.Second
	heard   = time.Second
)

// A coordinator loses the database for a while. The gateway moves to the other one, which
// answers for all sites and accepts all edits, and returns afterwards.
func TestAGatewayLeavesACoordinatorThatHasLostItsDatabase(t *testing.T) {
	t.Parallel()
	g := lay(t, plan{coordinators: 2, sites: 60, interval: 4 * time.Second})
	g.balanced(t)
	g.checked(t, time.Now(), patience)
	victim, sites := g.owner(t)
	var addrs []string
	for _, n := range g.coordinators {
		addrs = append(addrs, g.addresses[n])
	}
	g.run(t, gateway, `msg=started.* role=gateway.* address=(\S+)`, "gateway", "--coordinator="+strings.Join(addrs, ","))
	c := newCallers(t, "http://"+g.addresses[gateway], sites, g.farm.sow(len(g.rows)))
	await(t, "both coordinators are called", patience, func() bool {
		return strings.Contains(c.fleet(t), `"node":"`+string(victim)+`"`)
	})

	c.begin()
	c.during(4 * time.Second)
	cut := time.Now().Add(-time.Second) // what began then may still have been under way
	g.wire(t, victim, database).cut()
	c.during(unready + heard)
	if g.health(t, victim) != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("%s says that it serves %s after it lost the database", victim, unready+heard)
	}
	c.during(12 * time.Second) // longer than the gateway waits for an answer
	healed := time.Now()
	g.wire(t, victim, database).heal()
	await(t, "it serves again", patience, func() bool { return g.health(t, victim) == healthpb.HealthCheckResponse_SERVING })
	t.Logf("it serves again %s after the database was back", time.Since(healed).Round(time.Millisecond))
	c.during(2 * time.Second)
	calls := c.end()
	await(t, "it is called again", patience, func() bool {
		return strings.Contains(c.fleet(t), `"node":"`+string(victim)+`"`)
	})

	log := g.processes[victim].out.String()
	told := cut.Add(time.Second + unready + heard)
	before, first := calls.between(t, time.Time{}, cut, log), calls.between(t, cut, told, log)
	away, back := calls.between(t, told, healed, log), calls.between(t, healed, time.Now(), log)
	t.Logf("before %+v, until the gateway knew %+v, then %+v, with the database back %+v", before, first, away, back)
	if first.there == 0 || first.failed*10 > first.all*6 {
		t.Errorf("before the coordinator said that it is not ready: %+v, want that about half failed, there", first)
	}
	if away.there != 0 {
		t.Errorf("then: %+v, want that none went there", away)
	}
	// The other coordinator answers all. That a busy machine lets it wait too long for its own
	// database, or for a row that the lost transactions of the first one still hold, is rare.
	for _, s := range []span{before, away, back} {
		if s.failed*10 > s.all {
			t.Errorf("with a coordinator that has its database: %+v, want that none failed, or very few", s)
		}
	}
	if min(before.all, first.all, away.all) < 20 {
		t.Errorf("the story tells too little: %+v before, %+v at first, %+v then", before, first, away)
	}
}

// health returns the gRPC health of a coordinator as a whole.
func (g *grid) health(t *testing.T, n node) healthpb.HealthCheckResponse_ServingStatus {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	resp, err := healthpb.NewHealthClient(dial(t, g.addresses[n])).Check(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Errorf("the health of %s: %v", n, err)
	}
	return resp.GetStatus()
}

// callers keep calling a gateway by REST, however long the answers take.
type callers struct {
	rest   string
	fresh  string // URL of sites to add
	client *http.Client
	paths  []string
	stop   chan struct{}
	all    sync.WaitGroup

	mu    sync.Mutex
	calls calls
}

type calls []call

// call is one call and its result.
type call struct {
	what   string
	began  time.Time
	took   time.Duration
	answer string
	good   bool
}

// callEvery is the time between the beginnings of two calls.
const callEvery = 100 * time.Millisecond

func newCallers(t *testing.T, rest string, sites []row, fresh string) *callers {
	t.Helper()
	c := &callers{rest: rest, fresh: fresh, client: &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}, stop: make(chan struct{})}
	for _, s := range sites[:3] {
		c.paths = append(c.paths,
			fmt.Sprintf("GET /v1/sites/%d", s.id), "GET /v1/sites?page_size=20", "GET /v1/fleet", "GET /v1/outages",
			fmt.Sprintf(`PATCH /v1/sites/%d {"check_interval":"60s"}`, s.id))
	}
	t.Cleanup(func() {
		c.end()
		c.client.CloseIdleConnections()
	})
	return c
}

func (c *callers) fleet(t *testing.T) string {
	t.Helper()
	return c.do("GET /v1/fleet").answer
}

// do makes one call.
func (c *callers) do(what string) call {
	method, rest, _ := strings.Cut(what, " ")
	path, body, _ := strings.Cut(rest, " ")
	done := call{what: what, began: time.Now()}
	req, err := http.NewRequest(method, c.rest+path, strings.NewReader(body))
	if err == nil {
		req.Header.Set("Content-Type", "application/json")
		var resp *http.Response
		if resp, err = c.client.Do(req); err == nil {
			var text []byte
			text, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			done.answer, done.good = string(text), resp.StatusCode == http.StatusOK
		}
	}
	if err != nil {
		done.answer, done.good = err.Error(), false
	}
	done.took = time.Since(done.began)
	return done
}

// begin calls in the background until end.
func (c *callers) begin() {
	c.all.Go(func() {
		tick := time.NewTicker(callEvery)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-c.stop:
				return
			case <-tick.C:
			}
			what := c.paths[i%len(c.paths)]
			if i%10 == 0 { // neighbours are in different shards
				what = fmt.Sprintf(`POST /v1/sites {"url":%q,"blog_id":"%d"}`, c.fresh, 1000+37*i)
			}
			c.all.Go(func() {
				done := c.do(what)
				c.mu.Lock()
				defer c.mu.Unlock()
				c.calls = append(c.calls, done)
			})
		}
	})
}

// during lets the callers run for a while.
func (c *callers) during(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// end waits for the running calls, and returns all calls.
func (c *callers) end() calls {
	select {
	case <-c.stop:
	default:
		close(c.stop)
	}
	c.all.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// span counts the calls that began in a span of time: all, those that failed, and those of them
// that a certain node has on record as failed there.
type span struct{ all, failed, there int }

var requestID = regexp.MustCompile(`"request_id":"(\w+)"`)

// between counts calls; log is that of the node.
func (all calls) between(t *testing.T, from, to time.Time, log string) (s span) {
	t.Helper()
	for _, one := range all {
		if one.began.Before(from) || !one.began.Before(to) {
			continue
		}
		s.all++
		if one.good {
			continue
		}
		s.failed++
		id := requestID.FindStringSubmatch(one.answer)
		there := id != nil && strings.Contains(log, "request_id="+id[1])
		if there {
			s.there++
		}
		t.Logf("%s failed after %s, there: %t: %s", one.what, one.took.Round(time.Millisecond), there, strings.TrimSpace(one.answer))
	}
	return s
}
