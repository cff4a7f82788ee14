package main

import (
	"context"
	"net"
	"strings"

	"github.com/Automattic/jetmon"
	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/internal/rpc"
)

// gatewayCommand is `jetmon gateway`.
type gatewayCommand struct {
	Config      string   `placeholder:"FILE" help:"Jetmon's own file (YAML, a flag in each key); flags and environment take precedence."`
	Listen      string   `default:"127.0.0.1:7802" help:"HOST:PORT to serve REST on."`
	Coordinator string   `default:"127.0.0.1:7800" placeholder:"HOST:PORT,..." help:"Coordinators; calls are distributed among the ready ones. A single dns:///HOST:PORT stands for all addresses of HOST."`
	AllowedHost []string `sep:"none" placeholder:"HOST" help:"Name that requests may give as their host (repeatable), or * for any. The host of --listen, the names and addresses of loopback, and beyond loopback every address are allowed anyway."`
	CORSOrigin  []string `name:"cors-origin" sep:"none" placeholder:"ORIGIN" help:"Origin, such as https://status.example.com, whose pages may use the API from a browser (repeatable). None by default."`

	CoordinatorDial dialFlags `embed:"" prefix:"coordinator-"`
	serveFlags      `embed:""`
	processFlags    `embed:""`
}

// Run serves REST until ctx ends.
func (c *gatewayCommand) Run(ctx context.Context, p *program) error {
	for addr := range strings.SplitSeq(c.Coordinator, ",") {
		if err := checkAddr(strings.TrimPrefix(addr, "dns:///"), 1); err != nil {
			return usagef("--coordinator: %w", err)
		}
	}
	server, err := c.serveFlags.options(c.Listen, p.files.config)
	if err != nil {
		return err
	}
	client, err := c.CoordinatorDial.options("coordinator")
	if err != nil {
		return err
	}
	proc, err := c.processFlags.open(p.Err)
	if err != nil {
		return err
	}
	p.warn(proc.log, "gateway")
	l, err := listen("listen", c.Listen)
	if err != nil {
		return err
	}
	live, err := newLiveServer(&server)
	if err != nil {
		return err
	}
	id := rpc.NewIdentity(client)
	client.Metrics, client.Identity = proc.metrics, id
	proc.reload = p.reloader(proc, c.reload(id, live))
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return usagef("--listen: %w", err)
	}
	if host != "" { // which is every address
		c.AllowedHost = append(c.AllowedHost, host)
	}
	r, err := gateway.New(gateway.Options{
		Coordinator: c.Coordinator, Client: client, Listeners: []net.Listener{l}, TLS: server.TLS,
		AllowedHosts: c.AllowedHost, CORSOrigins: c.CORSOrigin,
		Accept: server.Accept, OpenAPI: jetmon.OpenAPI, Log: proc.log, Metrics: proc.metrics,
	})
	if err != nil {
		return usageError{err}
	}
	return proc.run(ctx, r)
}

// reload returns how a gateway takes new settings.
func (c *gatewayCommand) reload(id *rpc.Identity, live *liveServer) reload {
	return reload{
		live:  append(serveLive(), dialLive("coordinator")...),
		flags: func(next *commands) processFlags { return next.Gateway.processFlags },
		apply: func(next *commands, p *program) error {
			o, err := next.Gateway.serveFlags.options(next.Gateway.Listen, p.files.config)
			if err != nil {
				return err
			}
			client, err := next.Gateway.CoordinatorDial.options("coordinator")
			if err != nil {
				return err
			}
			serve, err := live.prepare(o)
			if err != nil {
				return err
			}
			serve()
			id.Set(client)
			return nil
		},
	}
}
