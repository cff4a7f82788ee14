package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// probeSeries is what repeated checks of one URL came to.
type probeSeries struct {
	count, up, down, unknown int
	timings                  []check.Timing
}

func (s *probeSeries) add(o check.Observation) {
	s.count++
	switch o.Outcome {
	case check.OutcomeUp:
		s.up++
	case check.OutcomeDown:
		s.down++
	default:
		s.unknown++
	}
	s.timings = append(s.timings, o.Timing)
}

// exit is the code of the worst: down is worse than unknown.
func (s *probeSeries) exit() error {
	switch {
	case s.down > 0:
		return exitDown
	case s.unknown > 0:
		return exitUnknown
	}
	return nil
}

// summary compares the first check, which had to look everything up, with the others, which
// had what it left: the answer of the name servers and the TLS session.
func (s *probeSeries) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d checks: %d up, %d down, %d unknown\n", s.count, s.up, s.down, s.unknown)
	fmt.Fprintf(&b, "  %-12s %12s %16s\n", "ms", "first", "median of others")
	for _, phase := range []struct {
		name string
		took func(check.Timing) time.Duration
	}{
		{"dns", func(t check.Timing) time.Duration { return t.DNS }},
		{"connect", func(t check.Timing) time.Duration { return t.Connect }},
		{"tls", func(t check.Timing) time.Duration { return t.TLS }},
		{"first byte", func(t check.Timing) time.Duration { return t.FirstByte }},
		{"total", func(t check.Timing) time.Duration { return t.Total }},
	} {
		var others []time.Duration
		for _, t := range s.timings[1:] {
			others = append(others, phase.took(t))
		}
		slices.Sort(others)
		median := "-"
		if len(others) > 0 {
			median = fmt.Sprintf("%.1f", milliseconds(others[len(others)/2]))
		}
		fmt.Fprintf(&b, "  %-12s %12.1f %16s\n", phase.name, milliseconds(phase.took(s.timings[0])), median)
	}
	b.WriteString("  The others reuse DNS answers for their time and resume the TLS session (--tls-session-cache=0: full handshakes).\n")
	return b.String()
}
