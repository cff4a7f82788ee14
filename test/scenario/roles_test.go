package scenario

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/fakesite"
	"github.com/Automattic/jetmon/test/mariadb"
)

// roles runs the four roles as real processes over TCP.
type roles struct {
	database string
	running
}

func startRolesOnSQLite(t *testing.T, o setup, b *inbox) harness {
	t.Helper()
	return startRoles(t, o, b, "sqlite:"+filepath.Join(t.TempDir(), "jetmon.db"))
}

func startRolesOnMariaDB(t *testing.T, o setup, b *inbox) harness {
	t.Helper()
	return startRoles(t, o, b, mariadb.Start(t))
}

// startRoles does what the README's tour does.
func startRoles(t *testing.T, o setup, b *inbox, dsn string) *roles {
	t.Helper()
	h := &roles{database: dsn, running: newRunning()}
	if code, _, stderr := run(t, "migrate", "--db="+dsn); code != 0 {
		t.Fatalf("jetmon migrate: exit code %d: %s", code, stderr)
	}
	if o.before != nil {
		o.before(t, dsn)
	}
	coordinate := append([]string{
		"coordinator", "--node=coordinator", "--db=" + dsn,
		"--time-between-checks=" + o.recheck.String(), "--wpcom-url=" + b.URL(),
	}, o.flags...)
	if o.noUpdates {
		coordinate = append(coordinate, "--db-edits") // callers edit sites in every story
	} else {
		coordinate = append(coordinate, "--db-updates")
	}
	if o.token != "" {
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(o.token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		coordinate = append(coordinate, "--wpcom-token-file="+file)
	}
	for i, region := range []string{"europe", "america", "asia"} {
		n := verifliers()[i]
		args := []string{"veriflier", "--name=" + string(n), "--region=" + region, "--allow-private"}
		h.run(t, n, `msg=started.* role=veriflier.* address=(\S+)`, withResolver(args, o.veriflierDNS)...)
		coordinate = append(coordinate, fmt.Sprintf("--veriflier=name=%s,region=%s,addr=%s", n, region, h.addresses[n]))
	}
	h.run(t, coordinator, `msg=started.* role=coordinator.* address=(\S+)`, coordinate...)
	serving(t, h.addresses[coordinator])
	for _, n := range checkers() {
		args := []string{"checker", "--node=" + string(n), "--allow-private", "--coordinator=" + h.addresses[coordinator]}
		h.run(t, n, `msg=started.* role=checker()`, withResolver(args, o.checkerDNS)...)
	}
	h.run(t, gateway, `msg=started.* role=gateway.* address=(\S+)`, "gateway", "--coordinator="+h.addresses[coordinator])
	return h
}

func withResolver(args []string, resolver string) []string {
	if resolver != "" {
		args = append(args, "--resolver="+resolver)
	}
	return args
}

func (h *roles) restURL() string         { return "http://" + h.addresses[gateway] }
func (h *roles) coordinatorAddr() string { return h.addresses[coordinator] }
func (h *roles) veriflierAddr() string   { return h.addresses[veriflier1] }
func (h *roles) dsn() string             { return h.database }
func (h *roles) log(n node) string       { return h.processes[n].out.String() }

func (h *roles) crash(t *testing.T, n node) { h.processes[n].kill(t) }

func (h *roles) start(t *testing.T, n node) {
	t.Helper()
	h.processes[n].start(t)
	if n == coordinator {
		serving(t, h.addresses[coordinator])
	}
}

// hurry edits the site, because an edited site is checked at once and intervals are a minute
// at least. It pauses an undecided site, which then starts anew.
func (h *roles) hurry(t *testing.T, id string) {
	t.Helper()
	r := rest{h.restURL()}
	if s := r.site(t, id); s.HoldReason != "" {
		r.patch(t, id, `{"paused":true}`)
	}
	r.patch(t, id, `{"paused":false}`)
}

// dev runs `jetmon dev`: one process is every node.
type dev struct {
	process   *process
	addresses [3]string // REST, coordinator, first veriflier
	database  string
}

func startDev(t *testing.T, o setup, b *inbox) harness {
	t.Helper()
	return startDevWith(t, b, "--site="+fakesite.New(t).URL(), "--interval=1s", "--recheck="+o.recheck.String())
}

// startDevWith starts `jetmon dev`, which may visit sites on loopback.
func startDevWith(t *testing.T, b *inbox, args ...string) *dev {
	t.Helper()
	return startPublicDev(t, b, append([]string{"--allow-private", "--demo=false"}, args...)...)
}

// startPublicDev starts `jetmon dev` on free ports, which it keeps across restarts.
func startPublicDev(t *testing.T, b *inbox, args ...string) *dev {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jetmon.db")
	h := &dev{database: "sqlite:" + path}
	args = append([]string{"dev", "--log-level=info", "--db=" + path, "--wpcom=" + b.URL()}, args...)
	h.process = &process{
		name: "jetmon dev", ready: regexp.MustCompile(`(?s)REST +http://(\S+)/v1/sites.*Ctrl-C`),
		args: append(args, "--http=127.0.0.1:0", "--grpc=127.0.0.1:0", "--veriflier=127.0.0.1:0"),
	}
	t.Cleanup(func() { h.process.kill(t) })
	h.addresses[0] = h.process.start(t)
	said := regexp.MustCompile(`gRPC +(\S+) coordinator, (\S+) veriflier-1`).FindStringSubmatch(h.process.out.String())
	if said == nil {
		t.Fatalf("jetmon dev does not say where gRPC is:\n%s", h.process.out)
	}
	h.addresses[1], h.addresses[2] = said[1], said[2]
	h.process.args = append(args, "--http="+h.addresses[0], "--grpc="+h.addresses[1], "--veriflier="+h.addresses[2])
	serving(t, h.addresses[1])
	return h
}

func (h *dev) restURL() string         { return "http://" + h.addresses[0] }
func (h *dev) coordinatorAddr() string { return h.addresses[1] }
func (h *dev) veriflierAddr() string   { return h.addresses[2] }
func (h *dev) dsn() string             { return h.database }
func (h *dev) log(node) string         { return h.process.out.String() }

func (h *dev) hurry(*testing.T, string) {} // a second is soon enough

func (h *dev) crash(t *testing.T, _ node) { h.process.kill(t) }

func (h *dev) start(t *testing.T, _ node) {
	t.Helper()
	h.process.start(t)
	serving(t, h.addresses[1])
}

// terminateAll sends SIGTERM to all processes at once, and checks that they end.
func (h *roles) terminateAll(t *testing.T) {
	t.Helper()
	asked := time.Now()
	for _, p := range h.processes {
		p.terminate(t)
	}
	for _, p := range h.processes {
		p.finished(t, asked)
	}
}

// startAll starts all processes again.
func (h *roles) startAll(t *testing.T) {
	t.Helper()
	for _, n := range append(append(verifliers(), coordinator), append(checkers(), gateway)...) {
		h.start(t, n)
	}
	await(t, "the gateway reaches the coordinator", patience, func() bool {
		code, _, err := rest{h.restURL()}.do(t, http.MethodGet, "/v1/fleet", "", "")
		return err == nil && code == http.StatusOK
	})
}
