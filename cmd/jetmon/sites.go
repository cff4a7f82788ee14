package main

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/internal/cli"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// sitesCommand is `jetmon sites`.
type sitesCommand struct {
	List    listSitesCommand   `cmd:"" help:"List sites with their state, status and URL."`
	Explain explainSiteCommand `cmd:"" help:"Explain the status of a site, now or at an earlier time."`
}

// listSitesCommand is `jetmon sites list`.
type listSitesCommand struct {
	Blog  int64  `placeholder:"ID" help:"Only sites of this blog."`
	State string `placeholder:"STATE" help:"Only sites that are in this state now: suspect, verifying, down, confirmed-down, recovering or uncheckable."`
	Host  string `placeholder:"HOST[:PORT]" help:"Only sites whose URL has this host."`
	URL   string `name:"url" placeholder:"URL" help:"Only sites with this URL."`
	Limit int    `default:"100" help:"Maximum number of sites to list; 0: all."`

	clientFlags `embed:""`
}

// Run lists the sites.
func (c *listSitesCommand) Run(ctx context.Context, p *program) error {
	if c.Limit < 0 || c.Blog < 0 {
		return usagef("--limit and --blog must not be negative")
	}
	state, ok := cli.ParseState(c.State)
	if !ok {
		return usagef("--state: must be suspect, verifying, down, confirmed-down, recovering or uncheckable, is %q", c.State)
	}
	return c.ask(p, func(client cli.Client) error {
		return client.ListSites(ctx, cli.SiteList{Blog: c.Blog, State: state, Host: c.Host, URL: c.URL, Limit: c.Limit})
	})
}

// explainSiteCommand is `jetmon sites explain ID`.
type explainSiteCommand struct {
	Site int64  `arg:"" name:"id" help:"Id of the site."`
	At   string `placeholder:"TIME" help:"Explain the status at this time instead of now, for example 2026-05-13T12:00:00Z."`

	clientFlags `embed:""`
}

// Run explains one site.
func (c *explainSiteCommand) Run(ctx context.Context, p *program) error {
	var at time.Time
	if c.At != "" {
		var err error
		if at, err = format.ParseMoment(c.At); err != nil {
			return usagef("--at: %q is not a time like 2026-05-13T12:00:00Z", c.At)
		}
	}
	return c.ask(p, func(client cli.Client) error { return client.ExplainSite(ctx, c.Site, at) })
}
