package main

import (
	"context"
	"io"
	"net/http"
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
