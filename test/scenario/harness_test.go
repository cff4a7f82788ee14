package scenario

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/Automattic/jetmon/internal/cluster"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/tracing"
)

// node is one running role, by the name that all harnesses give it.
type node string

const (
	coordinator node = "coordinator"
	gateway     node = "gateway"
	checker1    node = "checker-1"
	checker2    node = "checker-2"
	veriflier1  node = "veriflier-1"
	veriflier2  node = "veriflier-2"
	veriflier3  node = "veriflier-3"
)

// checkers and verifliers list all of them; the verifliers are in three regions.
func checkers() []node   { return []node{checker1, checker2} }
func verifliers() []node { return []node{veriflier1, veriflier2, veriflier3} }

// harness is a running system. In one process a crash is an orderly end; as `jetmon dev` all
// nodes are one process.
type harness interface {
	// restURL is the gateway's base URL; the others are gRPC addresses.
	restURL() string
	coordinatorAddr() string
	veriflierAddr() string
	// start starts a crashed node and waits until it serves.
	start(t *testing.T, n node)
	// crash ends a node without warning.
	crash(t *testing.T, n node)
	// hurry makes the coordinator check a site now instead of at the end of its interval.
	hurry(t *testing.T, id string)
	// log returns the log of a node since its last start.
	log(n node) string
	// dsn is the coordinator's database.
	dsn() string
}

// setup describes the system that a story needs.
type setup struct {
	// recheck is the time between checks of a failing site; 0 means 200 ms.
	recheck time.Duration
	// checkerDNS and veriflierDNS are name servers; empty means the system's.
	checkerDNS, veriflierDNS string
	// token is sent to WordPress.com.
	token string
	// distance of the database, in one process only.
	distance time.Duration
	// anchors of all checkers and verifliers; regions of the verifliers, none means three;
	// prober, by its node, another one than the real. All in one process only.
	anchors []string
	regions []string
	prober  func(n node, real cluster.Prober) cluster.Prober
	// traces takes the spans of all roles, and of one good check in traceOneIn, in one process only.
	traces     *tracing.Recorder
	traceOneIn uint32
	// before acts on the database before the coordinator starts; flags are more flags of the
	// coordinator, and noUpdates leaves --db-updates out. All as roles only.
	before    func(t *testing.T, dsn string)
	flags     []string
	noUpdates bool
	// idle stories wait for a minute and do little, so they take no place.
	idle bool
}

// system is a running harness with its REST client and inbox.
type system struct {
	harness
	rest  rest
	inbox *inbox
}

// kind is one of the harnesses.
type kind struct {
	name  string
	start func(*testing.T, setup, *inbox) harness
}

func inProcess() kind      { return kind{"in one process", startInside} }
func asDev() kind          { return kind{"as jetmon dev", startDev} }
func asRoles() kind        { return kind{"as four roles on SQLite", startRolesOnSQLite} }
func asRolesMariaDB() kind { return kind{"as four roles on MariaDB", startRolesOnMariaDB} }

// tell runs a story on each kind of system, all at the same time.
func tell(t *testing.T, o setup, story func(*testing.T, system), kinds ...kind) {
	t.Helper()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			story(t, begin(t, k, o))
		})
	}
}

// begin starts a system. It ends with the test, and a failed test shows its log.
func begin(t *testing.T, k kind, o setup) system {
	t.Helper()
	if !o.idle {
		takePlace(t)
	}
	if o.recheck == 0 {
		o.recheck = 200 * time.Millisecond
	}
	b := newInbox(t)
	h := k.start(t, o, b)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the coordinator logged:\n%s", h.log(coordinator))
		}
	})
	s := system{harness: h, rest: rest{h.restURL()}, inbox: b}
	s.complete(t)
	return s
}

// complete waits until every node is present.
func (s system) complete(t *testing.T) {
	t.Helper()
	s.reachable(t)
	await(t, "both checkers are connected", patience, func() bool {
		return len(s.rest.fleet(t).Checkers) == len(checkers())
	})
}

// reachable waits until the gateway reaches the coordinator.
func (s system) reachable(t *testing.T) {
	t.Helper()
	await(t, "the gateway reaches the coordinator", patience, func() bool {
		code, _, err := s.rest.do(t, "GET", "/v1/fleet", "", "")
		return err == nil && code == 200
	})
}

// restart starts a crashed coordinator and waits until the system is complete.
func (s system) restart(t *testing.T) {
	t.Helper()
	s.start(t, coordinator)
	s.complete(t)
}

// checkedAgain waits for the given number of further checks of a site. A story in which
// nothing happens watches for that long.
func (s system) checkedAgain(t *testing.T, id string, times int) {
	t.Helper()
	last := s.rest.site(t, id).LastCheckTime
	for range times {
		s.hurry(t, id)
		await(t, "site "+id+" is checked again", patience, func() bool {
			now := s.rest.site(t, id).LastCheckTime
			later := now.After(last)
			if later {
				last = now
			}
			return later
		})
	}
}

// serving waits until a gRPC server's health is SERVING.
func serving(t *testing.T, addr string) {
	t.Helper()
	conn := dial(t, addr)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	await(t, addr+" serves", patience, func() bool {
		resp, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true))
		return err == nil && resp.GetStatus() == healthpb.HealthCheckResponse_SERVING
	})
}

func dial(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := rpc.Dial(addr, rpc.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
