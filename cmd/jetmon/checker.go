package main

import (
	"context"
	"strings"

	"github.com/Automattic/jetmon/checker"
)

// checkerCommand is `jetmon checker`.
type checkerCommand struct {
	Coordinator []string `required:"" sep:"," placeholder:"HOST:PORT,..." help:"Coordinators to work for (repeatable). dns:///HOST:PORT stands for all addresses that HOST resolves to, as they come and go; HOST:PORT is one coordinator."`
	Node        string   `placeholder:"NAME" help:"Name of this node, unique in the fleet; the host name by default."`
	Region      string   `default:"default" help:"Where this node stands."`
	MaxInFlight int      `default:"1000" help:"Most checks at once."`

	CoordinatorDial dialFlags `embed:"" prefix:"coordinator-"`
	nodeFlags       `embed:""`
}

// Run checks what it is assigned until ctx ends.
func (c *checkerCommand) Run(ctx context.Context, p *program) error {
	for _, addr := range c.Coordinator {
		if err := checkAddr(strings.TrimPrefix(addr, "dns:///"), 1); err != nil {
			return usagef("--coordinator: %w", err)
		}
	}
	if c.MaxInFlight < 1 {
		return usagef("--max-in-flight: must be at least 1, is %d", c.MaxInFlight)
	}
	client, err := c.CoordinatorDial.options("coordinator")
	if err != nil {
		return err
	}
	n, err := c.nodeFlags.open(c.Node, p.Err)
	if err != nil {
		return err
	}
	defer n.prober.Close()
	client.Metrics = n.metrics
	r, err := checker.New(checker.Options{
		Node: n.name, Region: c.Region, Coordinators: c.Coordinator, Client: client,
		Prober: n.prober, SelfCheck: n.monitor, MaxInFlight: c.MaxInFlight, Log: n.log, Metrics: n.metrics,
	})
	if err != nil {
		return usageError{err}
	}
	return n.run(ctx, r)
}
