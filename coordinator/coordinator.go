package coordinator

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/api"
	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/coordinator/edge/peers"
	"github.com/Automattic/jetmon/coordinator/edge/stream"
	"github.com/Automattic/jetmon/coordinator/edge/traces"
	"github.com/Automattic/jetmon/coordinator/edge/v1stats"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/incident"
	"github.com/Automattic/jetmon/coordinator/rules/outlier"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/advisories"
	"github.com/Automattic/jetmon/coordinator/state/checkpoint"
	"github.com/Automattic/jetmon/coordinator/state/committer"
	"github.com/Automattic/jetmon/coordinator/state/feed"
	"github.com/Automattic/jetmon/coordinator/state/hush"
	"github.com/Automattic/jetmon/coordinator/state/incidents"
	"github.com/Automattic/jetmon/coordinator/state/keyring"
	"github.com/Automattic/jetmon/coordinator/state/loader"
	"github.com/Automattic/jetmon/coordinator/state/logbook"
	"github.com/Automattic/jetmon/coordinator/state/ownership"
	"github.com/Automattic/jetmon/coordinator/state/pace"
	"github.com/Automattic/jetmon/coordinator/state/pulse"
	"github.com/Automattic/jetmon/coordinator/state/retention"
	"github.com/Automattic/jetmon/coordinator/state/upkeep"
	"github.com/Automattic/jetmon/coordinator/watchdog"
	"github.com/Automattic/jetmon/internal/cadence"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/stages"
)

// Coordinator is the role. New makes one.
type Coordinator struct {
	o          Options
	ownership  *ownership.Ownership
	panel      *panel.Panel
	committer  *committer.Committer
	engine     *engine.Engine
	loader     *loader.Loader
	checkpoint *checkpoint.Checkpoint
	logbook    *logbook.Logbook // nil when no history is kept
	advisories *advisories.Writer
	incidents  *incidents.Finder
	retention  *retention.Sweeper
	keyring    *keyring.Keyring
	feed       *feed.Feed
	upkeep     *upkeep.Upkeep
	hush       *hush.Hush
	notify     *notify.Deliverer
	peers      *peers.Peers
	toPeers    *rpc.Identity
	watchdog   *watchdog.Watchdog
	stats      *v1stats.Reporter
	stream     *stream.Server
	pulse      *pulse.Pulse
	servers    servers
}

