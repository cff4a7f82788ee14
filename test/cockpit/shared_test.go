package cockpit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a story waits for what has no promised time, on a machine with much to do.
const patience = 20 * time.Second

// system is a running Jetmon.
type system struct {
	url   string // of the gateway, without a slash at the end
	admin string // a token that may do everything
	// flags of a gateway, for those who start another one.
	gatewayFlags []string
}

var shared = sync.OnceValues(startSystem)

// running returns the system that all stories share.
func running(t *testing.T) *system {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// processes are all that were started, in order.
var processes struct {
	sync.Mutex
	all []*exec.Cmd
}

func stopAll() {
	processes.Lock()
	defer processes.Unlock()
	for _, cmd := range processes.all {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// program is the path of the compiled program.
func program() string { return filepath.Join(workDir, "jetmon") }

func startSystem() (*system, error) {
	build := exec.Command("go", "build", "-C", "../..", "-buildvcs=false", "-o", program(), "./cmd/jetmon")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	accepted, own, err := roleTokens()
	if err != nil {
		return nil, err
	}
	dsn := "sqlite:" + filepath.Join(workDir, "jetmon.db")
	if _, err := output("migrate", "--db="+dsn); err != nil {
		return nil, err
	}
	admin, err := output("tokens", "create", "--db="+dsn, "--name=everything", "--scope=admin")
	if err != nil {
		return nil, err
	}
	wpcom, err := inbox()
	if err != nil {
		return nil, err
	}
	coordinate := []string{
		"coordinator", "--node=coordinator", "--db=" + dsn, "--db-updates", "--time-between-checks=200ms", "--rate-limit=0",
		"--wpcom-url=" + wpcom, "--diagnose-allow-private", "--diagnose-metadata-url=none", "--token-file=" + accepted, "--veriflier-token-file=" + own["coordinator"], "--listen=127.0.0.1:0",
	}
	for i, region := range []string{"europe", "america", "asia"} {
		name := fmt.Sprintf("veriflier-%d", i+1)
		addr, err := launch("veriflier", "--name="+name, "--region="+region, "--allow-private", "--token-file="+accepted, "--listen=127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		coordinate = append(coordinate, fmt.Sprintf("--veriflier=name=%s,region=%s,addr=%s", name, region, addr))
	}
	addr, err := launch(coordinate...)
	if err != nil {
		return nil, err
	}
	if _, err := launch("checker", "--node=checker-1", "--region=europe", "--allow-private", "--coordinator="+addr, "--coordinator-token-file="+own["checker"]); err != nil {
		return nil, err
	}
	s := &system{admin: tokenIn.FindString(admin), gatewayFlags: []string{"gateway", "--coordinator=" + addr, "--coordinator-token-file=" + own["gateway"]}}
	if s.url, err = s.startGateway("--listen=127.0.0.1:0"); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		fleet, status, err := s.do("GET", "/v1/fleet", s.admin, nil)
		if checkers, _ := fleet["checkers"].([]any); err == nil && status == http.StatusOK && len(checkers) == 1 {
			return s, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the system is not complete: %d %v %v", status, fleet, err)
		}
	}
}

// startGateway starts a gateway with more flags, and returns its URL.
func (s *system) startGateway(flags ...string) (string, error) {
	addr, err := launch(append(append([]string(nil), s.gatewayFlags...), flags...)...)
	return "http://" + addr, err
}

// roleTokens writes a file with the tokens of all roles, and one for each role with its own.
func roleTokens() (accepted string, own map[string]string, err error) {
	own = map[string]string{}
	var all strings.Builder
	for _, role := range []string{"coordinator", "checker", "gateway"} {
		line, err := output("tokens", "role", role)
		if err != nil {
			return "", nil, err
		}
		all.WriteString(line)
		own[role] = filepath.Join(workDir, role+".token")
		if err := os.WriteFile(own[role], []byte(line), 0o600); err != nil {
			return "", nil, err
		}
	}
	accepted = filepath.Join(workDir, "accepted")
	return accepted, own, os.WriteFile(accepted, []byte(all.String()), 0o600)
}

// inbox starts a WordPress.com that takes everything, and returns its URL.
func inbox() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"success":true}`) }))
	}()
	return "http://" + l.Addr().String() + "/", nil
}

// output runs the program to its end and returns what it wrote.
func output(args ...string) (string, error) {
	cmd := exec.Command(program(), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("jetmon %s: %w\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// log collects what a process writes, readable while it runs.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// tokenIn finds a token of the API in what made it.
var tokenIn = regexp.MustCompile(`jm_\w+`)

var started = regexp.MustCompile(`msg=started.* role=(?:checker|.* address=(\S+))`)

// launch starts a role, waits until it says that it has started, and returns its address.
func launch(args ...string) (string, error) {
	cmd, out := exec.Command(program(), args...), &log{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	processes.Lock()
	processes.all = append(processes.all, cmd)
	processes.Unlock()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if m := started.FindStringSubmatch(out.String()); m != nil {
			return m[1], nil
		}
	}
	return "", fmt.Errorf("jetmon %s does not start:\n%s", strings.Join(args, " "), out)
}

// do makes a call of the REST API.
func (s *system) do(method, path, token string, body any) (map[string]any, int, error) {
	var raw io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, 0, err
		}
		raw = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, s.url+path, raw)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer map[string]any
	err = json.NewDecoder(resp.Body).Decode(&answer)
	return answer, resp.StatusCode, err
}

// call makes a call as admin that must succeed.
func (s *system) call(t *testing.T, method, path string, body any) map[string]any {
	t.Helper()
	answer, status, err := s.do(method, path, s.admin, body)
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s %s: %d %v %v", method, path, status, answer, err)
	}
	return answer
}

// token makes a token of the API with some scopes.
func (s *system) token(t *testing.T, scopes ...string) string {
	t.Helper()
	made := s.call(t, "POST", "/v1/tokens", map[string]any{"name": "story", "scopes": scopes})
	return text(made["secret"])
}

// site adds a site with a URL and returns its id; more are other fields of it.
func (s *system) site(t *testing.T, url string, more map[string]any) string {
	t.Helper()
	body := map[string]any{"url": url, "check_interval": "60s"}
	for name, value := range more {
		body[name] = value
	}
	id := text(s.call(t, "POST", "/v1/sites", body)["site_id"])
	t.Cleanup(func() { s.call(t, "DELETE", "/v1/sites/"+id, nil) })
	return id
}

// hurry has a site checked now, instead of at the end of its interval: an edited site is.
func (s *system) hurry(t *testing.T, id string) {
	t.Helper()
	s.call(t, "PATCH", "/v1/sites/"+id, map[string]any{"paused": false})
}

// state waits until a site has one of these states, as SITE_STATE_UP.
func (s *system) state(t *testing.T, id string, want ...string) {
	t.Helper()
	var last string
	await(t, fmt.Sprintf("site %s is one of %v", id, want), func() bool {
		last = text(s.call(t, "GET", "/v1/sites/"+id, nil)["state"])
		for _, w := range want {
			if last == w {
				return true
			}
		}
		return false
	})
}

// await waits until done returns true.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

func text(v any) string { s, _ := v.(string); return s }
