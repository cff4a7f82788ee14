package dev

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon"
	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/channel/post"
	"github.com/Automattic/jetmon/coordinator/edge/channels"
	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/cluster"
	"github.com/Automattic/jetmon/internal/demo"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/tracing"
)

// Options describe the system. Database, the three listeners, Interval, Recheck, Out, Log
// and Metrics are required.
type Options struct {
	Database *Database
	// StatusPages are the public pages of the gateway.
	StatusPages []gateway.StatusPage
	// Gateway, Coordinator and Veriflier are the TCP listeners of the gateway, the
	// coordinator and the first veriflier.
	Gateway, Coordinator, Veriflier net.Listener
	// AllowedHosts are as in gateway.Options.
	AllowedHosts []string
	// Sites are URLs to monitor in addition to the demo's.
	Sites []string
	// Demo adds sites that work, fail and come back.
	Demo bool
	// Interval is the time between checks of a site, Recheck the time while it fails.
	Interval, Recheck time.Duration
	// WPCOM is the URL that receives notifications; empty means a local inbox.
	WPCOM string
	// Anchors are the sites that every node probes to measure its own connectivity; none
	// means a local one.
	Anchors []string
	// AllowPrivate allows monitoring private addresses; the system's own are always allowed.
	AllowPrivate bool
	// AllowMetadata, together with AllowPrivate, allows the metadata services of clouds.
	AllowMetadata bool
	// DNSCacheMax is as in probe.Options.
	DNSCacheMax time.Duration
	// Pages is as in coordinator.Options.
	Pages check.PageRule
	// Out receives the greeting, and a line per status change.
	Out     io.Writer
	Log     *slog.Logger
	Metrics prometheus.Registerer
	// Traces and TraceOneIn are as in cluster.Options.
	Traces     *tracing.Recorder
	TraceOneIn uint32
}

// System is all of Jetmon in one process, with its own sites and inbox. New makes it, Run
// runs it once, Close cleans up after either.
type System struct {
	o       Options
	store   *sqlstore.Store
	demo    *demo.Demo
	anchor  *anchor // nil if Options.Anchors has others
	cluster *cluster.Cluster
	ticker  *ticker
	// unused are the listeners that Close must close: Run has not taken them over.
	unused []net.Listener
}

// flushEvery is short: whoever tries Jetmon out wants to see history at once.
const flushEvery = 5 * time.Second

