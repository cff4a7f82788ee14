package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/checker"
	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/internal/address"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/secondopinion"
	"github.com/Automattic/jetmon/internal/selfcheck"
	"github.com/Automattic/jetmon/veriflier"
)

// Prober checks one target. internal/probe has the real implementation.
type Prober interface {
	Probe(ctx context.Context, t check.Target) check.Observation
}

// SecondReader reads a target once more. internal/secondopinion has the real implementation.
type SecondReader interface {
	Ask(ctx context.Context, t check.Target, doubted check.Observation) check.Observation
}

// listen claims a node's address on the network, and takes over its TCP listener: at the
// first start the given one, later a new one on the same address.
func (c *Cluster) listen(name string, given *net.Listener) ([]net.Listener, error) {
	inside, err := c.o.Network.Listen(name)
	if err != nil {
		return nil, err
	}
	all := []net.Listener{inside}
	if given == nil || *given == nil {
		return all, nil
	}
	outside := *given
	if _, taken := outside.(used); taken {
		if outside, err = rpc.TCP().Listen(outside.Addr().String()); err != nil {
			return nil, errors.Join(err, inside.Close())
		}
	}
	*given = used{outside}
	return append(all, outside), nil
}

// used marks a TCP listener that a node has taken over. Only its address may still be used.
type used struct{ net.Listener }

func (c *Cluster) buildCoordinator() (role, error) {
	listeners, err := c.listen(c.coordinator.name, &c.o.CoordinatorListener)
	if err != nil {
		return nil, err
	}
	prober, diagnoser, err := c.diagnoser(c.coordinator.name)
	if err != nil {
		return nil, abandon(err, listeners...)
	}
	var members []panel.Member
	for i, region := range c.o.Regions {
		name := veriflierName(i)
		members = append(members, panel.Member{Name: name, Region: region, Address: name})
	}
	// A coordinator's gauges are bound to its state and cannot be registered twice, so a
	// restarted coordinator gets a registry that nobody reads.
	metrics := c.coordinatorMetrics
	c.coordinatorMetrics = prometheus.NewRegistry()
	r, err := coordinator.New(coordinator.Options{
		Node: c.coordinator.name, Endpoint: c.coordinator.name, Store: c.o.Store,
		// All checkers are on the in-memory network; nobody becomes one over TCP.
		Listeners: listeners[:1], PublicListeners: listeners[1:], Server: c.server(),
		Verifliers: members, VeriflierClient: c.client(), PeerOfflineLimit: c.o.PeerOfflineLimit,
		Policy: c.o.Policy, IntervalOverride: c.o.IntervalOverride, Pages: c.o.Pages, BucketMax: lastBucket,
		Notify: c.o.Notify, Channels: c.o.Channels, History: c.o.History, OnChange: c.o.OnChange, Diagnoser: diagnoser, Log: c.o.Log, Metrics: metrics,
		Traces: coordinator.Traces{Recorder: c.o.Traces, OneIn: c.o.TraceOneIn},
	})
	return closing{r, prober}, abandon(err, listeners...)
}

// diagnoser makes the coordinator's diagnoser of Jetpack connections, with a check engine of
// its own.
func (c *Cluster) diagnoser(name string) (Prober, *jetpack.Diagnoser, error) {
	prober, err := c.engine(name)
	if err != nil {
		return nil, nil, err
	}
	d, err := jetpack.New(jetpack.Options{Prober: prober, RootCAs: c.o.Probe.RootCAs, MetadataURL: c.o.MetadataURL})
	return prober, d, err
}

// server returns the options of a role's server. Who may reach it may call everything.
func (c *Cluster) server() rpc.ServerOptions { return rpc.ServerOptions{Access: rpc.Open()} }

func (c *Cluster) buildGateway() (role, error) {
	listeners, err := c.listen(c.gateway.name, &c.o.GatewayListener)
	if err != nil {
		return nil, err
	}
	r, err := gateway.New(gateway.Options{
		Coordinator: c.coordinator.name, Client: c.client(), Listeners: listeners,
		AllowedHosts: c.o.AllowedHosts, StatusPages: c.o.StatusPages, OpenAPI: c.o.OpenAPI, Log: c.o.Log, Metrics: c.o.Metrics,
	})
	return r, abandon(err, listeners...)
}

func (c *Cluster) buildVeriflier(name string, i int) (role, error) {
	prober, monitor, err := c.probing(name)
	if err != nil {
		return nil, err
	}
	second, err := c.secondReader(name)
	if err != nil {
		return nil, err
	}
	var outside *net.Listener
	if i == 0 {
		outside = &c.o.VeriflierListener
	}
	listeners, err := c.listen(name, outside)
	if err != nil {
		return nil, err
	}
	r, err := veriflier.New(veriflier.Options{
		Name: name, Region: c.o.Regions[i], Listeners: listeners, Server: c.server(),
		Prober: prober, SecondReader: second, SelfCheck: monitor, Log: c.o.Log, Metrics: c.o.Metrics, Traces: c.o.Traces,
	})
	return closing{r, prober}, abandon(err, listeners...)
}

// secondReader makes a veriflier's second reader, nil for none.
func (c *Cluster) secondReader(name string) (SecondReader, error) {
	switch {
	case c.o.SecondReader != nil:
		return c.o.SecondReader(name)
	case c.o.Prober != nil:
		return nil, nil
	}
	return secondopinion.New(c.o.Probe)
}

func (c *Cluster) buildChecker(name string, i int) (role, error) {
	prober, monitor, err := c.probing(name)
	if err != nil {
		return nil, err
	}
	var addresses *address.Options
	if c.o.Prober == nil {
		addresses = new(c.o.Probe.Addresses())
	}
	r, err := checker.New(checker.Options{
		Node: name, Region: c.o.Regions[i%len(c.o.Regions)], Coordinators: []string{c.coordinator.name},
		Client: c.client(), Prober: prober, Addresses: addresses, SelfCheck: monitor, Log: c.o.Log, Metrics: c.o.Metrics, Traces: c.o.Traces,
	})
	return closing{r, prober}, err
}

// probing makes the check engine and the self-check of a node that probes.
func (c *Cluster) probing(name string) (Prober, *selfcheck.Monitor, error) {
	prober, err := c.engine(name)
	if err != nil {
		return nil, nil, err
	}
	monitor, err := selfcheck.New(selfcheck.Options{
		Prober: prober, Anchors: c.o.Anchors, Every: c.o.AnchorEvery, Log: c.o.Log.With("node", name),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("self-check: %w", err)
	}
	return prober, monitor, nil
}

// engine makes a node's check engine.
func (c *Cluster) engine(name string) (Prober, error) {
	if c.o.Prober != nil {
		return c.o.Prober(name)
	}
	o := c.o.Probe
	o.Log = cmp.Or(o.Log, c.o.Log.With("node", name))
	return probe.New(o)
}

// abandon closes the listeners if their role could not be made.
func abandon(err error, listeners ...net.Listener) error {
	if err == nil {
		return nil
	}
	for _, l := range listeners {
		err = errors.Join(err, l.Close())
	}
	return err
}

// closing is a role that owns its check engine.
type closing struct {
	role
	prober Prober
}

// Run runs the role, then closes the engine.
func (c closing) Run(ctx context.Context) error {
	err := c.role.Run(ctx)
	if engine, ok := c.prober.(io.Closer); ok {
		err = errors.Join(err, engine.Close())
	}
	return err
}
