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

// Observation writes what a check saw: the verdict, the way there, where the time went.
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

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
