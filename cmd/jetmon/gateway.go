package main

import (
	"context"
	"crypto/tls"
	"net"
	"strings"

	"github.com/Automattic/jetmon"
	"github.com/Automattic/jetmon/gateway"
)

// gatewayCommand is `jetmon gateway`.
type gatewayCommand struct {
	Config      string `placeholder:"FILE" help:"Jetmon's own file (YAML, a flag in each key); flags and environment take precedence."`
	Listen      string `default:"127.0.0.1:7802" help:"HOST:PORT to serve REST on."`
	Coordinator string `default:"127.0.0.1:7800" placeholder:"HOST:PORT,..." help:"Coordinators; calls are distributed among the ready ones. A single dns:///HOST:PORT stands for all addresses of HOST."`

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
	if server.TLS != nil {
		l = tls.NewListener(l, server.TLS)
	}
	client.Metrics = proc.metrics
	r, err := gateway.New(gateway.Options{
		Coordinator: c.Coordinator, Client: client, Listeners: []net.Listener{l},
		Tokens: server.Tokens, OpenAPI: jetmon.OpenAPI, Log: proc.log, Metrics: proc.metrics,
	})
	if err != nil {
		return usageError{err}
	}
	return proc.run(ctx, r)
}
