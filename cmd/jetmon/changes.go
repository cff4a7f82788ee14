package main

import (
	"context"
	"strings"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli"
)

// changesCommand is `jetmon changes`.
type changesCommand struct {
	Watch watchChangesCommand `cmd:"" help:"Print a line for each event, while it happens, until Ctrl-C."`
}

// watchChangesCommand is `jetmon changes watch`.
type watchChangesCommand struct {
	SinceToken string   `noenv:"" placeholder:"TOKEN" help:"Begin right after what this token stands for: a resume_token of the API, or what this command has printed at its end."`
	FromStart  bool     `noenv:"" help:"Begin with the oldest event that is kept."`
	Type       []string `noenv:"" placeholder:"TYPE" words:"site-down,site-confirmed-down,site-up,advisory-opened,advisory-closed,incident-opened,incident-updated,incident-resolved,test" help:"Only events of these types: site-down, site-confirmed-down, site-up, advisory-opened, advisory-closed, incident-opened, incident-updated, incident-resolved or test. By default all changes of status."`
	Site       []int64  `noenv:"" placeholder:"ID" help:"Only events of these sites."`
	Blog       []int64  `noenv:"" placeholder:"ID" help:"Only events of sites of these blogs."`
	Tag        []string `noenv:"" placeholder:"TAG" help:"Only events of sites that had one of these tags."`
	Host       []string `noenv:"" placeholder:"HOST[:PORT]" help:"Only events of sites whose URL had one of these hosts."`
	Muted      bool     `noenv:"" help:"Also events that nobody was told of."`

	clientFlags `embed:""`
}

// Run watches.
func (c *watchChangesCommand) Run(ctx context.Context, p *program) error {
	req := &monitorv1.WatchChangesRequest{
		ResumeToken: c.SinceToken, FromStart: c.FromStart, SiteIds: c.Site, BlogIds: c.Blog, Tags: c.Tag, Hosts: c.Host, IncludeMuted: c.Muted,
	}
	if c.SinceToken != "" && c.FromStart {
		return usagef("--since-token and --from-start exclude one another")
	}
	for _, name := range c.Type {
		t, ok := monitorv1.EventType_value["EVENT_TYPE_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))]
		if !ok || t == 0 {
			return usagef("--type: there is no type %q", name)
		}
		req.Types = append(req.Types, monitorv1.EventType(t))
	}
	return c.ask(p, func(client cli.Client) error { return client.WatchChanges(ctx, req) })
}
