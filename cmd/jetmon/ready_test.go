package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// readyz asks a debug listener.
func readyz(t *testing.T, addr string) (code int, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// awaitReadyz waits for an answer.
func awaitReadyz(t *testing.T, addr string, wantCode int, wantText string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-tick.C {
		code, text := readyz(t, addr)
		if code == wantCode && strings.Contains(text, wantText) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("readyz is %d %q, want %d %q", code, text, wantCode, wantText)
		}
	}
}

func TestReadyzOfTheDebugListenerSaysWhyARoleCannotWork(t *testing.T) {
	t.Parallel()
	db := "--db=sqlite:" + filepath.Join(t.TempDir(), "jetmon.db")
	if code, _, stderr := run(t, nil, "migrate", db); code != exitOK {
		t.Fatalf("migrate: exit code %d: %s", code, stderr)
	}
	launch := func(args ...string) (r *running, debug string) {
		r = start(t, append(args, "--debug-listen=127.0.0.1:0", "--log-level=info")...)
		return r, r.errs.find(t, `msg="debug listener".* address=(\S+)`)
	}
	_, veriflier := launch("veriflier", "--listen=127.0.0.1:0", "--name=v", "--anchor=http://127.0.0.1:1/", "--allow-private")
	awaitReadyz(t, veriflier, 503, "its anchors do not answer")

	c, coordinator := launch("coordinator", "--listen=127.0.0.1:0", "--veriflier=name=v,region=eu,addr=127.0.0.1:1", db)
	api := c.errs.find(t, `msg=started.* role=coordinator.* address=(\S+)`)
	awaitReadyz(t, coordinator, 200, "ok")
	_, checker := launch("checker", "--coordinator="+api)
	awaitReadyz(t, checker, 200, "ok")
	_, gateway := launch("gateway", "--listen=127.0.0.1:0", "--coordinator="+api)
	awaitReadyz(t, gateway, 200, "ok")

	c.stop(t)
	awaitReadyz(t, checker, 503, "no coordinator")
	awaitReadyz(t, gateway, 503, "cannot be reached")

	_, dev := launch("dev", "--http=127.0.0.1:0", "--grpc=127.0.0.1:0", "--veriflier=127.0.0.1:0")
	awaitReadyz(t, dev, 200, "ok")
}

func TestReadyAsksTheRoleOfItsEnvironment(t *testing.T) {
	t.Parallel()
	r := start(t, "veriflier", "--insecure", "--listen=127.0.0.1:0", "--name=v", "--metrics-listen=127.0.0.1:0", "--log-level=info")
	addr := r.errs.find(t, `msg="metrics listener".* address=(\S+)`)
	awaitReadyz(t, addr, 200, "ok")
	_, port, _ := strings.Cut(addr, ":")
	for _, env := range []map[string]string{
		{"JETMON_METRICS_LISTEN": addr}, {"JETMON_METRICS_LISTEN": ":" + port}, {"JETMON_METRICS_LISTEN": "0.0.0.0:" + port},
		{"JETMON_DEBUG_LISTEN": addr, "JETMON_METRICS_LISTEN": "127.0.0.1:1"},
	} {
		if code, stdout, stderr := run(t, env, "ready"); code != exitOK || stdout != "ok\n" {
			t.Errorf("%v: exit code %d: %s%s", env, code, stdout, stderr)
		}
	}
	for path, want := range map[string]int{"/metrics": 200, "/healthz": 200, "/debug/pprof/": 404, "/debug/pprof/profile": 404} {
		if got := codeOf(t, "http://"+addr+path); got != want {
			t.Errorf("%s of --metrics-listen is %d, want %d", path, got, want)
		}
	}
	r.stop(t)
	if code, _, stderr := run(t, nil, "ready", "--metrics-listen="+addr); code != exitFailed || !strings.Contains(stderr, "nothing answers at "+addr) {
		t.Errorf("a role that has ended: exit code %d: %s", code, stderr)
	}
}

func TestReadyFailsWithTheReason(t *testing.T) {
	t.Parallel()
	r := start(t, "veriflier", "--insecure", "--listen=127.0.0.1:0", "--name=v", "--anchor=http://127.0.0.1:1/", "--allow-private", "--debug-listen=127.0.0.1:0", "--log-level=info")
	addr := r.errs.find(t, `msg="debug listener".* address=(\S+)`)
	awaitReadyz(t, addr, 503, "its anchors do not answer")
	if code, stdout, stderr := run(t, nil, "ready", "--debug-listen="+addr); code != exitFailed || stdout != "" || !strings.Contains(stderr, "not ready (503): ") || !strings.Contains(stderr, "its anchors do not answer") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	for _, args := range [][]string{{}, {"--debug-listen=6060"}, {"--debug-listen=127.0.0.1:0"}, {"--debug-listen=" + addr, "--timeout=0s"}} {
		if code, _, stderr := run(t, nil, append([]string{"ready"}, args...)...); code != exitUsage || stderr == "" {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
}

// Another program may listen where the role should: it is not the role, whatever it says.
func TestAnotherProgramIsNotReady(t *testing.T) {
	t.Parallel()
	for says, want := range map[string]string{
		"\x1b[31mwelcome": "another program", strings.Repeat("x", 1<<20): "another program", "": "another program",
	} {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, says) }))
		t.Cleanup(other.Close)
		code, stdout, stderr := run(t, nil, "ready", "--metrics-listen="+other.Listener.Addr().String())
		if code != exitFailed || stdout != "" || !strings.Contains(stderr, want) || len(stderr) > 1000 || strings.Contains(stderr, "\x1b") {
			t.Errorf("of one that says %.20q: exit code %d: %s%s", says, code, stdout, stderr)
		}
	}
	secret := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secret.Close)
	secret.Config.ErrorLog = log.New(io.Discard, "", 0)
	if code, _, stderr := run(t, nil, "ready", "--metrics-listen="+secret.Listener.Addr().String()); code != exitFailed || !strings.Contains(stderr, "HTTPS") {
		t.Errorf("of one that wants TLS: exit code %d: %s", code, stderr)
	}
}

// codeOf asks for a page and returns the code of the answer.
func codeOf(t *testing.T, url string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}
