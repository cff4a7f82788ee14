package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/internal/cli"
)

// deedFlags are those of commands that do something with sites.
type deedFlags struct {
	idArguments `embed:""`
	IfMatch     string `noenv:"" placeholder:"ETAG" help:"Only if the site, of which there must be one, still has this etag."`

	clientFlags `embed:""`
}

// do asks the coordinator to do something with the sites.
func (f deedFlags) do(ctx context.Context, p *program, deed func(cli.Client, cli.IDs) error) error {
	ids, err := f.ids(ctx, p)
	if err != nil {
		return err
	}
	if f.IfMatch != "" && ids.Many {
		return usagef("--if-match: is the etag of one site, and there are several")
	}
	return f.ask(p, func(client cli.Client) error { return deed(client, ids) })
}

// pauseSitesCommand is `jetmon sites pause ID...`.
type pauseSitesCommand struct {
	deedFlags `embed:""`
}

// Run pauses the sites.
func (c *pauseSitesCommand) Run(ctx context.Context, p *program) error {
	return c.do(ctx, p, func(client cli.Client, ids cli.IDs) error { return client.PauseSites(ctx, ids, c.IfMatch) })
}

// resumeSitesCommand is `jetmon sites resume ID...`.
type resumeSitesCommand struct {
	deedFlags `embed:""`
}

// Run resumes the sites.
func (c *resumeSitesCommand) Run(ctx context.Context, p *program) error {
	return c.do(ctx, p, func(client cli.Client, ids cli.IDs) error { return client.ResumeSites(ctx, ids, c.IfMatch) })
}

// checkSitesCommand is `jetmon sites check ID...`.
type checkSitesCommand struct {
	idArguments `embed:""`
	clientFlags `embed:""`
}

// Run checks the sites. The exit code is that of probe: 0 when all are up, 1 when one is down
// or could not be checked, 3 when one is unknown.
func (c *checkSitesCommand) Run(ctx context.Context, p *program) error {
	ids, err := c.ids(ctx, p)
	if err != nil {
		return err
	}
	return c.ask(p, func(client cli.Client) error {
		worst, err := client.CheckSites(ctx, ids)
		switch {
		case err != nil:
			return err
		case worst == checkv1.Outcome_OUTCOME_UP:
			return nil
		case worst == checkv1.Outcome_OUTCOME_DOWN:
			return exitDown
		}
		return exitUnknown
	})
}

// deleteSitesCommand is `jetmon sites delete ID...`.
type deleteSitesCommand struct {
	Yes bool `noenv:"" short:"y" help:"Do not ask. Without a terminal there is nobody to ask, and nothing is removed without it."`

	deedFlags `embed:""`
}

// Run deletes the sites.
func (c *deleteSitesCommand) Run(ctx context.Context, p *program) error {
	if !c.Yes && c.fromStdin() {
		return usagef("the ids come from stdin, so that nobody can be asked: give --yes")
	}
	if !c.Yes && (!isTerminal(p.In) || !isTerminal(p.Err)) {
		return usagef("nobody can be asked without a terminal: give --yes")
	}
	return c.do(ctx, p, func(client cli.Client, ids cli.IDs) error {
		if !c.Yes {
			if err := c.confirm(ctx, p, client, ids); err != nil {
				return err
			}
		}
		return client.DeleteSites(ctx, ids, c.IfMatch)
	})
}

func (c *deleteSitesCommand) confirm(ctx context.Context, p *program, client cli.Client, ids cli.IDs) error {
	var all []int64
	for id := range ids.All {
		all = append(all, id)
	}
	lines, err := client.DescribeSites(ctx, all)
	if err != nil {
		return err
	}
	what := "this site"
	if len(all) > 1 {
		what = fmt.Sprintf("these %d sites", len(all))
	}
	return p.confirm(ctx, fmt.Sprintf("  %s\nDelete %s?", strings.Join(lines, "\n  "), what))
}
