package checker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	coordinatorv1 "github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/selfcheck"
)

// Prober checks one target; internal/probe has the real one. It must return within
// the target's timeout, and at once when ctx ends.
type Prober interface {
	Probe(ctx context.Context, t check.Target) check.Observation
}

// Options of a Checker.
type Options struct {
	// Node is the name of this checker, unique in the fleet and stable over restarts.
	Node string
	// Region where it stands; an open set of names.
	Region string
	// Coordinators are the addresses to serve, all at once.
	Coordinators []string
	// Client says how to reach them.
	Client rpc.ClientOptions
	// Prober runs the checks.
	Prober Prober
	// SelfCheck tells how our own connectivity is; nil means that nothing is measured.
	// Run runs it.
	SelfCheck *selfcheck.Monitor
	// MaxInFlight is how many checks may run at once; 0 means 1000.
	MaxInFlight int
	// Log of the role; nil is silence.
	Log *slog.Logger
	// Metrics of the role; nil counts nothing that anyone can see.
	Metrics prometheus.Registerer
}

const (
	defaultInFlight = 1000
	// maxInFlight is what one process can open sockets for, with room to spare.
	maxInFlight = 100_000
	// maxCoordinators bounds the streams of one checker.
	maxCoordinators = 64
)

// Checker is the role.
type Checker struct {
	node, region, instance string

	coordinators []string
	client       rpc.ClientOptions
	prober       Prober
	selfCheck    *selfcheck.Monitor
	log          *slog.Logger
	metrics      *metrics

	ledger  *ledger
	workers sync.WaitGroup
	// base is what probes live under; cut ends it when draining takes too long.
	base context.Context
	cut  context.CancelFunc
}

// New makes a Checker, or says what is wrong with the options. It connects nowhere.
func New(o Options) (*Checker, error) {
	switch {
	case o.Node == "":
		return nil, errors.New("checker: a node name is required")
	case o.Region == "":
		return nil, errors.New("checker: a region is required")
	case len(o.Coordinators) == 0:
		return nil, errors.New("checker: the address of a coordinator is required")
	case len(o.Coordinators) > maxCoordinators:
		return nil, fmt.Errorf("checker: at most %d coordinators, not %d", maxCoordinators, len(o.Coordinators))
	case o.Prober == nil:
		return nil, errors.New("checker: a prober is required")
	case o.MaxInFlight < 0 || o.MaxInFlight > maxInFlight:
		return nil, fmt.Errorf("checker: checks in flight must be from 1 to %d, is %d", maxInFlight, o.MaxInFlight)
	}
	for i, addr := range o.Coordinators {
		if addr == "" {
			return nil, errors.New("checker: the address of a coordinator is empty")
		}
		if slices.Contains(o.Coordinators[:i], addr) {
			// Two sessions of one node would end each other for ever.
			return nil, fmt.Errorf("checker: coordinator %s is given twice", addr)
		}
	}
	if o.MaxInFlight == 0 {
		o.MaxInFlight = defaultInFlight
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Checker{
		node: o.Node, region: o.Region, instance: rand.Text(),
		coordinators: slices.Clone(o.Coordinators), client: o.Client,
		prober: o.Prober, selfCheck: o.SelfCheck,
		log:     o.Log.With("checker", o.Node),
		metrics: newMetrics(o.Metrics, o.Node),
		ledger:  newLedger(o.MaxInFlight),
	}
	c.base, c.cut = context.WithCancel(context.Background())
	return c, nil
}

// Run serves the coordinators until ctx ends, then leaves them in order: what runs is
// finished and checked in, the rest is given back. It returns nil after an orderly
// end, and an error only when an address cannot be dialed at all. A Checker runs once.
func (c *Checker) Run(ctx context.Context) error {
	c.log.Info("checker begins", "region", c.region, "coordinators", c.coordinators, "in_flight", c.ledger.limit, "instance", c.instance)
	group, ctx := errgroup.WithContext(ctx)
	known := c.changed() // before the first measurement
	if c.selfCheck != nil {
		group.Go(func() error { return c.selfCheck.Run(ctx) })
	}
	for _, addr := range c.coordinators {
		conn, err := rpc.Dial(addr, c.client)
		if err != nil {
			group.Go(func() error { return fmt.Errorf("checker %s: %w", c.node, err) })
			break
		}
		l := &link{
			checker: c, addr: addr, conn: conn,
			client:  coordinatorv1.NewAssignmentServiceClient(conn),
			account: c.ledger.account(),
			log:     c.log.With("coordinator", addr),
		}
		group.Go(func() error {
			// Who does not know yet whether it is well is no use to anyone.
			wait(ctx, known, selfcheck.Within)
			l.run(ctx)
			_ = conn.Close() // no stream is open on it any more
			return nil
		})
	}
	err := group.Wait()
	c.cut()
	c.workers.Wait()
	c.log.Info("checker ended", "error", err)
	return err
}

// wait returns when what has happened, at the latest after d or with ctx. It does not
// wait for nil.
func wait(ctx context.Context, what <-chan struct{}, d time.Duration) {
	if what == nil {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-what:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (c *Checker) report() check.SelfCheck {
	if c.selfCheck == nil {
		return check.SelfCheck{Healthy: true}
	}
	return c.selfCheck.Report()
}

// changed is closed when what report says has changed; nil when it never does.
func (c *Checker) changed() <-chan struct{} {
	if c.selfCheck == nil {
		return nil
	}
	return c.selfCheck.Changed()
}

// doubt has our own connectivity measured: a failure may be ours. It does not wait.
func (c *Checker) doubt() {
	if c.selfCheck != nil {
		c.selfCheck.Refresh()
	}
}
