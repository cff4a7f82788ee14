package selfcheck_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/selfcheck"
)

const (
	named  = "https://anchor.example/"
	four   = "http://192.0.2.1/"
	six    = "http://[2001:db8::1]/"
	aSite4 = "198.51.100.7:443"
	aSite6 = "[2001:db8::7]:443"
)

// over makes an anchor that answers over an address.
func over(address string) func(context.Context) check.Observation {
	return func(context.Context) check.Observation {
		return check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 204, ResolvedAddress: address}
	}
}

func notFound(context.Context) check.Observation {
	return check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureDNS, Phase: check.PhaseDNS, Reason: "servfail"}
}

type answers = map[string]func(context.Context) check.Observation

// begin runs a monitor of all of a network's sites; time is virtual.
func begin(t *testing.T, sites answers) (*selfcheck.Monitor, *network) {
	t.Helper()
	n := &network{sites: sites}
	o := selfcheck.Options{Prober: n}
	for url := range sites {
		o.Anchors = append(o.Anchors, url)
	}
	m, err := selfcheck.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return m, n
}

func TestEachWayIsToldOfByItsAnchors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		sites   answers
		healthy bool
		detail  string
	}{
		{"all ways work", answers{named: over(aSite4), four: over("192.0.2.1:80"), six: over("[2001:db8::1]:80")}, true, ""},
		{"IPv6 is lost, and that is told", answers{named: over(aSite4), four: over("192.0.2.1:80"), six: down}, true, "IPv6 lost: " + six + ": unreachable"},
		{"IPv4 is lost, and that is told", answers{named: over(aSite6), four: silent, six: over("[2001:db8::1]:80")}, true, "IPv4 lost: " + four},
		{"a name that was reached over IPv4 shows that IPv4 works", answers{named: over(aSite4), four: down}, true, ""},
		{"no name is found: every site would look down", answers{named: notFound, four: over("192.0.2.1:80")}, false, "name servers lost: " + named + ": servfail"},
		{"a name is found and its site is down", answers{named: down, four: over("192.0.2.1:80")}, true, ""},
		{"nothing works", answers{named: notFound, four: down, six: silent}, false, "no anchor answered: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, _ := begin(t, tt.sites)
				time.Sleep(4 * time.Second) // virtual
				got := m.Report()
				if got.Healthy != tt.healthy || !strings.HasPrefix(got.Detail, tt.detail) || (got.Detail == "") != (tt.detail == "") {
					t.Errorf("got %+v, want healthy %v and %q", got, tt.healthy, tt.detail)
				}
			})
		})
	}
}

func TestAFailureIsHeldAgainstWhatItRestsOn(t *testing.T) {
	t.Parallel()
	refused4 := check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureConnect, ResolvedAddress: aSite4}
	refused6 := check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureConnect, ResolvedAddress: aSite6}
	noName := check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureDNS}
	v4, v6 := over("192.0.2.1:80"), over("[2001:db8::1]:80")
	tests := []struct {
		name    string
		sites   answers
		seen    check.Observation
		healthy bool
	}{
		{"a refusal over IPv6 where IPv6 works", answers{four: v4, six: v6}, refused6, true},
		{"a refusal over IPv6 where IPv6 is lost", answers{four: v4, six: down}, refused6, false},
		{"a refusal over IPv4 where only IPv6 is lost", answers{four: v4, six: silent}, refused4, true},
		{"a refusal over IPv6 where nobody looks after IPv6", answers{four: v4}, refused6, true},
		{"a name that is not found where others are", answers{named: v4, four: v4}, noName, true},
		{"a name that is not found where none is", answers{named: notFound, four: v4}, noName, false},
		{"a refusal where nothing answers", answers{four: down, six: silent}, refused4, false},
		{"a refusal where an anchor's name is not found", answers{named: notFound, four: v4}, refused4, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, _ := begin(t, tt.sites)
				time.Sleep(7 * time.Second) // between two rounds of the clock
				got := m.Control(t.Context(), tt.seen)
				if got.Healthy != tt.healthy || got.Anchors != len(tt.sites) || got.Age != 0 || (got.Detail == "") != tt.healthy {
					t.Errorf("got %+v", got)
				}
			})
		})
	}
}

