package main

import (
	"context"
	"errors"
	"net"
	"net/url"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/dev"
	"github.com/Automattic/jetmon/internal/rpc"
)

// devCommand is `jetmon dev`.
type devCommand struct {
	Site          []string      `sep:"none" placeholder:"URL" help:"Site to monitor (repeatable), in addition to the demo sites, or instead of them with --no-demo."`
	Demo          bool          `default:"true" negatable:"" help:"Serve and monitor demo sites (the default): a healthy one, one that goes down and comes back, one behind a firewall."`
	Interval      time.Duration `default:"30s" help:"Time between checks of a site, at least 1s."`
	Recheck       time.Duration `default:"2s" help:"Time between checks of a failing site."`
	WPCOM         string        `name:"wpcom" placeholder:"URL" help:"Endpoint that receives status changes; a local inbox by default."`
	DB            string        `name:"db" placeholder:"PATH" help:"SQLite file to use and keep; a temporary one by default."`
	HTTP          string        `name:"http" default:"127.0.0.1:7802" help:"HOST:PORT of the REST gateway."`
	AllowedHost   []string      `sep:"," placeholder:"HOST" help:"Names that requests to the gateway may give as their host (repeatable), or * for any; see jetmon gateway."`
	StatusPage    []string      `sep:"none" placeholder:"NAME=TAG[,TITLE]" help:"Public page at /status/NAME about the sites with a tag that have public badges (repeatable); see jetmon gateway."`
	GRPC          string        `name:"grpc" default:"127.0.0.1:7800" help:"HOST:PORT of the coordinator's gRPC API."`
	Veriflier     string        `default:"127.0.0.1:7801" help:"HOST:PORT of the first veriflier's gRPC API."`
	Anchor        []string      `sep:"none" placeholder:"URL" help:"Site that always works (repeatable): while no anchor answers, no outage is confirmed. A local one by default."`
	AllowPrivate  bool          `help:"Allow monitoring private and loopback addresses; the demo's are always allowed."`
	AllowMetadata bool          `help:"With --allow-private, allow also the metadata services of clouds, which hand out credentials."`
	Insecure      bool          `help:"Allow listening beyond loopback without authentication."`

	dnsCacheFlag  `embed:""`
	pageCheckFlag `embed:""`
	traceFlag     `embed:""`
	processFlags  `embed:"" set:"least_level=warn"`
}

// Run runs the whole system until ctx ends.
func (c *devCommand) Run(ctx context.Context, p *program) error {
	if err := c.validate(); err != nil {
		return err
	}
	proc, err := c.processFlags.open(p)
	if err != nil {
		return err
	}
	if err := proc.export(ctx, p, "dev", "dev"); err != nil {
		return err
	}
	d, err := c.system(ctx, p, proc)
	if err != nil {
		return err
	}
	return errors.Join(proc.run(ctx, d), d.Close())
}

// system claims the ports, opens the database, and builds the system from both.
func (c *devCommand) system(ctx context.Context, p *program, proc *process) (_ *dev.System, err error) {
	o := dev.Options{
		AllowedHosts: c.AllowedHost,
		Sites:        c.Site, Demo: c.Demo, Interval: c.Interval, Recheck: c.Recheck, WPCOM: c.WPCOM,
		Anchors: c.Anchor, AllowPrivate: c.AllowPrivate, AllowMetadata: c.AllowMetadata, Pages: pageRule(c.PageCheck), Out: p.Out, Log: proc.log, Metrics: proc.metrics,
		Traces: proc.exporting.Spans(), TraceOneIn: c.TraceOneIn,
	}
	if o.DNSCacheMax, err = c.maxAge(); err != nil {
		return nil, err
	}
	if o.StatusPages, err = parseStatusPages(c.StatusPage); err != nil {
		return nil, err
	}
	var claimed []net.Listener
	for _, f := range []struct {
		flag, addr string
		to         *net.Listener
	}{{"http", c.HTTP, &o.Gateway}, {"grpc", c.GRPC, &o.Coordinator}, {"veriflier", c.Veriflier, &o.Veriflier}} {
		if *f.to, err = listen(f.flag, f.addr); err != nil {
			return nil, errors.Join(err, closeAll(claimed))
		}
		claimed = append(claimed, *f.to)
	}
	if o.Database, err = dev.OpenDatabase(ctx, c.DB, proc.log); err != nil {
		return nil, errors.Join(databaseError(err), closeAll(claimed))
	}
	return dev.New(ctx, o)
}

func closeAll(listeners []net.Listener) error {
	var errs []error
	for _, l := range listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

func (c *devCommand) validate() error {
	for _, site := range c.Site {
		if _, err := check.ParseURL(site); err != nil {
			return usagef("--site %s: %w", site, err)
		}
	}
	if err := checkAnchors(c.Anchor); err != nil {
		return err
	}
	if len(c.Site) == 0 && !c.Demo {
		return usagef("--no-demo needs a --site, or there is nothing to watch")
	}
	if c.AllowMetadata && !c.AllowPrivate {
		return usagef("--allow-metadata: needs --allow-private")
	}
	if c.Interval < time.Second {
		return usagef("--interval: must be at least 1s, is %s", c.Interval)
	}
	if c.Recheck <= 0 {
		return usagef("--recheck: must be more than 0, is %s", c.Recheck)
	}
	if c.WPCOM != "" {
		u, err := url.Parse(c.WPCOM)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return usagef("--wpcom %s: must be a URL that begins with http:// or https://", c.WPCOM)
		}
	}
	for flag, addr := range map[string]string{"http": c.HTTP, "grpc": c.GRPC, "veriflier": c.Veriflier} {
		if err := checkAddr(addr, 0); err != nil {
			return usagef("--%s: %w", flag, err)
		}
		if rpc.CheckExposure(addr, c.Insecure) != nil {
			return usagef("--%s: %s is beyond loopback, and callers are not authenticated: give --insecure to listen there nevertheless", flag, addr)
		}
	}
	return nil
}
