package main

import (
	"context"
	"fmt"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// The exit codes of probe, besides exitUsage.
const (
	exitDown    = exitCode(1)
	exitUnknown = exitCode(3)
)

// maxRepeat bounds how often one call checks.
const maxRepeat = 10_000

// probeCommand is `jetmon probe URL`.
type probeCommand struct {
	URL       string        `arg:"" name:"url" help:"URL to check."`
	JSON      bool          `name:"json" help:"Print the observation as JSON, as the API has it; with --repeat one a line."`
	Timeout   time.Duration `default:"10s" help:"Budget for everything, at most 60s."`
	Method    string        `enum:"head-then-get,head,get" default:"head-then-get" help:"How to ask: head-then-get, head or get."`
	Header    []string      `sep:"none" placeholder:"K: V" help:"Header to send (repeatable)."`
	Require   []string      `sep:"none" placeholder:"TEXT" help:"Text that the page must have (repeatable)."`
	Forbid    []string      `sep:"none" placeholder:"TEXT" help:"Text that the page must not have (repeatable)."`
	Redirects string        `enum:"follow,fail" default:"follow" help:"What a redirect means: follow or fail."`
	SlowAfter time.Duration `placeholder:"DUR" help:"Remark on a site that takes longer than this."`
	CAFile    string        `name:"ca-file" placeholder:"PEM" help:"Trust the issuers in this file instead of the system's."`
	Repeat    int           `default:"1" placeholder:"N" help:"Check so many times, one after the other; the worst decides the exit code."`

	viaFlags    `embed:""`
	engineFlags `embed:""`
}

// Run checks; the exit code says what came out: 0 up, 1 down, 3 unknown.
func (c *probeCommand) Run(ctx context.Context, p *program) error {
	target, err := c.target()
	if err != nil {
		return err
	}
	if len(c.Via) > 0 {
		return c.askVia(ctx, p, target)
	}
	options, err := c.engineFlags.options()
	if err != nil {
		return err
	}
	if c.CAFile != "" {
		if options.RootCAs, err = readRoots(c.CAFile); err != nil {
			return err
		}
	}
	prober, err := newProber(options)
	if err != nil {
		return err
	}
	defer prober.Close()
	var all format.Series
	for range c.Repeat {
		seen := prober.Probe(ctx, target)
		add(&all, seen)
		if err := c.print(p, seen, len(all.Timings)); err != nil {
			return err
		}
		if ctx.Err() != nil {
			break
		}
	}
	if c.Repeat > 1 && !c.JSON {
		if err := format.Summary(p.Out, all); err != nil {
			return err
		}
	}
	// Down is worse than unknown.
	switch {
	case all.Down > 0:
		return exitDown
	case all.Unknown > 0:
		return exitUnknown
	}
	return nil
}

func add(s *format.Series, o check.Observation) {
	switch o.Outcome {
	case check.OutcomeUp:
		s.Up++
	case check.OutcomeDown:
		s.Down++
	default:
		s.Unknown++
	}
	s.Timings = append(s.Timings, o.Timing)
}

func (c *probeCommand) print(p *program, seen check.Observation, n int) error {
	switch {
	case c.JSON && c.Repeat == 1:
		return format.JSON(p.Out, checkpb.ObservationToProto(seen))
	case c.JSON:
		return format.JSONLine(p.Out, checkpb.ObservationToProto(seen))
	case c.Repeat > 1:
		return format.Observation(p.Out, fmt.Sprintf("%d/%d  %s", n, c.Repeat, c.URL), seen, time.Now())
	}
	return format.Observation(p.Out, c.URL, seen, time.Now())
}
