package checkers

import (
	"fmt"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/outlier"
	"github.com/Automattic/jetmon/internal/check"
)

// house is a fleet with the core that its sessions are of.
type house struct {
	now   time.Time
	core  *dispatch.Core
	fleet *Fleet
}

func newHouse() *house {
	now := time.Unix(1_700_000_000, 0)
	return &house{
		now: now, fleet: New(outlier.DefaultRule(), now),
		core: dispatch.New(dispatch.Config{Random: func() uint64 { return 1 }}),
	}
}

func (h *house) join(node string) *Checker {
	id, _, err := h.core.Join(h.now, dispatch.Hello{Node: node, MaxInFlight: 10}, nil)
	if err != nil {
		panic(err) // no two of these tests' checkers want one name
	}
	h.fleet.Join(h.core.Session(id))
	return h.fleet.Get(id)
}

// sees has a checker see so many sites on networks of their own.
func (h *house) sees(c *Checker, sites int, o check.Outcome) (unknown int, turns []*Turn) {
	for i := range sites {
		outcome, turn := h.fleet.Judge(h.now, c, &Sighting{
			Site: check.SiteID(i), At: h.now, WasGood: true, Sites: sites,
			Observation: &check.Observation{Outcome: o, ResolvedAddress: fmt.Sprintf("198.51.%d.7:443", i)},
		})
		if outcome == check.OutcomeUnknown {
			unknown++
		}
		if turn != nil {
			turns = append(turns, turn)
		}
	}
	return unknown, turns
}

func TestAFailureCountsAsUnknown(t *testing.T) {
	t.Parallel()
	healthy, unhealthy := check.SelfCheck{Healthy: true}, check.SelfCheck{Healthy: false}
	for name, tt := range map[string]struct {
		before func(*house, *Checker)
		took   time.Duration
		saw    check.Outcome
		want   check.Outcome
	}{
		"not when the checker is healthy": {saw: check.OutcomeDown, want: check.OutcomeDown},
		"while the checker is unhealthy": {
			before: func(h *house, c *Checker) { h.fleet.Report(h.now, c, unhealthy) },
			saw:    check.OutcomeDown, want: check.OutcomeUnknown,
		},
		"when it began while the checker was unhealthy": {
			before: func(h *house, c *Checker) {
				h.fleet.Report(h.now, c, unhealthy)
				h.fleet.Report(h.now.Add(3*time.Second), c, healthy)
				h.now = h.now.Add(5 * time.Second)
			},
			took: 4 * time.Second, saw: check.OutcomeDown, want: check.OutcomeUnknown,
		},
		"not when it began after that": {
			before: func(h *house, c *Checker) {
				h.fleet.Report(h.now, c, unhealthy)
				h.fleet.Report(h.now.Add(3*time.Second), c, healthy)
				h.now = h.now.Add(5 * time.Second)
			},
			took: time.Second, saw: check.OutcomeDown, want: check.OutcomeDown,
		},
		"in quarantine": {
			before: func(h *house, c *Checker) { h.sees(c, 30, check.OutcomeDown) },
			saw:    check.OutcomeDown, want: check.OutcomeUnknown,
		},
		"and what is good stays good, in quarantine": {
			before: func(h *house, c *Checker) { h.sees(c, 30, check.OutcomeDown) },
			saw:    check.OutcomeUp, want: check.OutcomeUp,
		},
		"and what is good stays good, while it is unhealthy": {
			before: func(h *house, c *Checker) { h.fleet.Report(h.now, c, unhealthy) },
			saw:    check.OutcomeUp, want: check.OutcomeUp,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse()
			c := h.join("a")
			if tt.before != nil {
				tt.before(h, c)
			}
			got, _ := h.fleet.Judge(h.now, c, &Sighting{
				Site: 1, At: h.now, WasGood: true, Observation: &check.Observation{Outcome: tt.saw, Timing: check.Timing{Total: tt.took}},
			})
			if got != tt.want {
				t.Errorf("it counts as %v, want %v", got, tt.want)
			}
		})
	}
}

func TestATurnIsReportedOnce(t *testing.T) {
	t.Parallel()
	h := newHouse()
	c := h.join("a")
	unknown, turns := h.sees(c, 40, check.OutcomeDown)
	if unknown != 31 || len(turns) != 1 || !turns[0].In || turns[0].Surprised != 10 || turns[0].Seen != 10 {
		t.Fatalf("%d failures are unknown; turns %+v", unknown, turns)
	}
	since := h.fleet.Status(c).Quarantined
	turns = nil
	for range 5 {
		h.now = h.now.Add(time.Minute)
		_, more := h.sees(c, 40, check.OutcomeUp)
		turns = append(turns, more...)
	}
	if len(turns) != 1 || turns[0].In || turns[0].After <= 0 || since.IsZero() || !h.fleet.Status(c).Quarantined.IsZero() {
		t.Errorf("turns %+v, in quarantine since %v", turns, since)
	}
}

