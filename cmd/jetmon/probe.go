package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
)

// The exit codes of probe, besides exitUsage.
const (
	exitDown    = exitCode(1)
	exitUnknown = exitCode(3)
)

// probeCommand is `jetmon probe URL`.
type probeCommand struct {
	URL     string        `arg:"" name:"url" help:"URL to check."`
	JSON    bool          `name:"json" help:"Print the observation as JSON, as the API has it."`
	Timeout time.Duration `default:"10s" help:"Budget for everything, at most 60s."`
	Method  string        `enum:"head_then_get,head,get" default:"head_then_get" help:"How to ask: head_then_get, head or get."`

	viaFlags    `embed:""`
	engineFlags `embed:""`
}

// Run checks once; the exit code says what came out: 0 up, 1 down, 3 unknown.
func (c *probeCommand) Run(ctx context.Context, p *program) error {
	if _, err := check.ParseURL(c.URL); err != nil {
		return usagef("%s: %w", c.URL, err)
	}
	if c.Timeout <= 0 || c.Timeout > check.MaxTimeout {
		return usagef("--timeout: must be from 1ms to %s, is %s", check.MaxTimeout, c.Timeout)
	}
	target := check.Target{URL: c.URL, Timeout: c.Timeout}
	switch c.Method {
	case "head":
		target.Method = check.MethodHead
	case "get":
		target.Method = check.MethodGet
	}
	if len(c.Via) > 0 {
		ballot, err := c.viaFlags.ballot(ctx, target)
		if err != nil {
			return err
		}
		return showBallot(p, c.URL, ballot, c.JSON)
	}
	prober, err := c.engineFlags.open()
	if err != nil {
		return err
	}
	defer prober.Close()
	seen := prober.Probe(ctx, target)
	if c.JSON {
		err = printJSON(p, seen)
	} else {
		_, err = fmt.Fprint(p.Out, describe(c.URL, seen, time.Now()))
	}
	if err != nil {
		return err
	}
	switch seen.Outcome {
	case check.OutcomeUp:
		return nil
	case check.OutcomeDown:
		return exitDown
	}
	return exitUnknown
}

func printJSON(p *program, seen check.Observation) error {
	text, err := protojson.MarshalOptions{UseProtoNames: true, Multiline: true, Indent: "  "}.Marshal(checkpb.ObservationToProto(seen))
	if err != nil {
		return fmt.Errorf("encode the observation: %w", err)
	}
	_, err = fmt.Fprintf(p.Out, "%s\n", text)
	return err
}
