package main

import (
	"context"
	"log/slog"
	"net"
	"slices"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/v1stats"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/internal/delegation"
)

// coordinatorCommand is `jetmon coordinator`.
type coordinatorCommand struct {
	Config      string `placeholder:"FILE" help:"Jetmon's own file (YAML, a flag in each key), or v1's config.json; flags and environment take precedence."`
	CheckConfig bool   `help:"Try everything that a coordinator with these settings needs, print a line each, and end: exit code 0 if all is well, 1 if not. Notifies nobody."`
	Listen      string `default:"127.0.0.1:7800" help:"HOST:PORT to serve the API and the checkers' streams on."`
	Node        string `placeholder:"NAME" help:"Name of this coordinator, unique in the fleet; the host name by default."`
	Endpoint    string `placeholder:"HOST:PORT" help:"Address at which other coordinators reach this one; the listening address by default."`

	databaseFlags `embed:""`
	replicaFlags  `embed:""`
	DBUpdates     bool `name:"db-updates" help:"Write status changes into jetpack_monitor_sites (DB_UPDATES_ENABLE), and what callers of the API add, change and delete. Without this flag Jetmon only reads that table, unless --db-edits says otherwise."`
	DBEdits       bool `name:"db-edits" help:"Write what callers of the API add, change and delete into jetpack_monitor_sites, also without --db-updates. Without both flags such edits are refused; the settings of a site are in a table of Jetmon's own, and can always be edited. On trial only buckets that were taken over can."`
	BucketMin     int  `default:"0" help:"First bucket to own, 0..511."`
	BucketMax     int  `default:"511" help:"Last bucket to own, 0..511."`

	Diagnose diagnoserFlags `embed:"" prefix:"diagnose-"`

	paceFlags      `embed:""`
	judgeFlags     `embed:""`
	retentionFlags `embed:""`
	historyFlags   `embed:""`
	notifyFlags    `embed:""`
	channelFlags   `embed:""`
	statsFlags     `embed:""`
	peerFlags      `embed:""`
	certsFlag      `embed:""`
	serveFlags     `embed:""`
	rateFlags      `embed:""`
	traceFlag      `embed:""`
	processFlags   `embed:""`
}

// coordinatorGC is the default of GOGC. The memory of millions of sites contains no pointers,
// so early collections cost little and save much (docs/performance.md).
const coordinatorGC = 30

// Run coordinates until ctx ends.
func (c *coordinatorCommand) Run(ctx context.Context, p *program) error {
	if c.CheckConfig {
		return c.check(ctx, p)
	}
	o, err := c.options(p)
	if err != nil {
		return err
	}
	dsn, err := c.dsn()
	if err != nil {
		return err
	}
	parsed, err := sqlstore.ParseDSN(dsn)
	if err != nil {
		return databaseError(err)
	}
	replicas, err := c.replicas()
	if err != nil {
		return err
	}
	diagnoser, prober, err := c.Diagnose.open()
	if err != nil {
		return err
	}
	defer prober.Close()
	o.Diagnoser, o.NameServers = diagnoser, delegation.New(delegation.Options{}).NameServers
	proc, err := c.processFlags.open(p)
	if err != nil {
		return err
	}
	p.warn(proc.log, "coordinator")
	warnOfLimits(proc.log, c.needs(parsed, len(o.Verifliers)))
	if err := proc.export(ctx, p, "coordinator", o.Node); err != nil {
		return err
	}
	o.Traces = coordinator.Traces{Recorder: proc.exporting.Spans(), OneIn: c.TraceOneIn}
	if c.StatusChangeLog != "" {
		if o.ChangeLog, err = v1stats.OpenChangeLog(c.StatusChangeLog, coordinator.VeriflierHosts(o.Verifliers), proc.log); err != nil {
			return usagef("--status-change-log: %w", err)
		}
		defer o.ChangeLog.Close()
	}
	l, err := listen("listen", c.Listen)
	if err != nil {
		return err
	}
	o.Listeners, o.Log, o.Metrics = []net.Listener{l}, proc.log, proc.metrics
	if o.Endpoint == "" {
		o.Endpoint = l.Addr().String()
	}
	p.collectAt(coordinatorGC)
	server := newLiveServer(&o.Server)
	r := &lateCoordinator{dsn: dsn, db: c.storeOptions(proc.log), o: o}
	r.db.Read, r.db.MostLag = replicas, c.DBReadLag
	proc.reload = p.reloader(proc, c.reload(r, server))
	return proc.run(ctx, r)
}

// storeOptions says what may be written into jetpack_monitor_sites.
func (c *coordinatorCommand) storeOptions(log *slog.Logger) sqlstore.Options {
	return sqlstore.Options{LegacyWrites: c.DBUpdates, NoEdits: !c.DBUpdates && !c.DBEdits, Trial: c.Trial, Log: log}
}

// reload returns how a coordinator takes new settings.
func (c *coordinatorCommand) reload(r *lateCoordinator, server *liveServer) reload {
	live := []string{
		"veriflier", "peer-offline-limit", "num-of-checks", "time-between-checks", "time-between-notices", "shadow-need", "shadow-regions",
		"interval", "page-check", "tls-errors", "wpcom-url", "wpcom-ca", "wpcom-cert", "wpcom-key", "wpcom-token-file",
	}
	return reload{
		live:  slices.Concat(live, serveLive(), dialLive("veriflier"), dialLive("peer")),
		flags: func(next *commands) processFlags { return next.Coordinator.processFlags },
		apply: func(next *commands, p *program) error {
			o, err := next.Coordinator.options(p)
			if err != nil {
				return err
			}
			serve, err := server.prepare(o.Server)
			if err != nil {
				return err
			}
			if err := r.Change(o); err != nil {
				return err
			}
			serve()
			return nil
		},
	}
}

// options converts the flags to the role's options. It opens only files.
func (c *coordinatorCommand) options(p *program) (coordinator.Options, error) {
	var o coordinator.Options
	for _, step := range c.steps(p) {
		if err := step(&o); err != nil {
			return o, err
		}
	}
	return o, nil
}

// steps are the parts of options. Each checks its own flags; a mistake in one leaves the
// others valid.
func (c *coordinatorCommand) steps(p *program) []func(*coordinator.Options) error {
	return []func(*coordinator.Options) error{
		func(o *coordinator.Options) (err error) {
			o.Endpoint = c.Endpoint
			rate, err := c.rate()
			if err == nil {
				o.Server, err = c.serveFlags.options(c.Listen, p.files.config, rate)
			}
			return err
		},
		func(o *coordinator.Options) (err error) { o.Node, err = nodeName(c.Node); return err },
		func(o *coordinator.Options) (err error) {
			o.BucketMin, o.BucketMax, err = buckets(c.BucketMin, c.BucketMax)
			return err
		},
		func(o *coordinator.Options) error { return c.peerFlags.apply(o, c.serveFlags) },
		c.paceFlags.apply,
		func(o *coordinator.Options) error { return c.judgeFlags.apply(o, p.files.config) },
		c.retentionFlags.apply,
		c.historyFlags.apply,
		c.statsFlags.apply,
		c.channelFlags.apply,
		func(o *coordinator.Options) error {
			return c.notifyFlags.apply(o, p.files.config, c.serveFlags.Insecure)
		},
	}
}
