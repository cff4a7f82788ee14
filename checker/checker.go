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

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/internal/address"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/selfcheck"
	"github.com/Automattic/jetmon/internal/stages"
	"github.com/Automattic/jetmon/internal/tracing"
)

// Prober probes one target; internal/probe has the real one. It must return within
// the target's timeout, and at once when ctx ends. It must not panic: internal/probe turns a
// panic into an observation, for all its callers.
type Prober interface {
	Probe(ctx context.Context, t check.Target) check.Observation
}

// Options of a Checker.
type Options struct {
	// Node is the name of this checker, unique in the fleet and stable over restarts.
	Node string
	// Region is the checker's region; the set of regions is open.
	Region string
	// Coordinators are the addresses of all coordinators to serve at once. dns:///HOST:PORT
	// stands for all addresses of HOST, which the checker looks up regularly. It serves an
	// address that appears, and leaves one that disappears gracefully. Any other address is
	// one coordinator.
	Coordinators []string
	// Resolver resolves such names; nil means the system's resolver.
	Resolver Resolver
	// Client configures the connections to the coordinators.
	Client rpc.ClientOptions
	// Prober runs the checks.
	Prober Prober
	// Addresses says which special addresses Prober visits, so that coordinators can refuse
	// sites that nobody would visit; nil means that they are not told.
	Addresses *address.Options
	// SelfCheck measures our own connectivity; nil means no measurement. Run runs it.
	SelfCheck *selfcheck.Monitor
	// MaxInFlight is how many checks may run at once; 0 means 1000.
	MaxInFlight int
	// Log is the role's log; nil discards it.
	Log *slog.Logger
	// Metrics exports the role's metrics; nil exports none.
	Metrics prometheus.Registerer
	// Traces, optional, takes the spans of the checks that coordinators want traced.
	Traces *tracing.Recorder
}

// withDefaults returns o with a value for each field that has a default.
func (o Options) withDefaults() Options {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	o.MaxInFlight = cmp.Or(o.MaxInFlight, defaultInFlight)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	return o
}

// GOGC is how far a checker's heap grows before it is collected, in percent, unless the environment
// says so: a check in flight takes 26 KiB then, and 33 with Go's default (docs/performance.md).
const GOGC = 75

const (
	defaultInFlight = 1000
	// maxInFlight is well below the number of sockets that one process can open.
	maxInFlight = 100_000
	// maxCoordinators limits the streams of one checker.
	maxCoordinators = 64
)

// Checker is the checker role.
type Checker struct {
	node, region, instance string

	coordinators []string
	names        []name // the names to follow
	resolver     Resolver
	client       rpc.ClientOptions
	prober       Prober
	addresses    *address.Options
	selfCheck    *selfcheck.Monitor
	log          *slog.Logger
	metrics      *metrics
	traces       *tracing.Recorder

	inFlight *inFlight
	workers  sync.WaitGroup
	// trouble is the last error that ended or prevented a session; nil before the first.
	trouble atomic.Pointer[error]
	// base is the context of all probes; cut ends it when draining takes too long.
	base context.Context
	cut  context.CancelFunc
}

// New makes a Checker, or returns an error for wrong options. It does not connect yet.
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
		prober: o.Prober, addresses: o.Addresses, selfCheck: o.SelfCheck,
		log:      o.Log.With("checker", o.Node),
		metrics:  newMetrics(o.Metrics, o.Node),
		traces:   o.Traces,
		inFlight: newInFlight(o.MaxInFlight),
	}
	c.base, c.cut = context.WithCancel(context.Background())
	return c, nil
}

// readCoordinators checks the addresses and returns the names among them.
func readCoordinators(addrs []string) (names []name, err error) {
	for i, addr := range addrs {
		if addr == "" {
			return nil, errors.New("checker: the address of a coordinator is empty")
		}
		if slices.Contains(addrs[:i], addr) {
			// Two sessions of one node would end each other again and again.
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

// Run serves the coordinators until ctx ends, and then leaves them gracefully: it finishes
// and checks in the running checks, and releases the rest. It returns nil after an orderly
// stop, and an error only when an address cannot be dialed at all. A Checker runs once.
func (c *Checker) Run(ctx context.Context) error {
	c.log.Info("started", "role", "checker", "region", c.region, "coordinators", c.coordinators, "in_flight", c.inFlight.limit, "instance", c.instance)
	known := c.changed() // before the first measurement
	front := []stages.Step{{Name: "links", Run: func(ctx context.Context) error { return c.serve(ctx, known) }}}
	if c.selfCheck != nil {
		front = append(front, stages.Step{Name: "self-check", Run: c.selfCheck.Run})
	}
	err := stages.Run(ctx, c.log, stages.Stage{Steps: front},
		stages.Stage{Steps: []stages.Step{{Name: "probes", Run: c.finish}}})
	c.log.Info("stopped", "role", "checker")
	return err
}

// serve keeps a link to every coordinator until ctx ends.
func (c *Checker) serve(ctx context.Context, known <-chan struct{}) error {
	group, ctx := errgroup.WithContext(ctx)
	f := &links{checker: c, group: group, known: known, served: map[string]bool{}}
	// Plain addresses come first, as names may resolve to more addresses than there is room
	// for.
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
	return group.Wait()
}

// finish cuts the probes that still run when ctx ends, and waits for them.
func (c *Checker) finish(ctx context.Context) error {
	<-ctx.Done()
	c.cut()
	c.workers.Wait()
	return nil
}

// Ready returns the reason why the checker cannot work now. It returns nil while the checker
// has a session with a coordinator.
func (c *Checker) Ready() error {
	if c.inFlight.isConnected() {
		return nil
	}
	const why = "no coordinator has given this checker a session"
	if err := c.trouble.Load(); err != nil {
		return fmt.Errorf(why+"; the last attempt: %w", *err)
	}
	return errors.New(why)
}

func (c *Checker) report() check.SelfCheck {
	if c.selfCheck == nil {
		return check.SelfCheck{Healthy: true}
	}
	return c.selfCheck.Report()
}

// changed returns a channel that is closed when the result of report changes; nil when it
// never does.
func (c *Checker) changed() <-chan struct{} {
	if c.selfCheck == nil {
		return nil
	}
	return c.selfCheck.Changed()
}

// doubt requests a measurement of our own connectivity, as a failure may be our own. It
// does not wait for it.
func (c *Checker) doubt() {
	if c.selfCheck != nil {
		c.selfCheck.Refresh()
	}
}
