package main

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/mariadb"
)

// asked asks a gateway and returns its answer and how long it took.
func asked(t *testing.T, method, url, body string) (resp *http.Response, text string, took time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	began := time.Now()
	resp, err = (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(raw), time.Since(began)
}

// becomes waits until a path answers with a status.
func becomes(t *testing.T, url string, status int) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(45 * time.Second); ; <-tick.C {
		resp, text, _ := asked(t, http.MethodGet, url, "")
		if resp.StatusCode == status {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is %d %s, want %d", url, resp.StatusCode, text, status)
		}
	}
}

func TestADatabaseThatIsAwayIsToldInTimeAndInOurWords(t *testing.T) {
	t.Parallel()
	server := mariadb.NewServer(t)
	db := "--db=" + server.DSN()
	if code, _, stderr := run(t, nil, "migrate", db); code != exitOK {
		t.Fatalf("migrate: exit code %d: %s", code, stderr)
	}
	c := start(t, "coordinator", "--listen=127.0.0.1:0", "--veriflier=name=v,region=eu,addr=127.0.0.1:1", db, "--db-updates", "--log-level=info")
	api := c.errs.find(t, `msg=started.* role=coordinator.* address=(\S+)`)
	g := start(t, "gateway", "--listen=127.0.0.1:0", "--coordinator="+api, "--log-level=info")
	base := "http://" + g.errs.find(t, `msg=started.* role=gateway.* address=(\S+)`)
	becomes(t, base+"/readyz", 200)
	if resp, text, _ := asked(t, "POST", base+"/v1/sites", `{"url":"https://example.com/","blog_id":"7"}`); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, text)
	}
	private := regexp.MustCompile(`\d+\.\d+\.\d+\.\d+|\d:\d{4}|dial|tcp|mysql|driver|connection|EOF|i/o|context|SQL`)
	ids := regexp.MustCompile(`"request_id":"[A-Z2-7]+"`) // which may spell anything
	check := func(how string) {
		for _, ask := range [][3]string{
			{"GET", "/v1/sites", ""}, {"GET", "/v1/sites/1", ""}, {"GET", "/v1/outages", ""}, {"GET", "/v1/sites/1:explain", ""},
			{"POST", "/v1/sites", `{"url":"https://example.org/","blog_id":"7"}`}, {"PATCH", "/v1/sites/1", `{"paused":true}`},
			{"DELETE", "/v1/sites/1", ""}, {"GET", "/wpcom/v2/sites/7/jetpack-monitor-status", ""}, {"POST", "/v1/sites/1:diagnose", ""},
		} {
			resp, text, took := asked(t, ask[0], base+ask[1], ask[2])
			if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || took > 4*time.Second {
				t.Errorf("%s: %s %s: %d %s after %v", how, ask[0], ask[1], resp.StatusCode, text, took)
			}
			if found := private.FindString(ids.ReplaceAllString(text, "")); found != "" {
				t.Errorf("%s: %s %s shows %q: %s", how, ask[0], ask[1], found, text)
			}
		}
		if resp, text, took := asked(t, "GET", base+"/v1/fleet", ""); resp.StatusCode != 200 || took > 4*time.Second {
			t.Errorf("%s: the fleet, which on-call needs now: %d %s after %v", how, resp.StatusCode, text, took)
		}
		began := time.Now()
		becomes(t, base+"/readyz", 503)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: /readyz said so after %v more", how, took)
		}
	}
	server.Pause(t)
	check("stopped")
	server.Resume(t)
	becomes(t, base+"/readyz", 200)
	becomes(t, base+"/v1/sites/1", 200)
	server.Kill(t)
	check("killed")
	server.Restart(t)
	becomes(t, base+"/readyz", 200)
	becomes(t, base+"/v1/sites/1", 200)
}
