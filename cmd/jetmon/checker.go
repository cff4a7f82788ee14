package main

import (
	"context"
	"strings"

	"github.com/Automattic/jetmon/checker"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/rpc"
)

// checkerCommand is `jetmon checker`.
type checkerCommand struct {
	Config      string   `placeholder:"FILE" help:"Jetmon's own file (YAML, a flag in each key), or v1's config.json; flags and environment take precedence."`
	Coordinator []string `required:"" sep:"," placeholder:"HOST:PORT" help:"Coordinators to work for (repeatable). HOST:PORT is one coordinator; dns:///HOST:PORT stands for all addresses of HOST, and follows them as they change."`
	Node        string   `placeholder:"NAME" help:"Name of this node, unique in the fleet; the host name by default."`
	Region      string   `default:"default" help:"Region of this node."`
	MaxInFlight int      `default:"1000" help:"Maximum number of concurrent checks."`
	Insecure    bool     `help:"Start without a token or certificate, for coordinators that ask nobody who they are."`

	CoordinatorDial dialFlags `embed:"" prefix:"coordinator-"`
	certsFlag       `embed:""`
	nodeFlags       `embed:""`
}

// Run probes assigned sites until ctx ends.
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
	if err := c.CoordinatorDial.mustProve(access.Checker, c.Insecure); err != nil {
		return err
	}
	n, err := c.nodeFlags.open(c.Node, p)
	if err != nil {
		return err
	}
	defer n.prober.Close()
	p.collectAt(checker.GOGC)
	p.warn(n.log, "checker")
	warnOfLimits(n.log, c.needs())
	if err := n.export(ctx, p, "checker", n.name); err != nil {
		return err
	}
	id := rpc.NewIdentity(client)
	client.Metrics, client.Identity = n.metrics, id
	n.reload = p.reloader(n.process, reload{
		live:  dialLive("coordinator"),
		flags: func(next *commands) processFlags { return next.Checker.processFlags },
		apply: func(next *commands, _ *program) error {
			client, err := next.Checker.CoordinatorDial.options("coordinator")
			if err == nil {
				id.Set(client)
			}
			return err
		},
	})
	r, err := checker.New(checker.Options{
		Node: n.name, Region: c.Region, Coordinators: c.Coordinator, Client: client,
		Prober: n.prober, Addresses: &n.addresses, SelfCheck: n.monitor, MaxInFlight: c.MaxInFlight, Log: n.log, Metrics: n.metrics,
		Traces: n.exporting.Spans(),
	})
	if err != nil {
		return usageError{err}
	}
	return n.run(ctx, r)
}
