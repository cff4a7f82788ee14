package v1stats_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/coordinator/edge/v1stats"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/engine/tally"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is an engine that did the same in each interval.
type running struct{}

func (running) Summary(time.Time) engine.Summary {
	return engine.Summary{Sites: 1000, Queued: 3, Parked: 4, Open: 17, Checkers: []engine.CheckerView{
		{Node: "a", Open: 10}, {Node: "b"}, {Node: "c", Open: 1, Quarantined: time.Unix(1, 0)},
	}}
}

func (running) TakeResults() *tally.Counts {
	var t tally.Tally
	t.Start()
	note := func(n int, status check.Status, took time.Duration, o check.Observation) {
		o.Timing.Total = took
		for range n {
			t.Note(status, &o)
		}
	}
	note(40, check.StatusRunning, 20*time.Millisecond, check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 200})
	note(2, check.StatusRunning, 50*time.Millisecond, check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 301})
	note(3, check.StatusRunning, time.Second, check.Observation{Outcome: check.OutcomeDown, HTTPStatus: 503, Failure: check.FailureServer})
	note(1, check.StatusDown, 20*time.Second, check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureTimeout})
	note(5, check.StatusConfirmedDown, time.Millisecond, check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureDNS, Reason: "nxdomain"})
	note(1, check.StatusRunning, 0, check.Observation{Outcome: check.OutcomeUnknown})
	return t.Take()
}

// receiver is a UDP socket that collects lines.
func receiver(t *testing.T) (addr string, lines func() []string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.LocalAddr().String(), func() []string {
		var all []string
		buf := make([]byte, 65536)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, strings.Split(strings.TrimSpace(string(buf[:n])), "\n")...)
			if slices.ContainsFunc(all, func(l string) bool { return strings.Contains(l, "parent.memory") }) {
				return all
			}
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		}
	}
}

// report runs a reporter for one report, that of its end.
func report(t *testing.T, o v1stats.Options) {
	t.Helper()
	o.Engine, o.Every, o.Log = running{}, time.Hour, slog.New(slog.DiscardHandler)
	o.Resident = func() int64 { return 123456789 }
	r, err := v1stats.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	r.Reloaded()
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// mask is for what depends on the clock.
func mask(line string) string {
	return regexp.MustCompile(`(sps\.count:)\d+`).ReplaceAllString(line, "${1}N")
}

func TestStatsDGetsV1sNames(t *testing.T) {
	t.Parallel()
	addr, lines := receiver(t)
	report(t, v1stats.Options{StatsD: addr, Prefix: v1stats.Prefix("jetmon1.bur.example.com")})
	got := lines()
	for i, line := range got {
		got[i] = mask(line)
	}
	want := `config_reload.count:1|c
round.sites.count:1000|c
round.sps.count:N|c
worker.queue.active:10|c
worker.queue.queue_size:7|c
stats.sites.sps.count:N|c
stats.sites.error.count:4|c
stats.sites.offline.count:5|c
stats.sites.success.count:42|c
stats.sites.total.count:52|c
stats.sites.queue.count:7|c
stats.workers.free.count:1|c
stats.workers.working.count:1|c
stats.workers.halting.count:1|c
worker.spawn.new.count:3|c
worker.check.up.code.200.count:40|c
worker.check.up.code.301.count:2|c
worker.check.up.rtt.avg:21|ms
worker.check.up.rtt.max:50|ms
worker.check.up.rtt.min:20|ms
worker.check.down.code.0.count:1|c
worker.check.down.code.503.count:3|c
worker.check.down.error_code.998.count:1|c
worker.check.down.rtt.avg:5750|ms
worker.check.down.rtt.max:20000|ms
worker.check.down.rtt.min:1000|ms
worker.check.still_down.code.0.count:5|c
worker.check.still_down.error_code.995.count:5|c
worker.check.still_down.rtt.avg:1|ms
worker.check.still_down.rtt.max:1|ms
worker.check.still_down.rtt.min:1|ms
worker.check.unknown.code.0.count:1|c
worker.check.unknown.error_code.998.count:1|c
worker.check.unknown.rtt.avg:0|ms
worker.check.unknown.rtt.max:0|ms
worker.check.unknown.rtt.min:0|ms
stats.parent.memory:123456789|ms`
	for i, line := range strings.Split(want, "\n") {
		want := "com.jetpack.jetmon.bur.jetmon1." + line
		if i >= len(got) || got[i] != want {
			t.Fatalf("line %d is not %s of\n%s", i, want, strings.Join(got, "\n"))
		}
	}
	known := v1stats.Names()
	for _, line := range got {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "com.jetpack.jetmon.bur.jetmon1."), ":")
		if !slices.ContainsFunc(known, func(n v1stats.Name) bool {
			pattern := strings.NewReplacer(".", `\.`, "CLASS", "(up|down|still_down|unknown)", "CODE", `\d+`, "N", `\d+`).Replace(n.Name)
			return n.Here != "" && regexp.MustCompile("^"+pattern+"$").MatchString(name)
		}) {
			t.Errorf("%s is sent, and is no name of v1", name)
		}
	}
}

// changing is an engine whose checkers come and go.
type changing struct {
	running
	calls int
}

