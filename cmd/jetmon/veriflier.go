package main

import (
	"context"
	"net"

	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/veriflier"
)

// veriflierCommand is `jetmon veriflier`.
type veriflierCommand struct {
	Config      string `placeholder:"FILE" help:"Jetmon's own file (YAML, a flag in each key), or v1's veriflier.json; flags and environment take precedence."`
	Listen      string `default:"127.0.0.1:7801" help:"HOST:PORT to serve Verify on."`
	Name        string `placeholder:"NAME" help:"Name of this veriflier, as coordinators know it; the host name by default."`
	Region      string `default:"default" help:"Region of this veriflier; confirming an outage takes votes from two regions."`
	MaxInFlight int    `default:"500" help:"Maximum number of concurrent checks; further ones are refused with RESOURCE_EXHAUSTED."`

	certsFlag  `embed:""`
	serveFlags `embed:""`
	nodeFlags  `embed:""`
}

// Run serves until ctx ends.
func (c *veriflierCommand) Run(ctx context.Context, p *program) error {
	if c.MaxInFlight < 1 {
		return usagef("--max-in-flight: must be at least 1, is %d", c.MaxInFlight)
	}
	server, err := c.serveFlags.options(c.Listen, p.files.config, rpc.Rate{})
	if err != nil {
		return err
	}
	n, err := c.nodeFlags.open(c.Name, p)
	if err != nil {
		return err
	}
	defer n.prober.Close()
	p.warn(n.log, "veriflier")
	warnOfLimits(n.log, c.needs())
	if err := n.export(ctx, p, "veriflier", n.name); err != nil {
		return err
	}
	second, err := c.nodeFlags.secondReader()
	if err != nil {
		return err
	}
	l, err := listen("listen", c.Listen)
	if err != nil {
		return err
	}
	live := newLiveServer(&server)
	n.reload = p.reloader(n.process, reload{
		live:  serveLive(),
		flags: func(next *commands) processFlags { return next.Veriflier.processFlags },
		apply: func(next *commands, p *program) error {
			o, err := next.Veriflier.serveFlags.options(next.Veriflier.Listen, p.files.config, rpc.Rate{})
			if err != nil {
				return err
			}
			serve, err := live.prepare(o)
			if err == nil {
				serve()
			}
			return err
		},
	})
	r, err := veriflier.New(veriflier.Options{
		Name: n.name, Region: c.Region, Listeners: []net.Listener{l}, Server: server,
		Prober: n.prober, SecondReader: second, SelfCheck: n.monitor, MaxInFlight: c.MaxInFlight, Log: n.log, Metrics: n.metrics,
		Traces: n.exporting.Spans(),
	})
	if err != nil {
		return usageError{err}
	}
	return n.run(ctx, r)
}
