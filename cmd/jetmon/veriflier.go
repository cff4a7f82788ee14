package main

import (
	"context"
	"net"

	"github.com/Automattic/jetmon/veriflier"
)

// veriflierCommand is `jetmon veriflier`.
type veriflierCommand struct {
	Listen      string `default:"127.0.0.1:7801" help:"HOST:PORT to answer on."`
	Name        string `placeholder:"NAME" help:"Name that coordinators know this veriflier by; the host name by default."`
	Region      string `default:"default" help:"Where it stands; an outage needs witnesses in two regions."`
	MaxInFlight int    `default:"500" help:"Most checks at once; further ones are refused with RESOURCE_EXHAUSTED."`

	serveFlags   `embed:""`
	nodeFlags    `embed:""`
	processFlags `embed:""`
}

// Run answers until ctx ends.
func (c *veriflierCommand) Run(ctx context.Context, p *program) error {
	if c.MaxInFlight < 1 {
		return usagef("--max-in-flight: must be at least 1, is %d", c.MaxInFlight)
	}
	server, err := c.serveFlags.options(c.Listen)
	if err != nil {
		return err
	}
	name, err := nodeName(c.Name)
	if err != nil {
		return err
	}
	proc, err := c.processFlags.open(p.Err)
	if err != nil {
		return err
	}
	prober, monitor, err := c.nodeFlags.open(proc.log)
	if err != nil {
		return err
	}
	defer prober.Close()
	l, err := listen("listen", c.Listen)
	if err != nil {
		return err
	}
	r, err := veriflier.New(veriflier.Options{
		Name: name, Region: c.Region, Listeners: []net.Listener{l}, Server: server,
		Prober: prober, SelfCheck: monitor, MaxInFlight: c.MaxInFlight, Log: proc.log, Metrics: proc.metrics,
	})
	if err != nil {
		return usageError{err}
	}
	return proc.run(ctx, r)
}
