package main

import (
	"context"

	"github.com/Automattic/jetmon/internal/cli"
)

// incidentsCommand is `jetmon incidents`.
type incidentsCommand struct {
	List    listIncidentsCommand   `cmd:"" help:"List failures of many sites at once, newest first, with what the sites share."`
	Members incidentMembersCommand `cmd:"" help:"List the sites of one incident."`
}

// listIncidentsCommand is `jetmon incidents list`.
type listIncidentsCommand struct {
	Open  bool `help:"Only incidents that go on."`
	Limit int  `default:"100" help:"Maximum number of incidents to list; 0: all."`

	clientFlags `embed:""`
}

// Run lists the incidents.
func (c *listIncidentsCommand) Run(ctx context.Context, p *program) error {
	if c.Limit < 0 {
		return usagef("--limit must not be negative")
	}
	return c.ask(p, func(client cli.Client) error { return client.ListIncidents(ctx, c.Open, c.Limit) })
}

// incidentMembersCommand is `jetmon incidents members ID`.
type incidentMembersCommand struct {
	Incident int64 `arg:"" name:"id" help:"Id of the incident."`
	Limit    int   `default:"100" help:"Maximum number of sites to list; 0: all."`

	clientFlags `embed:""`
}

// Run lists the sites.
func (c *incidentMembersCommand) Run(ctx context.Context, p *program) error {
	if c.Limit < 0 {
		return usagef("--limit must not be negative")
	}
	return c.ask(p, func(client cli.Client) error { return client.ListIncidentMembers(ctx, c.Incident, c.Limit) })
}
