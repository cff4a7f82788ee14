package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/internal/restjson"
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
	var all probeSeries
	for range c.Repeat {
		seen := prober.Probe(ctx, target)
		all.add(seen)
		if err := c.print(p, seen, all.count); err != nil {
			return err
		}
		if ctx.Err() != nil {
			break
		}
	}
	if c.Repeat > 1 && !c.JSON {
		if _, err := fmt.Fprint(p.Out, all.summary()); err != nil {
			return err
		}
	}
	return all.exit()
}

func (c *probeCommand) print(p *program, seen check.Observation, n int) error {
	if c.JSON {
		return printJSON(p, seen, c.Repeat == 1)
	}
	title := ""
	if c.Repeat > 1 {
		title = fmt.Sprintf("%d/%d  ", n, c.Repeat)
	}
	_, err := fmt.Fprint(p.Out, title+describe(strings.Map(printable, c.URL), seen, time.Now()))
	return err
}

func printJSON(p *program, seen check.Observation, pretty bool) error {
	if pretty {
		return writeJSON(p.Out, checkpb.ObservationToProto(seen))
	}
	text, err := restjson.Line(checkpb.ObservationToProto(seen))
	if err != nil {
		return fmt.Errorf("encode the observation: %w", err)
	}
	_, err = p.Out.Write(text)
	return err
}
