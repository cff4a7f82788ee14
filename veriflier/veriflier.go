package veriflier

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/selfcheck"
	"github.com/Automattic/jetmon/internal/stages"
	"github.com/Automattic/jetmon/internal/tracing"
)

// Prober probes one target; internal/probe has the real one. It must not panic:
// internal/probe turns a panic into an observation, for all its callers.
type Prober interface {
	Probe(ctx context.Context, t check.Target) check.Observation
}

// SecondReader reads a target with another stack than the Prober's, given the Prober's
// observation, which is in doubt; internal/secondopinion has the real one.
type SecondReader interface {
	Ask(ctx context.Context, t check.Target, doubted check.Observation) check.Observation
}

// Options of a Veriflier.
type Options struct {
	// Name is the name of this veriflier in the coordinators' configuration. Every answer
	// contains it.
	Name string
	// Region is the veriflier's region; the set of regions is open.
	Region string
	// Listeners are the listeners to serve on, at least one. Run closes them.
	Listeners []net.Listener
	// Server configures the server. Name, Log and Metrics are optional; New sets Ready and
	// Validate.
	Server rpc.ServerOptions
	// Prober runs the checks.
	Prober Prober
	// SecondReader is asked before a vote on a failure that rests on how the answer is read;
	// nil means that nobody is.
	SecondReader SecondReader
	// SelfCheck measures our own connectivity; nil means no measurement. Run runs it.
	SelfCheck *selfcheck.Monitor
	// MaxInFlight is how many checks may run at once; 0 means 500.
	MaxInFlight int
	// Log is the role's log; nil discards it.
	Log *slog.Logger
	// Metrics exports the role's metrics; nil exports none.
	Metrics prometheus.Registerer
	// Traces, optional, takes the spans of calls whose callers record them.
	Traces *tracing.Recorder
}

// withDefaults returns o with a value for each field that has a default. New sets the
// server's log.
func (o Options) withDefaults() Options {
	o.MaxInFlight = cmp.Or(o.MaxInFlight, defaultInFlight)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	o.Server.Name = cmp.Or(o.Server.Name, "veriflier "+o.Name)
	o.Server.Validate = true
	o.Server.Stats = o.Traces.Server()
	if o.Server.Metrics == nil {
		o.Server.Metrics = o.Metrics
	}
	return o
}

const defaultInFlight = 500

// cutAfter is how long checks may continue after the end of Run's context: a little less
// than the server waits for its calls, so that the calls end with an answer.
const cutAfter = rpc.StopTimeout - time.Second

// errAbandoned is the cause for cutting a check when its last caller has gone.
var errAbandoned = errors.New("nobody waits for the check any more")

// draining is the error for the callers of checks that the end of Run cut or prevented.
func draining() error { return fault.New(fault.Unavailable, "the veriflier is draining") }

// Veriflier is the veriflier role.
type Veriflier struct {
	name, region, instance string

	listeners []net.Listener
	server    *rpc.Server
	prober    Prober
	second    SecondReader
	selfCheck *selfcheck.Monitor
	log       *slog.Logger
	metrics   *metrics
	traces    *tracing.Recorder

	answers *answers
	// base is the context of all checks, instead of their caller's, as a check may have
	// several callers; cut ends it.
	base context.Context
	cut  context.CancelCauseFunc
}

// New makes a Veriflier, or returns an error for wrong options. It opens nothing yet.
func New(o Options) (*Veriflier, error) {
	switch {
	case o.Name == "":
		return nil, errors.New("veriflier: a name is required")
	case o.Region == "":
		return nil, errors.New("veriflier: a region is required")
	case len(o.Listeners) == 0:
		return nil, errors.New("veriflier: a listener is required")
	case o.Prober == nil:
		return nil, errors.New("veriflier: a prober is required")
	case o.MaxInFlight < 0:
		return nil, fmt.Errorf("veriflier: checks in flight must not be negative, is %d", o.MaxInFlight)
	}
	o = o.withDefaults()
	v := &Veriflier{
		name: o.Name, region: o.Region, instance: rand.Text(),
		listeners: slices.Clone(o.Listeners), prober: o.Prober, second: o.SecondReader, selfCheck: o.SelfCheck,
		log:     o.Log.With("veriflier", o.Name),
		metrics: newMetrics(o.Metrics, o.Name),
		traces:  o.Traces,
		answers: newAnswers(o.MaxInFlight),
	}
	v.base, v.cut = context.WithCancelCause(context.Background())
	o.Server.Log = cmp.Or(o.Server.Log, v.log)
	o.Server.Ready = v.Ready
	var err error
	v.server, err = rpc.NewServer(o.Server, func(r grpc.ServiceRegistrar) {
		veriflierv1.RegisterVeriflierServiceServer(r, service{veriflier: v})
	})
	if err != nil {
		return nil, fmt.Errorf("veriflier %s: %w", o.Name, err)
	}
	return v, nil
}

// Ready returns the reason why the veriflier's votes do not count now, or nil. It still
// answers calls meanwhile, and every answer contains the self-check.
func (v *Veriflier) Ready() error {
	if v.selfCheck == nil {
		return nil
	}
	if self := v.selfCheck.Report(); !self.Healthy {
		return fmt.Errorf("its anchors do not answer, so its votes do not count: %s", self.Detail)
	}
	return nil
}

// Run serves until ctx ends, and then gives the running checks a few seconds to finish. It
// returns nil after an orderly stop. A Veriflier runs once.
func (v *Veriflier) Run(ctx context.Context) error {
	v.log.Info("started", "role", "veriflier", "region", v.region, "address", v.listeners[0].Addr().String(), "instance", v.instance)
	// The self-check outlives the server: checks that still run need it for their answers.
	var watching []stages.Step
	if v.selfCheck != nil {
		watching = append(watching, stages.Step{Name: "self-check", Run: v.selfCheck.Run})
	}
	err := stages.Run(ctx, v.log,
		stages.Stage{Steps: []stages.Step{{Name: "server", Run: v.serve}}},
		stages.Stage{Steps: watching},
		stages.Stage{Steps: []stages.Step{{Name: "checks", Run: v.finish}}})
	v.log.Info("stopped", "role", "veriflier")
	return err
}

// serve answers until ctx ends and the running calls have finished or were cut.
func (v *Veriflier) serve(ctx context.Context) error {
	served := make(chan struct{})
	var guard sync.WaitGroup
	guard.Go(func() { v.guardDrain(ctx, served) })
	defer guard.Wait()
	defer close(served)
	if err := v.server.Serve(ctx, v.listeners...); err != nil {
		return fmt.Errorf("veriflier %s: %w", v.name, err)
	}
	return nil
}

// finish cuts the checks that nobody waits for any more when ctx ends, and waits for them.
func (v *Veriflier) finish(ctx context.Context) error {
	<-ctx.Done()
	v.answers.close()
	v.cut(draining())
	v.answers.running.Wait()
	return nil
}

// guardDrain cuts the checks that still run cutAfter the end of ctx.
func (v *Veriflier) guardDrain(ctx context.Context, served <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-served:
		return
	}
	timer := time.NewTimer(cutAfter)
	defer timer.Stop()
	select {
	case <-timer.C:
		v.cut(draining())
	case <-served:
	}
}
