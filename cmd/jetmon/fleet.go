package main

import (
	"context"

	"github.com/Automattic/jetmon/internal/cli"
)

// fleetCommand is `jetmon fleet`, which shows it.
type fleetCommand struct {
	Show    showFleetCommand    `cmd:"" default:"withargs" help:"Show coordinators, checkers, verifliers and alarms; the default."`
	History fleetHistoryCommand `cmd:"" help:"Show how the checks of all sites were, by hour or day."`
}

// showFleetCommand is `jetmon fleet show`.
type showFleetCommand struct {
	clientFlags `embed:""`
}

// Run shows the fleet.
func (c *showFleetCommand) Run(ctx context.Context, p *program) error {
	return c.ask(p, func(client cli.Client) error { return client.ShowFleet(ctx) })
}