func (c *changing) Summary(now time.Time) engine.Summary {
	c.calls++
	sum := c.running.Summary(now)
	sum.Checkers = sum.Checkers[c.calls%2:]
	return sum
}

func TestEachNameThatIsSaidToBeSentIsSent(t *testing.T) {
	t.Parallel()
	addr, lines := receiver(t)
	r, err := v1stats.New(v1stats.Options{
		Engine: &changing{}, StatsD: addr, Prefix: "p.", Every: 20 * time.Millisecond,
		Resident: func() int64 { return 1 }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Reloaded()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = r.Run(ctx) })
	defer running.Wait()
	defer stop()
	var got []string
	for !slices.ContainsFunc(got, func(l string) bool { return strings.Contains(l, "worker.delete.count") }) {
		got = append(got, lines()...)
	}
	for _, n := range v1stats.Names() {
		pattern := regexp.MustCompile("^" + regexp.QuoteMeta("p.") +
			strings.NewReplacer(".", `\.`, "CLASS", "(up|down|still_down|unknown)", "CODE", `\d+`, "N", `\d+`).Replace(n.Name) + ":")
		if sent := slices.ContainsFunc(got, pattern.MatchString); sent != (n.Here != "") {
			t.Errorf("%s: sent is %t", n.Name, sent)
		}
	}
}

func TestEveryNameOfV1IsSentOrHasAnAnswer(t *testing.T) {
	t.Parallel()
	for _, n := range v1stats.Names() {
		if (n.Here == "") == (n.Instead == "") {
			t.Errorf("%s: %+v", n.Name, n)
		}
	}
}

func TestPrefixesAreMadeOfTwoLabels(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"node.dc.example.com": "com.jetpack.jetmon.dc.node.", "node.dc": "com.jetpack.jetmon.dc.node.", "node": "com.jetpack.jetmon.node.",
	} {
		if got := v1stats.Prefix(host); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}

func TestTheFilesAreV1s(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	report(t, v1stats.Options{Dir: dir})
	got := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = regexp.MustCompile(`second: [\d.]+`).ReplaceAllString(string(text), "second: N")
	}
	want := map[string]string{
		"sitespersec": "sites per second: N\n",
		"sitesqueue":  "sites in queue: 7\n",
		"totals":      "working : 1\nwaiting : 1\nhalting : 1\nerror   : 4\noffline : 5\nsuccess : 42\ntotal   : 52\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestEachChangeIsALineOfV1sLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "status-change.log")
	l, err := v1stats.OpenChangeLog(path, map[string]string{"eu": "eu.example.com"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 5, 13, 12, 0, 0, 123e6, time.UTC)
	change := record.Change{BlogID: 7, URL: "https://example.com/?a=1&b=<2>", From: 1, To: 0, At: at, LastCheck: at, Checks: []record.LocalCheck{
		{Node: "c1", Observation: check.Observation{Outcome: check.OutcomeDown, HTTPStatus: 503, Failure: check.FailureServer}},
		{Node: "eu", Veriflier: true, Observation: check.Observation{Outcome: check.OutcomeDown, HTTPStatus: 503, Failure: check.FailureServer}},
	}}
	l.Changed(change)
	moved := path + ".1"
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	change.From, change.To, change.Checks = 0, 2, nil
	l.Changed(change)
	change.From, change.To = 2, 1
	l.Changed(change)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	const json = `{"blog_id":7,"monitor_url":"https://example.com/?a=1&b=<2>","status_id":%,"last_check":"2026-05-13T12:00:00.123Z","last_status_change":null,"checks":[]}` + "\n"
	with := `[{"type":1,"host":"c1","status":0,"rtt":0,"code":503,"error_code":0},{"type":2,"host":"eu.example.com","status":0,"rtt":0,"code":503}]`
	const head = "[2026-05-13T12:00:00.123Z] [INFO] status_change - "
	for file, want := range map[string]string{
		moved: head + "site_down: " + strings.NewReplacer("%", "0", "[]", with).Replace(json),
		path:  head + "still_down: " + strings.Replace(json, "%", "2", 1) + head + "status_change: " + strings.Replace(json, "%", "1", 1),
	} {
		got, err := os.ReadFile(file)
		if err != nil || string(got) != want {
			t.Errorf("%s has %v\n%swant\n%s", filepath.Base(file), err, got, want)
		}
	}
}

func BenchmarkReport(b *testing.B) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	for b.Loop() {
		r, err := v1stats.New(v1stats.Options{
			Engine: running{}, StatsD: conn.LocalAddr().String(), Prefix: "p.", Dir: b.TempDir(), Every: time.Hour, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			b.Fatal(err)
		}
		ctx, stop := context.WithCancel(b.Context())
		stop()
		if err := r.Run(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func TestTheTableInTheDocsIsComplete(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/v1-metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range v1stats.Names() {
		here := n.Here
		if here == "" {
			here = "not sent: " + n.Instead
		}
		if row := "| `" + n.Name + "` | " + here + " |\n"; !strings.Contains(string(text), row) {
			t.Errorf("docs/v1-metrics.md has no row %s", row)
		}
	}
}
