package format

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
)

// Observation writes an observation: its outcome, the redirects, and the timings.
func Observation(w io.Writer, title string, o check.Observation, now time.Time) error {
	var b strings.Builder
	pb := checkpb.ObservationToProto(o)
	fmt.Fprintf(&b, "%s is %s", printable(title), strings.TrimPrefix(pb.GetOutcome().String(), "OUTCOME_"))
	if o.Failure != check.FailureNone {
		fmt.Fprintf(&b, ": %s", strings.TrimPrefix(pb.GetFailure().String(), "FAILURE_KIND_"))
		if o.Reason != "" {
			fmt.Fprintf(&b, " (%s)", printable(o.Reason))
		}
		fmt.Fprintf(&b, " in phase %s", strings.TrimPrefix(pb.GetPhase().String(), "PHASE_"))
	}
	b.WriteString("\n")
	row := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-12s %s\n", label, printable(fmt.Sprintf(format, args...)))
	}
	for _, hop := range o.Hops {
		row("redirect", "%d to %s", hop.Status, hop.URL)
	}
	if o.HTTPStatus != 0 {
		row("answer", "%d %s by %s over %s", o.HTTPStatus, http.StatusText(o.HTTPStatus),
			strings.TrimPrefix(pb.GetMethod().String(), "METHOD_"), o.Protocol)
	}
	if o.ResolvedAddress != "" {
		row("address", "%s", o.ResolvedAddress)
	}
	for _, phase := range []struct {
		name string
		took time.Duration
	}{
		{"dns", o.Timing.DNS}, {"connect", o.Timing.Connect}, {"tls", o.Timing.TLS}, {"first byte", o.Timing.FirstByte},
	} {
		if phase.took > 0 {
			row(phase.name, "%8.1f ms", milliseconds(phase.took))
		}
	}
	row("total", "%8.1f ms", milliseconds(o.Timing.Total))
	if !o.CertificateExpire.IsZero() {
		row("certificate", "valid until %s (%d days)", o.CertificateExpire.UTC().Format(time.DateOnly), int(o.CertificateExpire.Sub(now).Hours()/24))
	}
	for _, a := range pb.GetAdvisories() {
		row("advisory", "%s", strings.TrimPrefix(a.String(), "ADVISORY_"))
	}
	for _, name := range slices.Sorted(maps.Keys(o.Headers)) {
		row("header", "%s: %s", name, o.Headers[name])
	}
	if o.Detail != "" {
		row("detail", "%s", o.Detail)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Series is the result of repeated checks of one URL.
type Series struct {
	Up, Down, Unknown int
	// Timings are the timings of all checks in order.
	Timings []check.Timing
}

// Summary writes the counts and compares the first check with the others. The others use
// what the first one left in caches: the DNS answer and the TLS session.
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

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
