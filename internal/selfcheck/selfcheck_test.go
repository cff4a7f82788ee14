package selfcheck_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/selfcheck"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network is a prober whose sites answer as the test sets them, after a delay.
type network struct {
	mu     sync.Mutex
	sites  map[string]func(context.Context) check.Observation
	probed int
}

func (n *network) Probe(ctx context.Context, t check.Target) check.Observation {
	n.mu.Lock()
	n.probed++
	answer := n.sites[t.URL]
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	return answer(ctx)
}

func (n *network) set(url string, answer func(context.Context) check.Observation) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sites[url] = answer
}

func up(context.Context) check.Observation {
	return check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 200}
}

func down(context.Context) check.Observation {
	return check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureConnect, Reason: "unreachable"}
}

func silent(ctx context.Context) check.Observation {
	<-ctx.Done()
	return check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureTimeout, Detail: "no answer in time"}
}

const one, two = "https://one.example/", "https://two.example/"

func start(t *testing.T, n *network, every time.Duration) *selfcheck.Monitor {
	t.Helper()
	m, err := selfcheck.New(selfcheck.Options{
		Prober: n, Anchors: []string{one, two}, Every: every, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := m.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return m
}

func TestHealthFollowsTheAnchors(t *testing.T) {
	t.Parallel()
	blocked := func(context.Context) check.Observation {
		return check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureServer, HTTPStatus: 502}
	}
	tests := []struct {
		name     string
		one, two func(context.Context) check.Observation
		healthy  bool
		detail   string
	}{
		{"both answer", up, up, true, ""},
		{"one answers", down, up, true, ""},
		{"one answers and the other is silent", up, silent, true, ""},
		{"none answers", down, down, false, one + ": unreachable"},
		{"all are silent", silent, silent, false, one + ": no answer in time"},
		{"an error page is no answer: it may be our own proxy's", blocked, blocked, false, one + ": HTTP status 502"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := start(t, &network{sites: map[string]func(context.Context) check.Observation{one: tt.one, two: tt.two}}, 0)
				time.Sleep(6 * time.Second) // virtual
				got := m.Report()
				if got.Healthy != tt.healthy || got.Anchors != 2 || !strings.Contains(got.Detail, tt.detail) || (got.Detail == "") != tt.healthy {
					t.Errorf("got %+v", got)
				}
			})
		})
	}
}

func TestAReportGetsOldAndRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &network{sites: map[string]func(context.Context) check.Observation{one: up, two: silent}}
		m, err := selfcheck.New(selfcheck.Options{Prober: n, Anchors: []string{one, two}, Every: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if r := m.Report(); r.Healthy || r.Detail == "" {
			t.Errorf("before the first round: %+v", r)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = m.Run(ctx) })
		synctest.Wait()
		if r := m.Report(); !r.Healthy || r.Age != 0 {
			t.Errorf("one answer is enough at once: %+v", r)
		}
		n.set(one, down)
		time.Sleep(16 * time.Second)
		if r := m.Report(); r.Healthy || r.Age != 3*time.Second {
			t.Errorf("after a round without an answer: %+v", r)
		}
		n.set(two, up)
		time.Sleep(5 * time.Second)
		if r := m.Report(); !r.Healthy || r.Age != time.Second {
			t.Errorf("after a round with one answer: %+v", r)
		}
		cancel()
		running.Wait()
		time.Sleep(29 * time.Second)
		if r := m.Report(); !r.Healthy || r.Age != 30*time.Second {
			t.Errorf("three periods later: %+v", r)
		}
		time.Sleep(time.Millisecond)
		if r := m.Report(); r.Healthy || r.Detail == "" {
			t.Errorf("more than three periods later: %+v", r)
		}
	})
}

func TestShutdownIsNoFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &network{sites: map[string]func(context.Context) check.Observation{one: up, two: up}}
		m, err := selfcheck.New(selfcheck.Options{Prober: n, Anchors: []string{one, two}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = m.Run(ctx) })
		synctest.Wait()
		n.set(one, silent)
		n.set(two, silent)
		time.Sleep(12 * time.Second) // in the middle of the second round
		cancel()
		running.Wait()
		if r := m.Report(); !r.Healthy {
			t.Errorf("a round that shutdown cut short was counted: %+v", r)
		}
	})
}

func TestWithoutAnchorsNothingIsMeasured(t *testing.T) {
	t.Parallel()
	m, err := selfcheck.New(selfcheck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r := m.Report(); r != (check.SelfCheck{Healthy: true}) {
		t.Errorf("got %+v", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Run(ctx); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestWrongOptionsAreRefused(t *testing.T) {
	t.Parallel()
	n := &network{}
	tests := []struct {
		name string
		o    selfcheck.Options
		want string
	}{
		{"an anchor that is no URL", selfcheck.Options{Prober: n, Anchors: []string{one, "nonsense"}}, `anchor "nonsense": must begin with http:// or https://`},
		{"a negative period", selfcheck.Options{Every: -1}, "must be positive"},
		{"no prober", selfcheck.Options{Anchors: []string{one}}, "need a prober"},
		{"too many anchors", selfcheck.Options{Prober: n, Anchors: make([]string, 17)}, "at most 16"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := selfcheck.New(tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want %q", err, tt.want)
			}
		})
	}
}

func (n *network) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.probed
}
