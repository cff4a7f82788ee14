package format

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
)

// SecondOpinion writes both readings of a site side by side, and what a veriflier votes.
func SecondOpinion(w io.Writer, title string, both check.SecondOpinion, vote check.Observation) error {
	return write(w, func(p *page) {
		p.line("%s", title)
		p.line("\tengine\tsecond opinion")
		left, right := reading(both.Engine), reading(both.Reader)
		for i, row := range left {
			if row.text != "" || right[i].text != "" {
				p.line("  %s\t%s\t%s", row.label, dash(row.text), dash(right[i].text))
			}
		}
		for i := range max(len(both.Engine.Hops), len(both.Reader.Hops)) {
			p.line("  redirect %d\t%s\t%s", i+1, hop(both.Engine.Hops, i), hop(both.Reader.Hops, i))
		}
		outcome := strings.TrimPrefix(checkpb.ObservationToProto(vote).GetOutcome().String(), "OUTCOME_")
		switch {
		case vote.Reason == check.ReasonReadersDisagree:
			p.line("The readers disagree: a veriflier votes %s (%s).", outcome, vote.Reason)
		case both.Disagree():
			p.line("A veriflier votes %s: this failure does not rest on how the answer is read.", outcome)
		default:
			p.line("A veriflier votes %s.", outcome)
		}
	})
}

// row is one line about an observation.
type row struct{ label, text string }

// reading describes an observation in rows, the same ones for each.
func reading(o check.Observation) []row {
	pb := checkpb.ObservationToProto(o)
	outcome := strings.TrimPrefix(pb.GetOutcome().String(), "OUTCOME_")
	if o.Failure != check.FailureNone {
		outcome += ": " + o.Failure.String()
	}
	if o.Reason != "" {
		outcome += " (" + o.Reason + ")"
	}
	answer := ""
	if o.HTTPStatus != 0 {
		answer = fmt.Sprintf("%d %s by %s over %s", o.HTTPStatus, http.StatusText(o.HTTPStatus),
			strings.TrimPrefix(pb.GetMethod().String(), "METHOD_"), o.Protocol)
	}
	return []row{
		{"outcome", outcome},
		{"answer", answer},
		{"address", o.ResolvedAddress},
		{"dns", took(o.Timing.DNS)},
		{"connect", took(o.Timing.Connect)},
		{"tls", took(o.Timing.TLS)},
		{"first byte", took(o.Timing.FirstByte)},
		{"total", took(o.Timing.Total)},
		{"detail", o.Detail},
	}
}

func took(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return fmt.Sprintf("%.1f ms", milliseconds(d))
}

func hop(hops []check.Hop, i int) string {
	if i >= len(hops) {
		return "-"
	}
	return fmt.Sprintf("%d to %s", hops[i].Status, hops[i].URL)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