// TestControlMeasuresAfterTheFailure shows that a good round before the failure does not
// count.
func TestControlMeasuresAfterTheFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, n := begin(t, answers{one: up})
		time.Sleep(100 * time.Millisecond)
		if !m.Report().Healthy {
			t.Fatal("the first round was not good")
		}
		n.set(one, down)
		start := time.Now()
		got := m.Control(t.Context(), check.Observation{Outcome: check.OutcomeDown})
		if got.Healthy || m.Report().Healthy {
			t.Errorf("a cut line counts as good: %+v, and then %+v", got, m.Report())
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %s, want that a single failure does not wait", took)
		}
		n.set(one, up)
		if got := m.Control(t.Context(), check.Observation{Outcome: check.OutcomeDown}); !got.Healthy {
			t.Errorf("a line that is back counts as cut: %+v", got)
		}
	})
}

func TestManyControlsAreOneMeasurementASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, n := begin(t, answers{one: up})
		time.Sleep(5 * time.Second)
		before := n.count()
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 20 * time.Millisecond) // all within 20 s
				start := time.Now()
				if got := m.Control(t.Context(), check.Observation{Outcome: check.OutcomeDown}); !got.Healthy {
					t.Errorf("control %d: %+v", i, got)
				}
				if took := time.Since(start); took > time.Second {
					t.Errorf("control %d took %s", i, took)
				}
			})
		}
		all.Wait()
		if n := n.count() - before; n < 20 || n > 20+5 {
			t.Errorf("%d measurements for 1000 controls in 20 s, want one a second and a few at once", n)
		}
	})
}

func TestControlEndsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, _ := begin(t, answers{one: silent, two: silent})
		time.Sleep(6 * time.Second)
		start := time.Now()
		if got := m.Control(t.Context(), check.Observation{}); got.Healthy || time.Since(start) != selfcheck.Within {
			t.Errorf("%+v after %s, want not healthy after %s", got, time.Since(start), selfcheck.Within)
		}
		time.Sleep(time.Second) // that measurement is over
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		start = time.Now()
		if got := m.Control(ctx, check.Observation{}); got.Healthy || time.Since(start) != 200*time.Millisecond {
			t.Errorf("%+v after %s, want not healthy at the caller's deadline", got, time.Since(start))
		}
	})
}

func TestControlWithoutAnchorsOrWithoutRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, err := selfcheck.New(selfcheck.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Control(t.Context(), check.Observation{}); got != (check.SelfCheck{Healthy: true}) {
			t.Errorf("without anchors: %+v", got)
		}
		m, err = selfcheck.New(selfcheck.Options{Prober: &network{}, Anchors: []string{one}})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Control(t.Context(), check.Observation{}); got.Healthy {
			t.Errorf("a monitor that does not run is healthy: %+v", got)
		}
	})
}

func TestRefreshMeasuresAtOnceAndChangesAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, n := begin(t, answers{one: up})
		time.Sleep(3 * time.Second)
		changed := m.Changed()
		n.set(one, down)
		m.Refresh()
		synctest.Wait()
		select {
		case <-changed:
		default:
			t.Fatal("the change is not told")
		}
		if r := m.Report(); r.Healthy || r.Age != 0 {
			t.Errorf("after a refresh: %+v", r)
		}
		changed, before := m.Changed(), n.count()
		for range 100 {
			m.Refresh()
			synctest.Wait()
		}
		if got := n.count() - before; got > 3 {
			t.Errorf("%d measurements in a moment, want only the few that were saved", got)
		}
		select {
		case <-changed:
			t.Error("a change is told, and it is as before")
		default:
		}
	})
}
