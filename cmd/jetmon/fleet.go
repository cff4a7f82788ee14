package main

import (
	"context"

	"github.com/Automattic/jetmon/internal/cli"
)

// fleetCommand is `jetmon fleet`.
type fleetCommand struct {
	clientFlags `embed:""`
}

// Run shows the fleet.
func (c *fleetCommand) Run(ctx context.Context, p *program) error {
	return c.ask(p, func(client cli.Client) error { return client.ShowFleet(ctx) })
}