// New checks the options and puts the rooms together, each from those before it. Nothing
// runs before Run, which also tells each room who takes its answers.
func New(o Options) (_ *Coordinator, err error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	instance := hex.EncodeToString(binary.BigEndian.AppendUint64(nil, random()))
	c := &Coordinator{o: o, ownership: newOwnership(o), pulse: pulse.New(o.Store.Ping)}
	if c.panel, err = newPanel(o, instance); err != nil {
		return nil, err
	}
	c.committer = committer.New(committer.Options{Store: o.Store, Shards: c.ownership, Log: o.Log})
	c.engine = engine.New(engine.Options{
		Policy: o.Policy, Interval: o.IntervalOverride, Pages: o.Pages, TLSErrors: o.TLSErrors, Panel: c.panel, Committer: c.committer, Shards: c.ownership,
		Random: random, Log: o.Log, Outliers: outlier.DefaultRule(), Dispatch: dispatching(o), History: !o.History.Off, Tracer: tracer(o),
	}, time.Now())
	c.loader = loader.New(loader.Options{
		Store: o.Store, Engine: c.engine, Shards: c.ownership, First: o.BucketMin, Last: o.BucketMax,
		Sample: o.Trial, Log: o.Log,
	})
	if err := c.newKeepers(); err != nil {
		return nil, err
	}
	c.retention = retention.New(retention.Options{
		Store: o.Store, Shards: c.ownership, Ballots: o.Retention, Outages: o.OutageRetention, Events: o.EventRetention, Audit: auditRetention,
		Deliveries: deliveryRetention, DeadLetters: deadLetterRetention, Checks: o.History.Retention, Summaries: o.History.SummaryRetention, Log: o.Log,
	})
	c.keyring = keyring.New(o.Store, o.Log)
	c.feed = feed.New(feed.Options{Store: o.Store, Encode: api.EncodeEvent, Log: o.Log})
	c.hush = hush.New(o.Store, c.engine, o.Log)
	c.upkeep = upkeep.New(upkeep.Options{Store: o.Store, Shards: c.ownership, Log: o.Log})
	o.Notify.Log, o.Notify.Metrics, o.Notify.Shards, o.Notify.VeriflierHosts = o.Log, o.Metrics, c.ownership, VeriflierHosts(o.Verifliers)
	o.Notify.Traces = o.Traces.Recorder
	c.o.Channels.VeriflierHosts = o.Notify.VeriflierHosts
	o.Notify.Channels = c.o.Channels.Open
	if c.notify, err = notify.New(o.Notify, o.Store); err != nil {
		return nil, err
	}
	c.newTellers()
	toPeers, id := identified(o.PeerClient)
	c.toPeers = id
	c.peers = peers.New(peers.Options{Node: o.Node, Shards: c.ownership, Client: toPeers})
	c.watchdog, err = watchdog.New(watchdog.Options{
		Engine: c.engine, Committer: c.committer, Notify: c.notify, Panel: c.panel, Shards: c.ownership, Upkeep: c.upkeep,
		Peers: c.peers, Log: o.Log, Metrics: o.Metrics,
	}, time.Now())
	if err != nil {
		return nil, err
	}
	o.Stats.Engine, o.Stats.Log = c.engine, o.Log
	if c.stats, err = v1stats.New(o.Stats); err != nil {
		return nil, err
	}
	c.stream = stream.New(stream.Options{Engine: c.engine, Node: o.Node, Heartbeat: cadence.Heartbeat, Lease: cadence.Lease, TraceOneIn: o.Traces.oneIn()})
	if err := c.register(o.Metrics); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return c, c.newServers(instance)
}

// newKeepers makes the rooms that keep what the engine knows of sites: snapshots of those in
// trouble, and every check, if that is wanted, with what is to be remarked by it.
func (c *Coordinator) newKeepers() (err error) {
	c.checkpoint, err = checkpoint.New(checkpoint.Options{
		Engine: c.engine, Store: c.o.Store, Shards: c.ownership, Log: c.o.Log, Metrics: c.o.Metrics,
	})
	if err != nil || c.o.History.Off {
		return err
	}
	slower := pace.New(pace.Options{Engine: c.engine, History: logbook.NewReader(c.o.Store, c.o.Log), Log: c.o.Log})
	c.logbook, err = logbook.New(logbook.Options{
		Engine: c.engine, Store: c.o.Store, Shards: c.ownership, FlushEvery: c.o.History.FlushEvery, OnFold: slower.OnFold, Log: c.o.Log, Metrics: c.o.Metrics,
	})
	return err
}

// newTellers makes the rooms that find what others are told of beside changes of status.
func (c *Coordinator) newTellers() {
	told := func() {
		c.notify.Wake()
		c.feed.Nudge()
	}
	c.advisories = advisories.New(advisories.Options{
		Engine: c.engine, Store: c.o.Store, Shards: c.ownership, OnWrite: told, Log: c.o.Log,
	})
	c.incidents = incidents.New(incidents.Options{
		Store: c.o.Store, Shards: c.ownership, Rule: incident.DefaultRule(), OnWrite: told, NameServers: c.o.NameServers, Log: c.o.Log,
	})
}

func newOwnership(o Options) *ownership.Ownership {
	return ownership.New(ownership.Options{
		Store: o.Store, Members: o.Store, Node: o.Node, Endpoint: o.Endpoint, Log: o.Log,
		First: shard.Of(o.BucketMin), Last: shard.Of(o.BucketMax), Voice: o.voice(), Sample: o.Trial,
	})
}

// tracer records the engine's steps; nil when nothing is traced.
func tracer(o Options) engine.Tracer {
	if !o.Traces.Recorder.On() {
		return nil
	}
	return traces.New(o.Traces.Recorder)
}

