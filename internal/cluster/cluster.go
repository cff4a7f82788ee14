package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/internal/rpc"
)

// Cluster is a set of nodes. New makes one.
type Cluster struct {
	o           Options
	coordinator *Node
	gateway     *Node
	checkers    []*Node
	verifliers  []*Node

	coordinatorMetrics prometheus.Registerer

	started chan struct{}
	failing chan struct{}

	mu   sync.Mutex
	errs []error
}

// New makes a cluster, or returns what is wrong with the options. It starts nothing.
func New(o Options) (*Cluster, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	c := &Cluster{o: o, coordinatorMetrics: o.Metrics, started: make(chan struct{}), failing: make(chan struct{})}
	c.coordinator = c.node("coordinator", c.buildCoordinator)
	c.gateway = c.node("gateway", c.buildGateway)
	for i := range o.Regions {
		name := veriflierName(i)
		c.verifliers = append(c.verifliers, c.node(name, func() (role, error) { return c.buildVeriflier(name, i) }))
	}
	for i := range o.Checkers {
		name := fmt.Sprintf("checker-%d", i+1)
		c.checkers = append(c.checkers, c.node(name, func() (role, error) { return c.buildChecker(name, i) }))
	}
	return c, nil
}

func veriflierName(i int) string { return fmt.Sprintf("veriflier-%d", i+1) }

func (c *Cluster) node(name string, build func() (role, error)) *Node {
	return &Node{name: name, build: build, failed: c.fail}
}

// Coordinator is the coordinator's node.
func (c *Cluster) Coordinator() *Node { return c.coordinator }

// Gateway is the gateway's node.
func (c *Cluster) Gateway() *Node { return c.gateway }

// Checkers are the checkers' nodes, checker-1 and on.
func (c *Cluster) Checkers() []*Node { return c.checkers }

// Verifliers are the verifliers' nodes, veriflier-1 and on, in the order of the regions.
func (c *Cluster) Verifliers() []*Node { return c.verifliers }

// Started is closed when all nodes have been started.
func (c *Cluster) Started() <-chan struct{} { return c.started }

// Dial makes a client of a node's gRPC server, over the cluster's network.
func (c *Cluster) Dial(n *Node) (*grpc.ClientConn, error) { return rpc.Dial(n.name, c.client()) }

func (c *Cluster) client() rpc.ClientOptions {
	return rpc.ClientOptions{Network: c.o.Network, Metrics: c.o.Metrics}
}

// Run starts all nodes, waits until ctx ends or a node fails, and stops them in order,
// clients before servers. A cluster runs once.
func (c *Cluster) Run(ctx context.Context) error {
	defer c.stop()
	for _, n := range c.nodes() {
		if err := n.Start(); err != nil {
			return err
		}
	}
	close(c.started)
	select {
	case <-ctx.Done():
	case <-c.failing:
	}
	c.stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.errs...)
}

// Ready returns which nodes cannot work now, and why; nil if all can.
func (c *Cluster) Ready() error {
	var errs []error
	for _, n := range c.nodes() {
		if err := n.Ready(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", n.name, err))
		}
	}
	return errors.Join(errs...)
}

// nodes lists all nodes, servers before clients.
func (c *Cluster) nodes() []*Node {
	var all []*Node
	all = append(all, c.verifliers...)
	all = append(all, c.coordinator)
	all = append(all, c.checkers...)
	return append(all, c.gateway)
}

// stop ends the nodes tier by tier, the nodes of a tier at the same time. It closes
// listeners that no node has taken over.
func (c *Cluster) stop() {
	front := append([]*Node{c.gateway}, c.checkers...)
	for _, tier := range [][]*Node{front, {c.coordinator}, c.verifliers} {
		var ending sync.WaitGroup
		for _, n := range tier {
			ending.Go(n.close)
		}
		ending.Wait()
	}
	for _, l := range []net.Listener{c.o.CoordinatorListener, c.o.VeriflierListener, c.o.GatewayListener} {
		if _, taken := l.(used); l != nil && !taken {
			_ = l.Close() // no node has used it
		}
	}
}

// fail remembers an error and ends Run.
func (c *Cluster) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errs = append(c.errs, err)
	if len(c.errs) == 1 {
		close(c.failing)
	}
}
