package format

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Series is what repeated checks of one URL came to.
type Series struct {
	Up, Down, Unknown int
	// Timings are those of all checks, in their order.
	Timings []check.Timing
}

// Summary counts the checks and compares the first, which had to look everything up, with the others, which
// had what it left: the answer of the name servers and the TLS session.
func Summary(w io.Writer, s Series) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d checks: %d up, %d down, %d unknown\n", len(s.Timings), s.Up, s.Down, s.Unknown)
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
		for _, t := range s.Timings[1:] {
			others = append(others, phase.took(t))
		}
		slices.Sort(others)
		median := "-"
		if len(others) > 0 {
			median = fmt.Sprintf("%.1f", milliseconds(others[len(others)/2]))
		}
		fmt.Fprintf(&b, "  %-12s %12.1f %16s\n", phase.name, milliseconds(phase.took(s.Timings[0])), median)
	}
	b.WriteString("  The others reuse DNS answers for their time and resume the TLS session (--tls-session-cache=0: full handshakes).\n")
	_, err := io.WriteString(w, b.String())
	return err
}