func newPanel(o Options, instance string) (*panel.Panel, error) {
	p := panelOptions(o)
	p.Instance = instance
	return panel.New(p)
}

// VeriflierHosts returns the hosts of verifliers by name.
func VeriflierHosts(members []panel.Member) map[string]string {
	out := make(map[string]string, len(members))
	for _, m := range members {
		if host, _, err := net.SplitHostPort(m.Address); err == nil {
			out[m.Name] = host
		}
	}
	return out
}

func dispatching(o Options) dispatch.Config {
	return dispatch.Config{
		Lease: cadence.Lease, SessionTimeout: cadence.SessionTimeout,
		MaxQueue: maxQueue, PerHost: o.ChecksPerHost, Random: random,
	}
}

// Run works until ctx ends, or a part fails; then it stops in order.
func (c *Coordinator) Run(ctx context.Context) error {
	c.o.Log.Info("started", "role", "coordinator", "node", c.o.Node, "address", c.o.Listeners[0].Addr().String(), "verifliers", len(c.o.Verifliers))
	defer c.peers.Close()
	err := stages.Run(ctx, c.o.Log, c.stages()...)
	c.o.Log.Info("stopped", "role", "coordinator")
	return err
}

// stages are the parts of a coordinator in the order in which they end: what the front
// decided is still written, and what was written is still delivered. However long a stage
// takes, all is over in time: a call that hangs, a store that is away and a WordPress.com
// that does not answer must not add up.
func (c *Coordinator) stages() []stages.Stage {
	to := answers{engine: c.engine, notify: c.notify, feed: c.feed, changes: c.o.ChangeLog, onChange: c.o.OnChange, log: c.o.Log}
	own := tenant{shards: c.ownership, loader: c.loader, committer: c.committer, checkpoint: c.checkpoint, logbook: c.logbook, notify: c.notify}
	front := append(c.serving(),
		stages.Step{Name: "pulse", Run: c.pulse.Run},
		stages.Step{Name: "panel", Run: func(ctx context.Context) error { return c.panel.Run(ctx, to) }},
		stages.Step{Name: "stream", Run: c.stopStream},
		stages.Step{Name: "clock", Run: c.clock},
		stages.Step{Name: "loader", Run: c.loader.Run},
		stages.Step{Name: "incidents", Run: c.incidents.Run},
		stages.Step{Name: "retention", Run: c.retention.Run},
		stages.Step{Name: "upkeep", Run: c.upkeep.Run},
		stages.Step{Name: "hush", Run: c.hush.Run},
		stages.Step{Name: "watchdog", Run: c.watchdog.Run},
		stages.Step{Name: "keyring", Run: c.keyring.Run},
		stages.Step{Name: "feed", Run: c.feed.Run},
		stages.Step{Name: "v1 stats", Run: c.stats.Run},
	)
	writing := []stages.Step{
		{Name: "committer", Run: func(ctx context.Context) error { return c.committer.Run(ctx, to) }},
		{Name: "checkpoint", Run: c.checkpoint.Run},
		{Name: "advisories", Run: c.advisories.Run},
		{Name: "notify", Run: c.notify.Run},
	}
	if c.logbook != nil {
		writing = append(writing, stages.Step{Name: "logbook", Run: c.logbook.Run})
	}
	return []stages.Stage{
		{Steps: front},
		{Within: writeAfter, Steps: writing},
		{Within: ownAfter, Steps: []stages.Step{
			{Name: "ownership", Run: func(ctx context.Context) error { return c.ownership.Run(ctx, own) }},
		}},
	}
}

// stopStream has the checkers leave when ctx ends.
func (c *Coordinator) stopStream(ctx context.Context) error {
	<-ctx.Done()
	c.stream.Stop()
	return nil
}

// clock ticks the engine.
func (c *Coordinator) clock(ctx context.Context) error {
	ticker := time.NewTicker(advanceEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			c.engine.Tick(now)
		}
	}
}

// random is unguessable, since check-out ids are proofs.
func random() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}
