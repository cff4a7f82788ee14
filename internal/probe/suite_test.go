package probe

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// grace is what a check may take beyond its budget.
const grace = time.Second

// maker makes a prober that uses one of the engines and may probe loopback.
type maker func(t testing.TB, change ...func(*Options)) *Prober

// newProber makes a prober with the default engine of this system.
func newProber(t testing.TB, change ...func(*Options)) *Prober {
	t.Helper()
	o := Options{AllowPrivate: true}
	for _, c := range change {
		c(&o)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	staysHere(t, p)
	return p
}

// The names of the engines in the tests.
const (
	fast      = "fast"
	portable  = "portable"
	reference = "net_http"
)

func makerOf(name string) maker {
	return func(t testing.TB, change ...func(*Options)) *Prober {
		t.Helper()
		p := newProber(t, append(change, func(o *Options) {
			if name != fast {
				o.Engine = EnginePortable
			}
		})...)
		if e, ok := p.engine.(*netEngine); ok && name == reference {
			p.engine = &httpEngine{*e}
		}
		return p
	}
}

// onEngines runs a test on each of the engines: all must have the same results.
func onEngines(t *testing.T, test func(t *testing.T, newProber maker), names ...string) {
	t.Helper()
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, makerOf(name))
		})
	}
}

// staysHere keeps a prober on this machine, whatever a test gets wrong.
func staysHere(t testing.TB, p *Prober) {
	t.Helper()
	real := p.connector.gate
	p.connector.gate = func(a netip.AddrPort) error {
		if !a.Addr().IsLoopback() {
			t.Errorf("the test would have connected to %v", a)
			return errRefusedAddress
		}
		return real(a)
	}
}

// story is one misbehaviour of a target and the finding that the check must return.
type story struct {
	name   string
	site   func(*fakesite.Site)
	target check.Target // its URL is a path of the site
	want   finding
}

// finding is the part of an Observation that a story is about.
type finding struct {
	outcome    check.Outcome
	failure    check.FailureKind
	reason     string
	status     int
	phase      check.Phase
	advisories []check.Advisory
}

func up(status int, advisories ...check.Advisory) finding {
	return finding{outcome: check.OutcomeUp, status: status, phase: check.PhaseDone, advisories: advisories}
}

func fails(kind check.FailureKind, reason string, status int, phase check.Phase) finding {
	return finding{check.OutcomeDown, kind, reason, status, phase, nil}
}

func findingOf(o check.Observation) finding {
	return finding{o.Outcome, o.Failure, o.Reason, o.HTTPStatus, o.Phase, o.Advisories}
}

func (v finding) same(w finding) bool {
	return v.outcome == w.outcome && v.failure == w.failure && v.reason == w.reason &&
		v.status == w.status && v.phase == w.phase && slices.Equal(v.advisories, w.advisories)
}

// probeInTime probes, and fails the test when the check exceeds its budget or its
// Observation breaks an invariant.
func probeInTime(ctx context.Context, t *testing.T, p *Prober, target check.Target) check.Observation {
	t.Helper()
	budget := target.Timeout
	if budget == 0 {
		budget = check.RoutineTimeout
	}
	start := time.Now()
	o := p.Probe(ctx, target)
	if took := time.Since(start); took > budget+grace {
		t.Errorf("took %v of a budget of %v", took, budget)
	}
	wellFormed(t, o)
	return o
}

func wellFormed(t *testing.T, o check.Observation) {
	t.Helper()
	switch {
	case o.Outcome < check.OutcomeUp || o.Outcome > check.OutcomeUnknown:
		t.Errorf("outcome %d is none", o.Outcome)
	case (o.Outcome == check.OutcomeUp) != (o.Reason == ""):
		t.Errorf("outcome %d with reason %q", o.Outcome, o.Reason)
	case o.Failure == check.FailurePolicy && o.Outcome != check.OutcomeUnknown:
		t.Errorf("policy with outcome %d", o.Outcome)
	case o.Outcome == check.OutcomeDown && o.Failure == check.FailureNone:
		t.Error("down without a failure")
	case o.Outcome != check.OutcomeUp && len(o.Advisories) > 0:
		t.Errorf("advisories %v for a site that is not up", o.Advisories)
	case len(o.Hops) > check.MaxRedirects:
		t.Errorf("%d hops", len(o.Hops))
	case len(o.Detail) > check.MaxDetailBytes || o.Detail != printable(o.Detail, check.MaxDetailBytes):
		t.Errorf("detail %q", o.Detail)
	case o.Timing.Total <= 0:
		t.Error("no total time")
	}
	for k, v := range o.Headers {
		if v != printable(v, maxFieldBytes) {
			t.Errorf("header %s: %q", k, v)
		}
	}
}

// runStories runs stories on all engines, each with a site of its own. The odd ones are
// about responses of which net/http makes something else, or nothing.
func runStories(t *testing.T, stories []story, odd ...string) {
	t.Helper()
	onEngines(t, func(t *testing.T, newProber maker) {
		for _, s := range stories {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				site := fakesite.New(t)
				s.site(site)
				target := s.target
				target.URL = site.URL() + target.URL
				p := newProber(t)
				o := probeInTime(t.Context(), t, p, target)
				if _, ok := p.engine.(*httpEngine); ok && slices.Contains(odd, s.name) {
					if findingOf(o).same(s.want) {
						t.Errorf("net/http takes it after all: %+v", o)
					}
					return
				}
				if got := findingOf(o); !got.same(s.want) {
					t.Errorf("got %+v\nwant %+v\nof %+v", got, s.want, o)
				}
			})
		}
	}, fast, portable, reference)
}

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
