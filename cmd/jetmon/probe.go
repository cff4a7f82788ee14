package main

import (
	"context"
	"crypto/x509"
	"os"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/cli"
)

// The exit codes of probe, besides exitUsage.
const (
	exitDown    = exitCode(1)
	exitUnknown = exitCode(3)
)

// maxRepeat limits --repeat.
const maxRepeat = 10_000

// probeCommand is `jetmon probe URL`.
type probeCommand struct {
	URL       string        `arg:"" name:"url" help:"URL to check; http:// may be left out."`
	JSON      bool          `name:"json" help:"Print the observation as JSON in the API's format; with --repeat, one per line."`
	Timeout   time.Duration `default:"10s" help:"Total time limit, at most 60s."`
	Method    string        `enum:"head-then-get,head,get" default:"head-then-get" help:"Request method: head-then-get, head or get."`
	Header    []string      `sep:"none" placeholder:"K: V" help:"Header to send (repeatable)."`
	Require   []string      `sep:"none" placeholder:"TEXT" help:"Text that the page must contain (repeatable)."`
	Forbid    []string      `sep:"none" placeholder:"TEXT" help:"Text that the page must not contain (repeatable)."`
	Redirects string        `enum:"follow,fail" default:"follow" help:"Treatment of redirects: follow or fail."`
	PageCheck string        `enum:"off,advise,down" default:"off" help:"Ask by GET and judge the page; what it means if it is a failure of WordPress or PHP although its status is good: down or advise."`
	TLSErrors string        `name:"tls-errors" enum:"down,advise" default:"down" help:"What a certificate means that does not verify: down or advise."`
	SlowAfter time.Duration `placeholder:"DUR" help:"Report a site as slow if it takes longer than this."`
	CAFile    string        `name:"ca-file" placeholder:"PEM" help:"Trust the issuers in this file instead of the system's."`
	Repeat    int           `default:"1" placeholder:"N" help:"Number of checks, one after the other; the worst result sets the exit code."`

	SecondOpinion bool `help:"Also ask the independent reader that verifliers ask about failures that rest on how an answer is read, and show both readings side by side; the exit code is the vote of a veriflier."`

	FromVerifliers bool `help:"Have all verifliers of the coordinator check the URL at once, and show the ballot by its rule; see --server and --context. It takes the scope checks:run."`

	viaFlags    `embed:""`
	engineFlags `embed:""`
	serverFlags `embed:""`
}

// Run checks the URL. The exit code is the outcome: 0 up, 1 down, 3 unknown.
func (c *probeCommand) Run(ctx context.Context, p *program) error {
	target, err := c.target()
	if err != nil {
		return err
	}
	switch {
	case c.FromVerifliers:
		return c.askPanel(ctx, p, target)
	case len(c.Via) > 0 && c.SecondOpinion:
		return usagef("--via: verifliers ask for a second opinion by themselves; --second-opinion is about a check from here")
	case len(c.Via) > 0:
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
	o := cli.ProbeOptions{Prober: prober, Target: target, Repeat: c.Repeat, Out: p.Out, JSON: c.JSON}
	var outcome check.Outcome
	if c.SecondOpinion {
		if o.SecondReader, err = newSecondReader(options); err != nil {
			return err
		}
		outcome, err = cli.SecondOpinion(ctx, o)
	} else {
		outcome, err = cli.Probe(ctx, o)
	}
	switch {
	case err != nil:
		return err
	case outcome == check.OutcomeDown:
		return exitDown
	case outcome == check.OutcomeUnknown:
		return exitUnknown
	}
	return nil
}

// target builds the target from the flags. Impossible values are usage errors; the engine
// decides what may not be probed.
func (c *probeCommand) target() (check.Target, error) {
	t := check.Target{URL: check.CompleteURL(c.URL), Timeout: c.Timeout}
	switch {
	case c.Timeout <= 0 || c.Timeout > check.MaxTimeout:
		return t, usagef("--timeout: must be from 1ms to %s, is %s", check.MaxTimeout, c.Timeout)
	case c.SlowAfter < 0:
		return t, usagef("--slow-after: must not be negative, is %s", c.SlowAfter)
	case c.Repeat < 1 || c.Repeat > maxRepeat:
		return t, usagef("--repeat: must be from 1 to %d, is %d", maxRepeat, c.Repeat)
	case c.SecondOpinion && c.Repeat > 1:
		return t, usagef("--repeat: --second-opinion is about one check")
	}
	for _, line := range c.Header {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return t, usagef("--header: %q is not 'NAME: VALUE'", line)
		}
		t.Headers = append(t.Headers, check.Header{Name: strings.TrimSpace(name), Value: strings.Trim(value, " \t")})
	}
	for flag, texts := range map[string][]string{"--require": c.Require, "--forbid": c.Forbid} {
		for _, text := range texts {
			if text == "" {
				return t, usagef("%s: must not be empty", flag)
			}
		}
	}
	t.RequiredTexts, t.ForbiddenTexts, t.SlowAfter = c.Require, c.Forbid, c.SlowAfter
	t.Method = map[string]check.Method{
		"head-then-get": check.MethodHeadThenGet, "head": check.MethodHead, "get": check.MethodGet,
	}[c.Method]
	t.PageRule, t.TLSErrors = pageRule(c.PageCheck), tlsErrors(c.TLSErrors)
	if c.Redirects == "fail" {
		t.RedirectPolicy = check.RedirectFail
	}
	return t, nil
}

// readRoots reads the trusted issuers.
func readRoots(name string) (*x509.CertPool, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, usagef("--ca-file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, usagef("--ca-file: %s has no certificate in PEM", name)
	}
	return roots, nil
}
