package gateway_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/internal/cluster"
	"github.com/Automattic/jetmon/internal/obs"
)

// journal is a log that a test reads.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// whole starts a whole system, with a real coordinator, and returns the address of its
// gateway on TCP and the log of all roles.
func whole(t *testing.T) (addr string, log *journal) {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "jetmon.db"), sqlstore.Options{LegacyWrites: true, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log = &journal{}
	c, err := cluster.New(cluster.Options{
		Store: db, Policy: lifecycle.DefaultPolicy(), Notify: notify.Options{Disabled: true}, GatewayListener: l, Log: obs.NewLogger(log, slog.LevelDebug, "text"),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, ended := background(t, c.Run)
	failed := make(chan error, 1)
	go func() { failed <- ended() }()
	select {
	case <-c.Started():
	case err := <-failed:
		t.Fatal(err)
	}
	return l.Addr().String(), log
}

// heap is the memory in use after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestEachOfManyBadRequestsIsRefusedByItsReason(t *testing.T) {
	addr, log := whole(t)
	send := func(raw string) answer {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return rawly(t, conn, raw)
	}
	eventually(t, "the system is ready", func() bool { return send(spelled("GET", "/readyz", "")).status == 200 })
	if a := send(spelled("POST", "/v1/sites", `{"url":"https://site.example/","blog_id":"7","paused":true}`)); a.status != 200 || a.json["site_id"] != "1" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	before, good := heap(), send(spelled("GET", "/v1/sites", "")).body

	noise := regexp.MustCompile(`proto:|\(line|rpc error|strconv|type mismatch|parsing time|2006|goroutine|\.go:|net/http|127\.0\.0\.1:\d`)
	all := badRequests()
	for _, r := range headless() {
		sent := strings.Replace(r.sent, "Host: gateway", "Host: localhost", 1)
		all = append(all, request{sent, sent, r.message})
	}
	if len(all) < 600 {
		t.Errorf("only %d requests", len(all))
	}
	t.Logf("%d requests", len(all))
	statuses := map[int]int{}
	for _, r := range all {
		a := send(r.raw)
		statuses[a.status]++
		switch {
		case a.status < 400 || a.status >= 500:
			t.Errorf("%.150s: %d %.300s", r.name, a.status, a.body)
		case !a.isError() || a.message() == "" || a.header.Get("Content-Type") != "application/json" || a.header.Get("X-Request-Id") == "":
			t.Errorf("%.150s: not our form: %d %v %.300s", r.name, a.status, a.header, a.body)
		case !strings.Contains(a.message(), r.reason):
			t.Errorf("%.150s: %d does not say %q: %.300s", r.name, a.status, r.reason, a.body)
		case noise.MatchString(a.message()):
			t.Errorf("%.150s: %q is no word for users: %.300s", r.name, noise.FindString(a.message()), a.body)
		case len(a.body) > 8<<10:
			t.Errorf("%.150s: %d bytes", r.name, len(a.body))
		}
		if a.status == http.StatusNotFound && strings.Contains(a.message(), "no site") {
			t.Errorf("%.150s: reached the coordinator: %.300s", r.name, a.body)
		}
	}
	t.Logf("by status: %v", statuses)

	if after := heap(); after > before+8<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	if now := send(spelled("GET", "/v1/sites", "")).body; !slices.Equal(written(t, now), written(t, good)) || len(written(t, good)) != 1 {
		t.Errorf("they changed something: %s\nit was %s", now, good)
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "panic") || strings.Contains(line, "level=ERROR") {
			t.Error(line)
		}
	}
}

// written is what requests can change of the sites in a list.
func written(t *testing.T, list string) (all []string) {
	t.Helper()
	var page struct{ Sites []map[string]any }
	if err := json.Unmarshal([]byte(list), &page); err != nil {
		t.Fatal(err)
	}
	for _, site := range page.Sites {
		all = append(all, fmt.Sprint(site["site_id"], site["url"], site["blog_id"], site["paused"], site["check_interval"], site["settings"]))
	}
	return all
}
