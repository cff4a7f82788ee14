package main

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/cli"
)

// shortestPanel and longestPanel bound --timeout for verifliers that a coordinator asks.
const (
	shortestPanel = time.Second
	longestPanel  = 20 * time.Second
)

// askPanel has the verifliers of a coordinator check the URL.
func (c *probeCommand) askPanel(ctx context.Context, p *program, t check.Target) error {
	switch {
	case len(c.Via) > 0:
		return usagef("--from-verifliers: a coordinator knows its verifliers; --via names some")
	case c.Repeat > 1 || c.SecondOpinion || c.CAFile != "" || c.Resolver != "" || c.AllowPrivate || c.AllowMetadata:
		return usagef("--from-verifliers: --repeat, --second-opinion, --ca-file, --resolver, --allow-private and --allow-metadata are about checks from here, not about those of verifliers")
	case len(c.Header)+len(c.Require)+len(c.Forbid) > 0 || c.SlowAfter > 0 || t.PageRule != pageRule("off") || t.TLSErrors != tlsErrors("down"):
		return usagef("--from-verifliers: a coordinator takes --method, --redirects and --timeout for a URL that is no site; the rest is what a site has, or --via")
	case c.Timeout < shortestPanel || c.Timeout > longestPanel:
		return usagef("--timeout: must be from %s to %s with --from-verifliers, is %s", shortestPanel, longestPanel, c.Timeout)
	}
	probe := &monitorv1.Probe{Url: c.URL, Method: checkv1.Method(t.Method), RedirectPolicy: checkv1.RedirectPolicy(t.RedirectPolicy), Timeout: durationpb.New(c.Timeout)}
	client := cli.Client{Out: p.Out, Err: p.Err, Width: terminalWidth(p.Out)}
	if c.JSON {
		client.Output = cli.JSON
	}
	return c.connect(client, func(client cli.Client) error {
		verdict, err := client.ProbeURL(ctx, probe)
		switch {
		case err != nil:
			return err
		case verdict == monitorv1.Verdict_VERDICT_REJECTED:
			return nil
		case verdict == monitorv1.Verdict_VERDICT_CONFIRMED:
			return exitDown
		}
		return exitUnknown
	})
}