func TestQuarantineOutlivesAReconnectAndHealthDoesNot(t *testing.T) {
	t.Parallel()
	h := newHouse()
	c := h.join("a")
	h.sees(c, 30, check.OutcomeDown)
	h.fleet.Leave(h.now, c)
	again := h.join("a")
	if h.fleet.Status(again).Quarantined.IsZero() {
		t.Error("a reconnect ends the quarantine")
	}
	h.fleet.Report(h.now, again, check.SelfCheck{Healthy: false})
	if st := h.fleet.Status(again); !st.Quarantined.IsZero() || st.UnhealthySince.IsZero() {
		t.Errorf("%+v: its self-check explains its failures", st)
	}
	h.fleet.Leave(h.now, again)
	if st := h.fleet.Status(h.join("a")); !st.UnhealthySince.IsZero() || !st.Self.Healthy {
		t.Errorf("%+v: a new session is healthy until it says otherwise", st)
	}
}

func TestDetectorsGoWithTheirCheckers(t *testing.T) {
	t.Parallel()
	h := newHouse()
	for i := range 100 {
		c := h.join(fmt.Sprint(i))
		h.sees(c, 5, check.OutcomeUp)
		h.fleet.Leave(h.now, c)
	}
	if n := len(h.fleet.detectors); n != 0 {
		t.Errorf("%d detectors are left", n)
	}
}

func TestAnotherCheckerThatCanBeAsked(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil          func(*house, *Checker)
		another, sound bool
	}{
		"a healthy checker can be asked":    {func(*house, *Checker) {}, true, true},
		"an unhealthy one is not sound":     {func(h *house, c *Checker) { h.fleet.Report(h.now, c, check.SelfCheck{}) }, true, false},
		"one in quarantine is not sound":    {func(h *house, c *Checker) { h.sees(c, 30, check.OutcomeDown) }, true, false},
		"one that is leaving is not asked":  {func(h *house, c *Checker) { h.core.Drain(c.ID()) }, false, false},
		"one that is gone is not asked":     {func(h *house, c *Checker) { h.fleet.Leave(h.now, c) }, false, false},
		"one of the same node is not asked": {func(h *house, c *Checker) { h.fleet.Leave(h.now, c); h.join("a") }, false, false},
	} {
		h := newHouse()
		h.join("a")
		tt.spoil(h, h.join("b"))
		if another, sound := h.fleet.Another("a"), h.fleet.AnotherSound("a"); another != tt.another || sound != tt.sound {
			t.Errorf("%s: another %t, sound %t; want %t, %t", name, another, sound, tt.another, tt.sound)
		}
	}
}

func TestAFleetIsEmptyFromTheMomentItsLastCheckerLeaves(t *testing.T) {
	t.Parallel()
	h := newHouse()
	if !h.fleet.EmptySince().Equal(h.now) {
		t.Error("a new fleet is not empty")
	}
	a, b := h.join("a"), h.join("b")
	h.fleet.Leave(h.now, a)
	if !h.fleet.EmptySince().IsZero() {
		t.Error("empty while a checker is connected")
	}
	h.now = h.now.Add(time.Second)
	if h.fleet.Leave(h.now, b); !h.fleet.EmptySince().Equal(h.now) || h.fleet.Get(b.ID()) != nil {
		t.Error("not empty when the last checker left")
	}
}

func TestAChangeOfHealthIsReportedOnce(t *testing.T) {
	t.Parallel()
	h := newHouse()
	c := h.join("a")
	for i, tt := range []struct{ healthy, changed bool }{{true, false}, {false, true}, {false, false}, {true, true}, {true, false}} {
		if changed := h.fleet.Report(h.now, c, check.SelfCheck{Healthy: tt.healthy}); changed != tt.changed {
			t.Errorf("report %d: changed %t", i, changed)
		}
	}
}

// When there are very many sites the detector samples them, the same ones each time.
func TestADetectorSamplesVeryManySites(t *testing.T) {
	t.Parallel()
	h := newHouse()
	c := h.join("a")
	for site := range check.SiteID(8000) {
		h.fleet.Saw(h.now, c, &Sighting{Site: site, Sites: sampleFrom, Observation: &check.Observation{
			Outcome: check.OutcomeUp, ResolvedAddress: fmt.Sprintf("10.%d.%d.1:80", site>>8, site&255),
		}})
	}
	if _, seen := h.fleet.detectors["a"].Share(); seen != 1000 {
		t.Errorf("%d sites were sampled, want 1000", seen)
	}
}

func TestAContestedNameWarnsOnceAMinute(t *testing.T) {
	t.Parallel()
	h := newHouse()
	c := h.join("a")
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {time.Second, false}, {time.Minute - 1, false}, {time.Minute, true}, {time.Minute + 1, false}} {
		if got := c.Contested(h.now.Add(tt.after)); got != tt.want {
			t.Errorf("after %s: a warning is due: %v", tt.after, got)
		}
	}
}
