package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/secondopinion"
)

// Prober checks one target; internal/probe has the real one.
type Prober interface {
	Probe(ctx context.Context, t check.Target) check.Observation
}

// SecondReader reads a target with another stack; internal/secondopinion has the real one.
type SecondReader interface {
	Ask(ctx context.Context, t check.Target, doubted check.Observation) check.Observation
}

// ProbeOptions configure Probe and SecondOpinion.
type ProbeOptions struct {
	Prober Prober
	// SecondReader is for SecondOpinion only.
	SecondReader SecondReader
	Target       check.Target
	// Repeat is the number of checks, one after another; at least 1.
	Repeat int
	Out    io.Writer
	// JSON prints observations as the REST API does; several checks are one per line.
	JSON bool
}

// Probe checks a target, prints each observation and, after several, a summary. It
// returns the worst outcome: down is worse than unknown, unknown worse than up. It ends
// early when ctx ends.
func Probe(ctx context.Context, o ProbeOptions) (check.Outcome, error) {
	var all format.Series
	for range o.Repeat {
		seen := o.Prober.Probe(ctx, o.Target)
		switch seen.Outcome {
		case check.OutcomeUp:
			all.Up++
		case check.OutcomeDown:
			all.Down++
		default:
			all.Unknown++
		}
		all.Timings = append(all.Timings, seen.Timing)
		if err := o.print(seen, len(all.Timings)); err != nil {
			return check.OutcomeUnknown, err
		}
		if ctx.Err() != nil {
			break
		}
	}
	worst := check.OutcomeUp
	switch {
	case all.Down > 0:
		worst = check.OutcomeDown
	case all.Unknown > 0:
		worst = check.OutcomeUnknown
	}
	if o.Repeat == 1 || o.JSON {
		return worst, nil
	}
	return worst, format.Summary(o.Out, all)
}

// print prints the nth observation.
func (o ProbeOptions) print(seen check.Observation, n int) error {
	switch {
	case o.JSON && o.Repeat == 1:
		return format.JSON(o.Out, checkpb.ObservationToProto(seen))
	case o.JSON:
		return format.JSONLine(o.Out, checkpb.ObservationToProto(seen))
	case o.Repeat > 1:
		return format.Observation(o.Out, fmt.Sprintf("%d/%d  %s", n, o.Repeat, o.Target.URL), seen, time.Now())
	}
	return format.Observation(o.Out, o.Target.URL, seen, time.Now())
}

// SecondOpinion checks a target once by the engine and once by the second reader, and prints
// both readings side by side. It returns what a veriflier would vote.
func SecondOpinion(ctx context.Context, o ProbeOptions) (check.Outcome, error) {
	both := check.SecondOpinion{Engine: o.Prober.Probe(ctx, o.Target)}
	both.Reader = o.SecondReader.Ask(ctx, o.Target, both.Engine)
	vote := secondopinion.Settle(o.Target, both)
	if o.JSON {
		return vote.Outcome, format.JSON(o.Out, checkpb.SecondOpinionToProto(&both))
	}
	return vote.Outcome, format.SecondOpinion(o.Out, o.Target.URL, both, vote)
}

// ProbeURL has the verifliers of the coordinator check a URL, prints the ballot with their votes, and
// returns its verdict.
func (c Client) ProbeURL(ctx context.Context, probe *monitorv1.Probe) (monitorv1.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, probe.GetTimeout().AsDuration()+askTimeout)
	defer cancel()
	stream, err := monitorv1.NewProbeServiceClient(c.Conn).ProbeURL(ctx, &monitorv1.ProbeURLRequest{Probe: probe})
	url := probe.GetUrl()
	var votes []*monitorv1.Vote
	for err == nil {
		var step *monitorv1.ProbeURLResponse
		if step, err = stream.Recv(); err != nil {
			break
		}
		switch {
		case step.GetPanel() != nil:
			url = step.GetPanel().GetUrl()
		case step.GetVote() != nil:
			votes = append(votes, step.GetVote())
		case step.GetBallot() != nil:
			b := step.GetBallot()
			slices.SortFunc(votes, func(x, y *monitorv1.Vote) int { return strings.Compare(x.GetVeriflier(), y.GetVeriflier()) })
			b.Votes = votes
			return b.GetVerdict(), c.show(b, func(w io.Writer) error { return format.Ballot(w, url, b) })
		}
	}
	return 0, c.explain(err)
}

// ShowBallot prints the verifliers' votes on a URL, as JSON or as text.
func ShowBallot(out io.Writer, url string, b *monitorv1.Ballot, json bool) error {
	if json {
		return format.JSON(out, b)
	}
	return format.Ballot(out, url, b)
}
