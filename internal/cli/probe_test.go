package cli

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// prober returns one outcome after another, and calls last with the final one.
type prober struct {
	outcomes []check.Outcome
	asked    int
	last     context.CancelFunc
}

func (p *prober) Probe(context.Context, check.Target) check.Observation {
	o := check.Observation{Outcome: p.outcomes[p.asked], Timing: check.Timing{Total: time.Duration(p.asked+1) * time.Millisecond}}
	if p.asked++; p.asked == len(p.outcomes) && p.last != nil {
		p.last()
	}
	return o
}

func TestTheWorstOfAllChecksCounts(t *testing.T) {
	t.Parallel()
	const up, down, unknown = check.OutcomeUp, check.OutcomeDown, check.OutcomeUnknown
	tests := []struct {
		name     string
		outcomes []check.Outcome
		want     check.Outcome
		summary  string
	}{
		{"up", []check.Outcome{up}, up, ""},
		{"down", []check.Outcome{down}, down, ""},
		{"unknown", []check.Outcome{unknown}, unknown, ""},
		{"none at all is unknown", []check.Outcome{0}, unknown, ""},
		{"unknown is worse than up", []check.Outcome{up, unknown, up}, unknown, "3 checks: 2 up, 0 down, 1 unknown"},
		{"down is worse than unknown", []check.Outcome{down, unknown}, down, "2 checks: 0 up, 1 down, 1 unknown"},
	}
	for _, tt := range tests {
		var text, lines bytes.Buffer
		o := ProbeOptions{Prober: &prober{outcomes: tt.outcomes}, Target: check.Target{URL: "http://a.example/"}, Repeat: len(tt.outcomes), Out: &text}
		if got, err := Probe(t.Context(), o); err != nil || got != tt.want {
			t.Errorf("%s: %v, %v, want %v", tt.name, got, err, tt.want)
		}
		if !strings.Contains(text.String(), tt.summary) || strings.Contains(text.String(), " checks: ") != (tt.summary != "") {
			t.Errorf("%s: want the summary %q:\n%s", tt.name, tt.summary, &text)
		}
		o.Prober, o.Out, o.JSON = &prober{outcomes: tt.outcomes}, &lines, true
		got, err := Probe(t.Context(), o)
		if n := strings.Count(lines.String(), "\n"); err != nil || got != tt.want || o.Repeat > 1 && n != o.Repeat {
			t.Errorf("%s: %v, %v and %d lines of JSON, want %v and %d", tt.name, got, err, n, tt.want, o.Repeat)
		}
	}
}

func TestChecksEndWithTheirContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	p := &prober{outcomes: []check.Outcome{check.OutcomeUp, check.OutcomeUp}, last: cancel}
	var out bytes.Buffer
	if _, err := Probe(ctx, ProbeOptions{Prober: p, Repeat: 100, Out: &out}); err != nil || p.asked != 2 {
		t.Errorf("%d checks, %v, want 2", p.asked, err)
	}
	if !strings.Contains(out.String(), "2/100  ") || !strings.Contains(out.String(), "2 checks: 2 up") {
		t.Errorf("what was seen is not summed up:\n%s", &out)
	}
}

// full is an output that fails every write.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

var errFull = errors.New("no space left")

func TestAFailingOutputIsAnError(t *testing.T) {
	t.Parallel()
	for _, json := range []bool{false, true} {
		p := &prober{outcomes: []check.Outcome{check.OutcomeUp, check.OutcomeUp}}
		if _, err := Probe(t.Context(), ProbeOptions{Prober: p, Repeat: 2, Out: full{}, JSON: json}); !errors.Is(err, errFull) || p.asked != 1 {
			t.Errorf("%v after %d checks, want %v after one", err, p.asked, errFull)
		}
		if err := ShowBallot(full{}, "http://a.example/", &monitorv1.Ballot{}, json); !errors.Is(err, errFull) {
			t.Errorf("%v, want %v", err, errFull)
		}
	}
}