// New makes the system and adds its sites to the database. It takes over the database and
// the listeners, and closes them if it fails.
func New(ctx context.Context, o Options) (*System, error) {
	d := &System{o: o, store: o.Database.store, unused: []net.Listener{o.Gateway, o.Coordinator, o.Veriflier}}
	if err := d.open(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *System) open(ctx context.Context) error {
	sites, err := d.openDemo()
	if err != nil {
		return err
	}
	anchors, own, err := d.openAnchors()
	if err != nil {
		return err
	}
	if err := d.seed(ctx, d.demo.URLs()); err != nil {
		return fmt.Errorf("add the sites: %w", err)
	}
	policy := lifecycle.DefaultPolicy()
	policy.Between = d.o.Recheck
	d.ticker = newTicker(d.o.Out)
	d.cluster, err = cluster.New(cluster.Options{
		Store: d.store, Policy: policy, IntervalOverride: d.o.Interval, Pages: d.o.Pages,
		Notify: notify.Options{URL: cmp.Or(d.o.WPCOM, d.demo.InboxURL())}, OnChange: d.ticker.changed,
		Channels: channels.Options{Post: post.Options{AllowPrivate: true}}, // nobody else reaches it
		History:  coordinator.History{FlushEvery: flushEvery},
		Probe: probe.Options{
			AllowPrivate: d.o.AllowPrivate, AllowMetadata: d.o.AllowMetadata, Allowed: append(sites, own...), DNSCacheMax: d.o.DNSCacheMax, Log: d.o.Log,
		},
		Anchors:      anchors,
		AllowedHosts: d.o.AllowedHosts, StatusPages: d.o.StatusPages, GatewayListener: d.o.Gateway, CoordinatorListener: d.o.Coordinator, VeriflierListener: d.o.Veriflier,
		OpenAPI: jetmon.OpenAPI, Log: d.o.Log, Metrics: d.o.Metrics, Traces: d.o.Traces, TraceOneIn: d.o.TraceOneIn,
	})
	return err
}

// openDemo returns the addresses of the demo's sites. They may be probed although they are
// on loopback.
func (d *System) openDemo() (sites []netip.AddrPort, err error) {
	o := demo.Options{Log: d.o.Log}
	if d.o.Demo {
		if o.Sites, err = d.listen("demo sites"); err != nil {
			return nil, err
		}
		sites = append(sites, o.Sites.Addr().(*net.TCPAddr).AddrPort())
	}
	if d.o.WPCOM == "" {
		if o.Inbox, err = d.listen("WPCOM inbox"); err != nil {
			return nil, err
		}
	}
	d.demo, err = demo.New(o)
	return sites, err
}

// listen claims a free port on loopback.
func (d *System) listen(what string) (net.Listener, error) {
	l, err := rpc.TCP().Listen("127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	d.unused = append(d.unused, l)
	return l, nil
}

// Run prints the greeting and runs everything until ctx ends. The inbox outlives the roles,
// to receive their last notifications.
func (d *System) Run(ctx context.Context) error {
	if err := d.greet(); err != nil {
		return err
	}
	d.unused = nil
	group, ctx := errgroup.WithContext(ctx)
	outer, stop := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer stop()
		return d.cluster.Run(ctx)
	})
	group.Go(func() error { return d.demo.Run(outer) })
	group.Go(func() error { return d.ticker.Run(outer) })
	if d.anchor != nil {
		group.Go(func() error { return d.anchor.Run(outer) })
	}
	return group.Wait()
}

// Ready returns which roles cannot work now, and why; nil if all can.
func (d *System) Ready() error { return d.cluster.Ready() }

// Close closes everything that Run has not closed, and removes a temporary database.
func (d *System) Close() error {
	var errs []error
	for _, l := range d.unused {
		errs = append(errs, l.Close())
	}
	return errors.Join(append(errs, d.o.Database.Close())...)
}

// greet prints the addresses, and commands to try.
func (d *System) greet() error {
	rest, api, veriflier := "http://"+d.o.Gateway.Addr().String(), d.o.Coordinator.Addr().String(), d.o.Veriflier.Addr().String()
	var b strings.Builder
	row := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-12s %s\n", label, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "Jetmon runs here: a coordinator, 2 checkers, 3 verifliers in 3 regions and a gateway.\nEvery site is checked every %s.\n\n", d.o.Interval)
	row("cockpit", "%s/ui/ in a browser", rest)
	row("REST", "%s/v1/sites", rest)
	row("gRPC", "%s coordinator, %s veriflier-1", api, veriflier)
	for _, url := range d.demo.URLs() {
		row("demo site", "%s", url)
	}
	if inbox := d.demo.InboxURL(); inbox != "" {
		row("WPCOM inbox", "%s", inbox)
	}
	if d.o.Database.temporary != "" {
		row("database", "%s, removed at the end (--db PATH keeps one)", d.o.Database.path)
	} else {
		row("database", "%s", d.o.Database.path)
	}
	b.WriteString("\nTo try:\n")
	for _, line := range []string{
		"curl -s " + rest + "/v1/sites",
		"curl -s " + rest + "/v1/outages",
		`curl -s -H 'Content-Type: application/json' -d '{"url":"https://example.com/"}' ` + rest + "/v1/sites",
		"grpcurl -plaintext " + veriflier + " list",
		`grpcurl -plaintext -d '{"request_id":"x","target":{"url":"https://example.com/"}}' ` + veriflier + " jetmon.veriflier.v1.VeriflierService/Verify",
	} {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	b.WriteString("\nPress Ctrl-C to stop. Status changes follow, one per line:\n")
	_, err := io.WriteString(d.o.Out, b.String())
	return err
}
