package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/test/mariadb"
)

// visits records when each path was asked for.
type visits struct {
	mu   sync.Mutex
	when map[string][]time.Time
}

func (v *visits) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.when[r.URL.Path] = append(v.when[r.URL.Path], time.Now())
}

// longest returns the longest time between two visits of one path, and the number of paths
// and visits since a time.
func (v *visits) longest(since time.Time) (gap time.Duration, paths, count int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, all := range v.when {
		paths++
		last := time.Time{}
		for _, at := range all {
			if at.Before(since) {
				continue
			}
			count++
			if !last.IsZero() {
				gap = max(gap, at.Sub(last))
			}
			last = at
		}
	}
	return gap, paths, count
}

// Reloads, one after the other and each with another rule and other tokens, make no check
// late and lose no session.
func TestNoCheckIsLateBecauseOfReloads(t *testing.T) {
	t.Parallel()
	seen := &visits{when: map[string][]time.Time{}}
	site := httptest.NewServer(seen)
	t.Cleanup(site.Close)
	db := "sqlite:" + filepath.Join(t.TempDir(), "jetmon.db")
	if code, _, stderr := run(t, nil, "migrate", "--db="+db); code != exitOK {
		t.Fatal(stderr)
	}
	file := func(n int) string {
		return "db: '" + db + "'\nlisten: 127.0.0.1:0\nnode: c\nno-notify: true\ndb-edits: true\ninterval: 1s\nchecks-per-host: 0\nnum-of-checks: " +
			strconv.Itoa(2+n%3) + "\nveriflier:\n- name=v" + strconv.Itoa(n%2) + ",region=eu,addr=127.0.0.1:1\n"
	}
	c := startDaemon(t, "coordinator", file(0))
	api := c.errs.find(t, `msg=started.* role=coordinator.* address=(\S+)`)
	checker := start(t, "checker", "--coordinator="+api, "--node=n", "--allow-private")
	answers(t, api)
	conn, err := rpc.Dial(api, rpc.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const sites = 50
	for i := range sites {
		if _, err := monitorv1.NewSiteServiceClient(conn).CreateSite(t.Context(), &monitorv1.CreateSiteRequest{
			Site: &monitorv1.Site{BlogId: int64(i + 1), Url: site.URL + "/" + strconv.Itoa(i)},
		}); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, paths, _ := seen.longest(time.Now()); paths == sites {
			break
		} else if time.Now().After(end) {
			t.Fatalf("only %d sites are checked", paths)
		}
	}
	calm := time.Now()
	time.Sleep(4 * time.Second)
	usual, _, _ := seen.longest(calm) // on a busy machine checks are late without reloads, too
	began := time.Now()
	const reloads = 30
	for n := range reloads {
		c.reload(t, file(n+1), reloaded)
		time.Sleep(100 * time.Millisecond)
	}
	gap, _, count := seen.longest(began)
	t.Logf("%d reloads in %s, %d checks of %d sites each second, longest gap %s; %s without reloads", reloads, time.Since(began).Round(time.Millisecond), count, sites, gap, usual)
	if gap > max(2*time.Second, 3*usual) {
		t.Errorf("a site that is due each second was not checked for %s, without reloads for %s", gap, usual)
	}
	if want := sites * int(time.Since(began)/time.Second-1) * 7 / 10; count < want {
		t.Errorf("%d checks, want %d", count, want)
	}
	if log := c.errs.String(); strings.Count(log, "checker joined") != 1 || strings.Contains(log, "only a restart") {
		t.Errorf("the coordinator's log:\n%s", log)
	}
	if strings.Contains(checker.errs.String(), "no session") {
		t.Errorf("the checker's log:\n%s", checker.errs)
	}
}

// The database comes while the coordinator waits for it.
func TestACoordinatorBeginsWhenItsDatabaseIsThere(t *testing.T) {
	t.Parallel()
	server := mariadb.NewServer(t)
	if code, _, stderr := run(t, nil, "migrate", "--db="+server.DSN()); code != exitOK {
		t.Fatal(stderr)
	}
	server.Kill(t)
	c := start(t, "coordinator", "--db="+server.DSN(), "--listen=127.0.0.1:0", "--veriflier=name=v,region=eu,addr=127.0.0.1:1", "--no-notify")
	c.errs.find(t, `msg="the database is away`)
	server.Restart(t)
	answers(t, c.errs.find(t, `msg=started.* role=coordinator.* address=(\S+)`))
}
