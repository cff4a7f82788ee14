package main

import (
	"context"
	"crypto/tls"
	"net"
	"strings"

	"github.com/Automattic/jetmon"
	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/limits"
	"github.com/Automattic/jetmon/internal/rpc"
)

// gatewayCommand is `jetmon gateway`.
type gatewayCommand struct {
	Config      string   `placeholder:"FILE" help:"Jetmon's own file (YAML, a flag in each key); flags and environment take precedence."`
	Listen      string   `default:"127.0.0.1:7802" help:"HOST:PORT to serve REST on."`
	Coordinator string   `default:"127.0.0.1:7800" placeholder:"HOST:PORT,..." help:"Coordinators; calls are distributed among the ready ones. A single dns:///HOST:PORT stands for all addresses of HOST."`
	AllowedHost []string `sep:"," placeholder:"HOST" help:"Names that requests may give as their host (repeatable), or * for any. The host of --listen, the names and addresses of loopback, and beyond loopback every address are allowed anyway."`
	CORSOrigin  []string `name:"cors-origin" sep:"none" placeholder:"ORIGIN" help:"Origin, such as https://status.example.com, whose pages may use the API from a browser (repeatable). None by default."`

	UI bool `name:"ui" default:"true" negatable:"" help:"Serve the cockpit, the pages for people at /ui/ (the default)."`

	StatusPage      []string `sep:"none" placeholder:"NAME=TAG[,TITLE]" help:"Public page at /status/NAME about the sites with a tag that have public badges (repeatable). None by default."`
	StatusTokenFile string   `placeholder:"FILE" help:"Token of the API for status pages, with sites:read and outages:read; its blogs bound what they can show."`

	Name     string `placeholder:"NAME" help:"Name of this gateway, for its certificate; the host name by default."`
	Insecure bool   `help:"Start without a token or certificate, for coordinators that ask nobody who they are, and listen beyond loopback without TLS."`

	CoordinatorDial dialFlags `embed:"" prefix:"coordinator-"`
	certsFlag       `embed:""`
	tlsFlags        `embed:""`
	processFlags    `embed:""`
}

// gatewayGC is the default of GOGC: a gateway keeps nothing, so its heap is small, and with Go's
// default it would collect many times a second. More than this costs memory while bodies are large.
const gatewayGC = 200

// Run serves REST until ctx ends.
func (c *gatewayCommand) Run(ctx context.Context, p *program) error {
	for addr := range strings.SplitSeq(c.Coordinator, ",") {
		if err := checkAddr(strings.TrimPrefix(addr, "dns:///"), 1); err != nil {
			return usagef("--coordinator: %w", err)
		}
	}
	server, err := c.server()
	if err != nil {
		return err
	}
	client, err := c.CoordinatorDial.options("coordinator")
	if err != nil {
		return err
	}
	if err := c.CoordinatorDial.mustProve(access.Gateway, c.Insecure); err != nil {
		return err
	}
	proc, err := c.processFlags.open(p)
	if err != nil {
		return err
	}
	p.warn(proc.log, "gateway")
	warnOfLimits(proc.log, limits.Gateway())
	if err := proc.export(ctx, p, gatewayRole, c.Name); err != nil {
		return err
	}
	p.collectAt(gatewayGC)
	l, err := listen("listen", c.Listen)
	if err != nil {
		return err
	}
	live := newLiveServer(&server)
	id := rpc.NewIdentity(client)
	client.Metrics, client.Identity = proc.metrics, id
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return usagef("--listen: %w", err)
	}
	if host != "" { // which is every address
		c.AllowedHost = append(c.AllowedHost, host)
	}
	pages, token, err := c.statusPages()
	if err != nil {
		return err
	}
	r, err := gateway.New(gateway.Options{
		StatusPages: pages, StatusToken: token,
		Coordinator: c.Coordinator, Client: client, Listeners: []net.Listener{l}, TLS: server.TLS,
		AllowedHosts: c.AllowedHost, CORSOrigins: c.CORSOrigin,
		OpenAPI: jetmon.OpenAPI, NoUI: !c.UI, Log: proc.log, Metrics: proc.metrics,
	})
	if err != nil {
		return usageError{err}
	}
	proc.reload = p.reloader(proc, c.reload(id, live, r))
	return proc.run(ctx, r)
}

// server reads the files of the listener. Tokens that strangers could read on the way are
// refused.
func (c *gatewayCommand) server() (o rpc.ServerOptions, err error) {
	if err := checkAddr(c.Listen, 0); err != nil {
		return o, usagef("--listen: %w", err)
	}
	if o.TLS, err = c.tlsFlags.config(); err != nil {
		return o, err
	}
	if o.TLS == nil {
		if err := rpc.CheckExposure(c.Listen, c.Insecure); err != nil {
			return o, usagef("--listen: tokens would pass %s in clear: give --tls-cert, or listen on loopback behind a proxy, or give --insecure", c.Listen)
		}
	} else if c.TLSClientCA != "" {
		o.TLS.ClientAuth = tls.RequireAndVerifyClientCert // a second wall: tokens decide
	}
	return o, nil
}

// reload returns how a gateway takes new settings.
func (c *gatewayCommand) reload(id *rpc.Identity, live *liveServer, g *gateway.Gateway) reload {
	return reload{
		live:  append([]string{"tls-cert", "tls-key", "tls-client-ca", "insecure", "status-page", "status-token-file"}, dialLive("coordinator")...),
		flags: func(next *commands) processFlags { return next.Gateway.processFlags },
		apply: func(next *commands, _ *program) error {
			o, err := next.Gateway.server()
			if err != nil {
				return err
			}
			client, err := next.Gateway.CoordinatorDial.options("coordinator")
			if err != nil {
				return err
			}
			pages, token, err := next.Gateway.statusPages()
			if err != nil {
				return err
			}
			serve, err := live.prepare(o)
			if err != nil {
				return err
			}
			if err := g.SetStatusPages(pages, token); err != nil {
				return err
			}
			serve()
			id.Set(client)
			return nil
		},
	}
}

// parseStatusPages parses --status-page.
func parseStatusPages(texts []string) (pages []gateway.StatusPage, err error) {
	for _, text := range texts {
		name, rest, ok := strings.Cut(text, "=")
		tag, title, _ := strings.Cut(rest, ",")
		if !ok || tag == "" {
			return nil, usagef("--status-page: %q is not NAME=TAG or NAME=TAG,TITLE", text)
		}
		pages = append(pages, gateway.StatusPage{Name: name, Tag: tag, Title: title})
	}
	return pages, nil
}

// statusPages reads --status-page and its token.
func (c *gatewayCommand) statusPages() (pages []gateway.StatusPage, token string, err error) {
	if pages, err = parseStatusPages(c.StatusPage); err != nil {
		return nil, "", err
	}
	if c.StatusTokenFile == "" {
		return pages, "", nil
	}
	tokens, err := readTokens(c.StatusTokenFile)
	if err != nil {
		return nil, "", usagef("--status-token-file: %w", err)
	}
	if len(tokens) != 1 {
		return nil, "", usagef("--status-token-file: %s has %d tokens, want one", c.StatusTokenFile, len(tokens))
	}
	return pages, tokens[0], nil
}
