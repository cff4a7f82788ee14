package main

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/internal/cli"
)

// outagesCommand is `jetmon outages`.
type outagesCommand struct {
	List   listOutagesCommand  `cmd:"" help:"List outages, newest first."`
	Show   showOutageCommand   `cmd:"" help:"Show one outage with every vote."`
	Replay replayOutageCommand `cmd:"" help:"Decide the ballot of an outage again from its stored votes, or by another rule."`
}

// listOutagesCommand is `jetmon outages list`.
type listOutagesCommand struct {
	Site   int64         `placeholder:"ID" help:"Only outages of this site."`
	Open   bool          `help:"Only open outages."`
	Region string        `help:"Only outages that were seen from this region when they opened."`
	Host   string        `help:"Only outages of URLs on this host, with or without a port."`
	Tag    string        `help:"Only outages of sites with this tag."`
	Blog   int64         `placeholder:"ID" help:"Only outages of this blog."`
	Lasted time.Duration `placeholder:"DURATION" help:"Only outages that have lasted for this long at least."`
	Limit  int           `default:"100" help:"Maximum number of outages to list; 0: all."`

	clientFlags `embed:""`
}

// Run lists the outages.
func (c *listOutagesCommand) Run(ctx context.Context, p *program) error {
	if c.Limit < 0 || c.Site < 0 || c.Blog < 0 || c.Lasted < 0 {
		return usagef("--limit, --site, --blog and --lasted must not be negative")
	}
	return c.ask(p, func(client cli.Client) error {
		return client.ListOutages(ctx, cli.OutageList{
			Site: c.Site, Open: c.Open, Region: c.Region, Host: c.Host, Tag: c.Tag, Blog: c.Blog, Lasted: c.Lasted, Limit: c.Limit,
		})
	})
}

// showOutageCommand is `jetmon outages show ID`.
type showOutageCommand struct {
	Outage int64 `arg:"" name:"id" help:"Id of the outage."`

	clientFlags `embed:""`
}

// Run shows one outage.
func (c *showOutageCommand) Run(ctx context.Context, p *program) error {
	return c.ask(p, func(client cli.Client) error { return client.ShowOutage(ctx, c.Outage) })
}

// replayOutageCommand is `jetmon outages replay ID`.
type replayOutageCommand struct {
	Outage  int64  `arg:"" name:"id" help:"Id of the outage."`
	Need    uint32 `placeholder:"N" help:"DOWN votes that another rule needs; by default as many as the original rule."`
	Regions uint32 `placeholder:"N" help:"Regions that the other rule needs."`

	clientFlags `embed:""`
}

// Run replays one ballot. The exit code is 1 if the verdict differs from the stored one.
func (c *replayOutageCommand) Run(ctx context.Context, p *program) error {
	return c.ask(p, func(client cli.Client) error {
		same, err := client.ReplayOutage(ctx, c.Outage, cli.Rule{Need: c.Need, Regions: c.Regions})
		if err == nil && !same {
			return exitCode(exitFailed)
		}
		return err
	})
}
