package checker

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

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
	// Coordinators are the addresses to serve, all at once. dns:///HOST:PORT stands for
	// all addresses of HOST, looked up again and again: one that appears is served, one
	// that disappears is left in order. Any other address is one coordinator.
	Coordinators []string
	// Resolver looks such names up; nil means the system's.
	Resolver Resolver
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

// withDefaults fills in what may be left out.
func (o Options) withDefaults() Options {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	o.MaxInFlight = cmp.Or(o.MaxInFlight, defaultInFlight)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	return o
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
	names        []name // those that are followed
	resolver     Resolver
	client       rpc.ClientOptions
	prober       Prober
	selfCheck    *selfcheck.Monitor
	log          *slog.Logger
	metrics      *metrics

	ledger  *ledger
	workers sync.WaitGroup
	// trouble is why a session ended last, or could not be had; nil before that.
	trouble atomic.Pointer[error]
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
	names, err := readCoordinators(o.Coordinators)
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	c := &Checker{
		node: o.Node, region: o.Region, instance: rand.Text(),
		coordinators: slices.Clone(o.Coordinators), names: names, resolver: o.Resolver,
		client: o.Client,
		prober: o.Prober, selfCheck: o.SelfCheck,
		log:     o.Log.With("checker", o.Node),
		metrics: newMetrics(o.Metrics, o.Node),
		ledger:  newLedger(o.MaxInFlight),
	}
	c.base, c.cut = context.WithCancel(context.Background())
	return c, nil
}

// readCoordinators finds the names among the addresses, and what is wrong with them.
func readCoordinators(addrs []string) (names []name, err error) {
	for i, addr := range addrs {
		if addr == "" {
			return nil, errors.New("checker: the address of a coordinator is empty")
		}
		if slices.Contains(addrs[:i], addr) {
			// Two sessions of one node would end each other for ever.
			return nil, fmt.Errorf("checker: coordinator %s is given twice", addr)
		}
		if !strings.HasPrefix(addr, namePrefix) {
			continue
		}
		n, err := parseName(addr)
		if err != nil {
			return nil, err
		}
		names = append(names, n)
	}
	return names, nil
}

// Run serves the coordinators until ctx ends, then leaves them in order: what runs is
// finished and checked in, the rest is given back. It returns nil after an orderly
// end, and an error only when an address cannot be dialed at all. A Checker runs once.
func (c *Checker) Run(ctx context.Context) error {
	c.log.Info("checker begins", "region", c.region, "coordinators", c.coordinators, "in_flight", c.ledger.limit, "instance", c.instance)
	group, ctx := errgroup.WithContext(ctx)
	f := &links{checker: c, group: group, known: c.changed() /* before the first measurement */, served: map[string]bool{}}
	if c.selfCheck != nil {
		group.Go(func() error { return c.selfCheck.Run(ctx) })
	}
	// What is named address by address goes first: names may lead to more than there is
	// room for.
	for _, addr := range c.coordinators {
		if !strings.HasPrefix(addr, namePrefix) {
			if _, err := f.serve(ctx, endpoint{addr: addr}); err != nil {
				group.Go(func() error { return err })
			}
		}
	}
	for _, n := range c.names {
		group.Go(func() error { f.follow(ctx, n); return nil })
	}
	err := group.Wait()
	c.cut()
	c.workers.Wait()
	c.log.Info("checker ended", "error", err)
	return err
}

// Ready says why the checker cannot do its work now; nil when it can, that is when it has
// a session with a coordinator.
func (c *Checker) Ready() error {
	if c.ledger.isConnected() {
		return nil
	}
	const why = "no coordinator has given this checker a session"
	if err := c.trouble.Load(); err != nil {
		return fmt.Errorf(why+"; the last attempt: %w", *err)
	}
	return errors.New(why)
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
