package main

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// sitesCommand is `jetmon sites`.
type sitesCommand struct {
	List    listSitesCommand   `cmd:"" help:"List sites with their state, status and URL."`
	Get     getSitesCommand    `cmd:"" help:"Show all that is known of sites."`
	Explain explainSiteCommand `cmd:"" help:"Explain the status of a site, now or at an earlier time."`
	History siteHistoryCommand `cmd:"" help:"Show what became of every check of a site, by check, hour or day."`
	Uptime  siteUptimeCommand  `cmd:"" help:"Show how much sites were up, and how quick."`
	Add     addSitesCommand    `cmd:"" help:"Add sites and begin to check them."`
	Edit    editSiteCommand    `cmd:"" help:"Change a site: only what the flags name."`
	Pause   pauseSitesCommand  `cmd:"" help:"Stop the checks of sites."`
	Resume  resumeSitesCommand `cmd:"" help:"Have paused sites checked again."`
	Check   checkSitesCommand  `cmd:"" help:"Check sites now and print what was seen."`
	Delete  deleteSitesCommand `cmd:"" help:"Remove sites; their outages stay readable."`
	Import  importSitesCommand `cmd:"" help:"Add the sites of a file: CSV, NDJSON, or what Uptime Kuma or Gatus has."`
	Export  exportSitesCommand `cmd:"" help:"Write sites into a file that can be imported."`
}

// listSitesCommand is `jetmon sites list`.
type listSitesCommand struct {
	Blog         int64   `placeholder:"ID" help:"Only sites of this blog."`
	State        string  `placeholder:"STATE" words:"never-checked,up,suspect,verifying,down,confirmed-down,recovering,paused,uncheckable" help:"Only sites that are in this state now: never-checked, up, suspect, verifying, down, confirmed-down, recovering, paused or uncheckable."`
	Host         string  `placeholder:"HOST[:PORT]" help:"Only sites whose URL has this host."`
	URL          string  `name:"url" placeholder:"URL" help:"Only sites with this URL."`
	Tag          string  `noenv:"" placeholder:"TAG" help:"Only sites with this tag."`
	Status       string  `noenv:"" placeholder:"STATUS" words:"down,running,confirmed-down" help:"Only sites of which WordPress.com was told this: down (0), running (1) or confirmed-down (2)."`
	Bucket       *uint32 `noenv:"" placeholder:"N" help:"Only sites in this bucket, 0..511."`
	ChangedSince string  `noenv:"" placeholder:"TIME" help:"Only sites whose status has changed since this time, as 2026-05-13T12:00:00Z, or in this time, as 2h or 7d."`
	Order        string  `noenv:"" placeholder:"ORDER" words:"site_id,site_id desc" help:"site_id, or \"site_id desc\" for the newest first."`
	Limit        int     `default:"100" help:"Maximum number of sites to list; 0: all."`

	clientFlags `embed:""`
}

// Run lists the sites.
func (c *listSitesCommand) Run(ctx context.Context, p *program) error {
	if c.Limit < 0 || c.Blog < 0 {
		return usagef("--limit and --blog must not be negative")
	}
	filter := &monitorv1.ListSitesRequest{BlogId: c.Blog, Host: c.Host, Url: c.URL, Tag: c.Tag, Bucket: c.Bucket, OrderBy: c.Order}
	var ok bool
	if filter.State, ok = cli.ParseState(c.State); !ok {
		return usagef("--state: must be never-checked, up, suspect, verifying, down, confirmed-down, recovering, paused or uncheckable, is %q", c.State)
	}
	if c.Order != "" && c.Order != "site_id" && c.Order != "site_id desc" {
		return usagef("--order: must be site_id, or \"site_id desc\" for the newest first, is %q", c.Order)
	}
	var err error
	if filter.Status, err = statusOf(c.Status); err != nil {
		return err
	}
	if c.ChangedSince != "" {
		since, err := momentOf(c.ChangedSince, time.Now())
		if err != nil {
			return usagef("--changed-since: %w", err)
		}
		filter.ChangedSince = timestamppb.New(since)
	}
	return c.ask(p, func(client cli.Client) error {
		return client.ListSites(ctx, cli.SiteList{Filter: filter, Limit: c.Limit})
	})
}

// statusOf reads what WordPress.com was told; nil for an empty text.
func statusOf(text string) (*int32, error) {
	if text == "" {
		return nil, nil
	}
	status, ok := map[string]int32{"down": 0, "0": 0, "running": 1, "1": 1, "confirmed-down": 2, "2": 2}[text]
	if !ok {
		return nil, usagef("--status: must be down (0), running (1) or confirmed-down (2), is %q", text)
	}
	return &status, nil
}

// momentOf reads a time, or how long ago it was.
func momentOf(text string, now time.Time) (time.Time, error) {
	var ago age
	if ago.UnmarshalText([]byte(text)) == nil {
		return now.Add(-time.Duration(ago)), nil
	}
	at, err := format.ParseMoment(text)
	if err != nil {
		return at, usagef("%q is neither a time like 2026-05-13T12:00:00Z nor one like 2h or 7d", text)
	}
	return at, nil
}

// getSitesCommand is `jetmon sites get ID...`.
type getSitesCommand struct {
	idArguments `embed:""`
	clientFlags `embed:""`
}

// Run shows the sites.
func (c *getSitesCommand) Run(ctx context.Context, p *program) error {
	ids, err := c.ids(ctx, p)
	if err != nil {
		return err
	}
	return c.ask(p, func(client cli.Client) error { return client.GetSites(ctx, ids) })
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
