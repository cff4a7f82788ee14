package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

// daemon is a role in a process of its own, with a configuration file.
type daemon struct {
	cmd  *exec.Cmd
	errs *output
	file string
}

// startDaemon starts a role with a file of Jetmon's own.
func startDaemon(t *testing.T, role, text string, args ...string) *daemon {
	t.Helper()
	if !strings.Contains(text, "token-file:") && !strings.Contains(text, "tls-client-ca:") {
		args = append(args, "--insecure")
	}
	d := &daemon{file: write(t, "jetmon.yaml", text)}
	d.cmd, d.errs = startProcessUntil(t, context.WithoutCancel(t.Context()), append([]string{role, "--config=" + d.file}, args...)...)
	t.Cleanup(func() {
		if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := d.cmd.Wait(); err != nil {
			t.Errorf("%s: %v; stderr:\n%s", role, err, d.errs)
		}
	})
	return d
}

// reload replaces the file, sends SIGHUP, and returns what the process then logs, up to a
// line that matches.
func (d *daemon) reload(t *testing.T, text, until string) string {
	t.Helper()
	if err := os.WriteFile(d.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	before := len(d.errs.String())
	if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for re := regexp.MustCompile(until); ; {
		if got := d.errs.String()[before:]; re.MatchString(got) {
			return got
		}
		select {
		case <-d.errs.written:
		case <-ctx.Done():
			t.Fatalf("no %s in:\n%s", until, d.errs.String()[before:])
		}
	}
}

const reloaded = `msg="configuration reloaded, with its tokens and certificates" .*\n`

func TestAVeriflierReloadsItsTokensAndItsLogLevel(t *testing.T) {
	t.Parallel()
	tokens := write(t, "tokens", "coordinator "+oursToken+"\n")
	v := startDaemon(t, "veriflier", "listen: 127.0.0.1:0\ntoken-file: "+tokens+"\nname: v\n")
	addr := v.errs.find(t, `msg=started.* address=(\S+)`)
	conn := map[string]*grpc.ClientConn{}
	for _, token := range []string{oursToken, theirsToken} {
		c, err := rpc.Dial(addr, rpc.ClientOptions{Token: token})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conn[token] = c
	}
	ask := func(token string, want codes.Code) {
		t.Helper()
		_, err := veriflierv1.NewVeriflierServiceClient(conn[token]).Verify(t.Context(), &veriflierv1.VerifyRequest{
			RequestId: "x" + token, Target: &checkv1.Target{Url: "http://0.0.0.0/"},
		}, grpc.WaitForReady(true))
		if status.Code(err) != want {
			t.Errorf("token %s: %v, want %s", token, err, want)
		}
	}
	ask(oursToken, codes.OK)
	ask(theirsToken, codes.Unauthenticated)
	if err := os.WriteFile(tokens, []byte("caller "+theirsToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := v.reload(t, "listen: 127.0.0.1:0\ntoken-file: "+tokens+"\nname: other\nlog-level: debug\n", `only a restart applies it`)
	if !strings.Contains(log, "changed=[log-level]") || !strings.Contains(log, "flag=name") {
		t.Errorf("log:\n%s", log)
	}
	ask(oursToken, codes.Unauthenticated)
	ask(theirsToken, codes.OK)
	v.errs.find(t, `level=DEBUG`)

	log = v.reload(t, "listen: 127.0.0.1:0\ntoken-fil: x\n", `level=ERROR .*\n`)
	if !strings.Contains(log, "nothing changed") || !strings.Contains(log, "line 2: there is no flag token-fil; did you mean token-file?") {
		t.Errorf("log:\n%s", log)
	}
	ask(theirsToken, codes.OK)
}

// A coordinator takes other verifliers and another rule; its checker's session lasts.
func TestACoordinatorReloadsItsPanelAndItsRule(t *testing.T) {
	t.Parallel()
	db := "sqlite:" + filepath.Join(t.TempDir(), "jetmon.db")
	if code, _, stderr := run(t, nil, "migrate", "--db="+db); code != exitOK {
		t.Fatal(stderr)
	}
	var addrs []string
	for _, name := range []string{"v1", "v2"} {
		v := start(t, "veriflier", "--listen=127.0.0.1:0", "--name="+name)
		addrs = append(addrs, v.errs.find(t, `msg=started.* address=(\S+)`))
	}
	file := func(verifliers, more string) string {
		return "db: '" + db + "'\nlisten: 127.0.0.1:0\nnode: c\nno-notify: true\nveriflier:\n" + verifliers + more
	}
	one := "- name=v1,region=eu,addr=" + addrs[0] + "\n"
	two := one + "- {name: v2, region: us, addr: '" + addrs[1] + "'}\n"
	c := startDaemon(t, "coordinator", file(one, "log-level: info\n"))
	api := c.errs.find(t, `msg=started.* role=coordinator.* address=(\S+)`)
	checker := start(t, "checker", "--coordinator="+api, "--node=n", "--log-level=debug")
	conn, err := rpc.Dial(api, rpc.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fleet := func() *monitorv1.Fleet {
		t.Helper()
		resp, err := monitorv1.NewFleetServiceClient(conn).GetFleet(t.Context(), &monitorv1.GetFleetRequest{}, grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		return resp.GetFleet()
	}
	await := func(what string, is func(*monitorv1.Fleet) bool) *monitorv1.Fleet {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if f := fleet(); is(f) {
				return f
			}
		}
		t.Fatalf("waited in vain: %s; %v", what, fleet())
		return nil
	}
	ok := func(n int) func(*monitorv1.Fleet) bool {
		return func(f *monitorv1.Fleet) bool {
			good := 0
			for _, v := range f.GetVerifliers() {
				if v.GetState() == monitorv1.VeriflierState_VERIFLIER_STATE_OK {
					good++
				}
			}
			return len(f.GetVerifliers()) == n && good == n && len(f.GetCheckers()) == 1
		}
	}
	joined := await("one veriflier and a checker", ok(1)).GetCheckers()[0]

	log := c.reload(t, file(two, "log-level: debug\npeer-offline-limit: 2\ninterval: 60s\nbucket-max: 255\n"), `only a restart applies it`)
	if !strings.Contains(log, `changed="[interval log-level peer-offline-limit veriflier]"`) || !strings.Contains(log, "flag=bucket-max") || strings.Contains(log, "flag=veriflier") {
		t.Errorf("log:\n%s", log)
	}
	f := await("two verifliers", ok(2))
	if f.GetRule().GetVerifliers() != 2 || f.GetRule().GetNeed() != 2 {
		t.Errorf("rule %v", f.GetRule())
	}
	if n := f.GetCheckers()[0]; n.GetInstanceId() != joined.GetInstanceId() || !n.GetConnectTime().AsTime().Equal(joined.GetConnectTime().AsTime()) {
		t.Errorf("the checker's session was %v, is %v", joined, n)
	}
	log = c.reload(t, file(two, "peer-offline-limit: 3\n"), `level=ERROR .*\n`)
	if !strings.Contains(log, "is 3 with 2 verifliers: no outage could ever be confirmed") {
		t.Errorf("log:\n%s", log)
	}
	if f := fleet(); f.GetRule().GetNeed() != 2 || !ok(2)(f) {
		t.Errorf("an invalid file changed the fleet: %v", f)
	}
	if strings.Contains(checker.errs.String(), "session lost") {
		t.Errorf("the checker's log:\n%s", checker.errs)
	}
}

// Every role takes SIGHUP, also while it starts.
func TestEveryRoleReloads(t *testing.T) {
	t.Parallel()
	for role, text := range map[string]string{
		"checker": "coordinator: 127.0.0.1:1\n", "veriflier": "listen: 127.0.0.1:0\n",
		"gateway": "listen: 127.0.0.1:0\ncoordinator: 127.0.0.1:1\n",
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			d := startDaemon(t, role, text, "--debug-listen=127.0.0.1:0")
			d.errs.find(t, `msg="debug listener"`)
			d.reload(t, text+"log-level: debug\n", reloaded)
		})
	}
}

// A coordinator whose database is away waits for it, says so and is not ready.
func TestACoordinatorWaitsForItsDatabase(t *testing.T) {
	t.Parallel()
	cmd, errs := startProcess(t, "coordinator", "--db=mysql://u:hunter2@tcp(127.0.0.1:1)/jetmon", "--listen=127.0.0.1:0",
		"--veriflier=name=v,region=eu,addr=127.0.0.1:1", "--debug-listen=127.0.0.1:0")
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	debug := errs.find(t, `msg="debug listener".* address=(\S+)`)
	errs.find(t, `level=WARN msg="the database is away; nothing is checked until it is there" error=.*127.0.0.1:1.* attempt=2 again_in=1s`)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + debug + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	why, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(why), "127.0.0.1:1") || strings.Contains(string(why), "hunter2") {
		t.Errorf("/readyz: %s %q, %v", resp.Status, why, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("%v; stderr:\n%s", err, errs)
		}
	case <-time.After(15 * time.Second):
		t.Errorf("does not end; stderr:\n%s", errs)
		_ = cmd.Process.Kill()
	}
	if strings.Contains(errs.String(), "hunter2") {
		t.Error("the log shows the password")
	}
}

// What waiting does not mend ends the process at once.
func TestACoordinatorDoesNotWaitForAMigration(t *testing.T) {
	t.Parallel()
	code, _, stderr := run(t, nil, "coordinator", "--db=sqlite:"+filepath.Join(t.TempDir(), "absent.db"), "--listen=127.0.0.1:0", "--veriflier=name=v,region=eu,addr=127.0.0.1:1")
	if code == exitOK || strings.Contains(stderr, "is away") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

func TestCheckConfigTriesWhatACoordinatorNeeds(t *testing.T) {
	t.Parallel()
	db := "--db=sqlite:" + filepath.Join(t.TempDir(), "jetmon.db")
	if code, _, stderr := run(t, nil, "migrate", db); code != exitOK {
		t.Fatal(stderr)
	}
	token, wptoken := write(t, "token", "coordinator "+oursToken+"\n"), write(t, "wptoken", "secret\n")
	v := start(t, "veriflier", "--listen=127.0.0.1:0", "--name=Veriflier 1", "--token-file="+token)
	addr := v.errs.find(t, `msg=started.* address=(\S+)`)
	wpcom, taken := newSite(t), newSite(t)
	all := map[string]string{
		"db": db, "panel": "--veriflier=name=Veriflier 1,region=eu,addr=" + addr, "token": "--veriflier-token-file=" + token,
		"url": "--wpcom-url=http://" + wpcom + "/jetmon/", "wptoken": "--wpcom-token-file=" + wptoken, "insecure": "--insecure", "listen": "--listen=127.0.0.1:0",
	}
	for _, tt := range []struct {
		name, change, to string
		code             int
		want             []string
	}{
		{"all is well", "", "", exitOK, []string{"ok", "answers under its name", "SQLite, its schema is up to date", "reachable, without TLS", "0..511"}},
		{"a veriflier of another name", "panel", "--veriflier=name=eu1,region=eu,addr=" + addr, exitFailed, []string{`FAIL  veriflier`, `answered as "Veriflier 1"`}},
		{"a veriflier that is dead", "panel", "--veriflier=name=eu1,region=eu,addr=127.0.0.1:1", exitFailed, []string{`FAIL  veriflier`, "refused"}},
		{"a wrong token", "token", "--veriflier-token-file=" + write(t, "wrong", theirsToken+"\n"), exitFailed, []string{"FAIL  veriflier", "token is not accepted"}},
		{"a database that was not migrated", "db", "--db=sqlite:" + filepath.Join(t.TempDir(), "new.db"), exitFailed, []string{"FAIL  database"}},
		{"a database that is away", "db", "--db=mysql://u:hunter2@tcp(127.0.0.1:1)/jetmon", exitFailed, []string{"FAIL  database", "mysql://u@tcp(127.0.0.1:1)/jetmon", "refused"}},
		{"a replica that is away", "listen", "--db-read=mysql://u:hunter2@tcp(127.0.0.1:1)/jetmon", exitFailed, []string{"ok    database", "FAIL  replicas", "mysql://u@tcp(127.0.0.1:1)/jetmon", "refused"}},
		{"servers that are away", "db", "--db=mysql://u:hunter2@tcp(127.0.0.1:1,127.0.0.1:2)/jetmon", exitFailed, []string{"note  server", "127.0.0.1:2", "passed over", "FAIL  database", "mysql://u@tcp(127.0.0.1:1,127.0.0.1:2)/jetmon"}},
		{"a server that is away, beside one of an odd answer", "db", "--db=mysql://u:hunter2@tcp(127.0.0.1:1," + addr + ")/jetmon", exitFailed, []string{"note  server", "FAIL  database", addr}},
		{"replicas that are no database", "listen", "--db-read=hunter2", exitFailed, []string{"ok    database", "FAIL  replicas", "neither mysql:// nor sqlite:"}},
		{"an address in use", "listen", "--listen=" + taken, exitFailed, []string{"FAIL  listen", "in use"}},
		{"WordPress.com without TLS where there should be", "url", "--wpcom-url=https://" + wpcom + "/", exitFailed, []string{"FAIL  wordpress.com"}},
		{"no token for WordPress.com", "wptoken", "--log-level=info", exitFailed, []string{"FAIL  wordpress.com", "there is no token"}},
		{"a limit that no ballot reaches, and the rest is tried all the same", "listen", "--peer-offline-limit=3", exitFailed, []string{"FAIL  settings", "no outage could ever be confirmed", "ok    veriflier", "ok    wordpress.com"}},
		{"buckets that cut a shard", "listen", "--bucket-max=85", exitFailed, []string{"FAIL  settings", "0..79 or 0..95"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			args := []string{"coordinator", "--check-config"}
			for name, arg := range all {
				if name == tt.change {
					arg = tt.to
				}
				args = append(args, arg)
			}
			code, stdout, stderr := run(t, nil, args...)
			if code != tt.code {
				t.Errorf("exit code %d, want %d; %s%s", code, tt.code, stdout, stderr)
			}
			for _, want := range tt.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("does not say %q:\n%s", want, stdout)
				}
			}
			if strings.Contains(stdout, "hunter2") || strings.Contains(stdout, "secret") || strings.Contains(stdout, oursToken) {
				t.Errorf("shows a secret:\n%s", stdout)
			}
		})
	}
}

// newSite is a server that must not be sent a request; it returns its address.
func newSite(t *testing.T) string {
	t.Helper()
	l, err := rpc.TCP().Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 4)
			if n, _ := conn.Read(b); n > 0 && string(b[:n]) == "GET " {
				t.Error("a request was sent")
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}
