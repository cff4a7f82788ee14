package advisory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/Automattic/jetmon/coordinator/rules/advisory"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

const (
	slow    = check.AdvisorySlow
	ends    = check.AdvisoryTLSExpiring
	old     = check.AdvisoryTLSDeprecated
	listing = check.AdvisoryDirectoryListing
)

func saw(all ...check.Advisory) check.Observation {
	return check.Observation{Outcome: check.OutcomeUp, PageState: check.PageFilled, Advisories: all}
}

// changesOf applies checks and returns what opened (+) and closed (-) at each, as "0+3 5-3".
func changesOf(s *advisory.State, checks ...check.Observation) string {
	var out []string
	for i := range checks {
		opened, closed := s.Note(&checks[i])
		for _, a := range opened {
			out = append(out, fmt.Sprintf("%d+%d", i, a))
		}
		for _, a := range closed {
			out = append(out, fmt.Sprintf("%d-%d", i, a))
		}
	}
	return strings.Join(out, " ")
}

func TestRemarksOpenAndCloseAfterSeveralChecks(t *testing.T) {
	t.Parallel()
	down, unknown := check.Observation{Outcome: check.OutcomeDown}, check.Observation{Outcome: check.OutcomeUnknown}
	unjudged := check.Observation{Outcome: check.OutcomeUp}
	for name, tt := range map[string]struct {
		checks []check.Observation
		want   string
	}{
		"once is nothing":                  {[]check.Observation{saw(slow), saw(), saw(slow), saw(slow), saw()}, ""},
		"three in a row open":              {[]check.Observation{saw(slow), saw(slow), saw(slow), saw(slow)}, "2+3"},
		"slow closes after six":            {append(slices.Repeat([]check.Observation{saw(slow)}, 3), slices.Repeat([]check.Observation{saw()}, 7)...), "2+3 8-3"},
		"a relapse begins the count anew":  {append(slices.Repeat([]check.Observation{saw(slow)}, 3), saw(), saw(), saw(), saw(), saw(), saw(slow), saw(), saw()), "2+3"},
		"the end of a certificate: two":    {[]check.Observation{saw(ends), saw(ends), saw(), saw()}, "1+1 3-1"},
		"two remarks, each by itself":      {[]check.Observation{saw(ends), saw(ends, old), saw(ends, old), saw(ends, old)}, "1+1 3+2"},
		"failures and doubts say nothing":  {[]check.Observation{saw(old), down, unknown, saw(old), down, saw(old)}, "5+2"},
		"who did not look at the page":     {[]check.Observation{saw(listing), unjudged, unjudged, saw(listing), unjudged, unjudged, saw(), unjudged, saw()}, "3+9 8-9"},
		"a remark that a newer node makes": {[]check.Observation{saw(200), saw(200), saw(200)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s advisory.State
			if got := changesOf(&s, tt.checks...); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestOpenRemarksAreKnownAgain(t *testing.T) {
	t.Parallel()
	s := advisory.Opened([]check.Advisory{old, 0, 99, ends})
	if got := s.Open(); !slices.Equal(got, []check.Advisory{ends, old}) || s.Idle() {
		t.Errorf("open are %v (idle: %t)", got, s.Idle())
	}
	if got := changesOf(&s, saw(), saw(), saw()); got != "1-1 2-2" || !s.Idle() {
		t.Errorf("closed %q (idle: %t)", got, s.Idle())
	}
}

// Whatever the checks say: remarks open and close in turns, never before two checks in a row
// say so, and what is open is what opened and has not closed.
func TestRemarksOpenAndCloseInTurns(t *testing.T) {
	t.Parallel()
	seeds.Check(t, []uint64{1, 2}, func(t *rapid.T) {
		var s advisory.State
		open := map[check.Advisory]bool{}
		var before check.Observation
		for range rapid.IntRange(1, 60).Draw(t, "checks") {
			o := saw(rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) check.Advisory {
				return check.Advisory(rapid.IntRange(1, int(check.AdvisoryLast)).Draw(t, "remark"))
			}), 0, 4, rapid.ID).Draw(t, "remarks")...)
			opened, closed := s.Note(&o)
			for _, a := range opened {
				if open[a] || !slices.Contains(o.Advisories, a) || !slices.Contains(before.Advisories, a) {
					t.Fatalf("%d opened, open before: %t; checks said %v, then %v", a, open[a], before.Advisories, o.Advisories)
				}
				open[a] = true
			}
			for _, a := range closed {
				if !open[a] || slices.Contains(o.Advisories, a) || slices.Contains(before.Advisories, a) {
					t.Fatalf("%d closed, open before: %t; checks said %v, then %v", a, open[a], before.Advisories, o.Advisories)
				}
				delete(open, a)
			}
			before = o
			if len(s.Open()) != len(open) {
				t.Fatalf("open are %v, want %v", s.Open(), open)
			}
		}
	})
}
