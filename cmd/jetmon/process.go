package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/internal/obs"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/tracing"
)

// drainTimeout limits the time that a role takes to end in order.
const drainTimeout = 10 * time.Second

// processFlags are the flags of every process that runs a role.
type processFlags struct {
	LogLevel      string `enum:"debug,info,warn,error" default:"${least_level}" help:"Lowest level to log: debug, info, warn or error."`
	LogFormat     string `enum:"text,json" default:"text" help:"Format of the log on stderr: text or json."`
	DebugListen   string `placeholder:"HOST:PORT" help:"Loopback address for /metrics, /healthz, /readyz (with the reason when the role cannot work) and /debug/pprof; none by default."`
	MetricsListen string `placeholder:"HOST:PORT" help:"Address for /metrics, /healthz and /readyz without profiles, which other machines may reach: for Prometheus and the probes of Kubernetes; none by default."`

	otlpFlags `embed:""`
}

// process is the surroundings of a role: its log, its metrics and the debug listener.
type process struct {
	log     *slog.Logger
	level   *slog.LevelVar
	metrics *prometheus.Registry
	// debug and exposed are the listeners of --debug-listen and --metrics-listen, or nil.
	debug, exposed net.Listener
	otlp           otlpFlags
	// exporting is the export to a collector; nil without one.
	exporting *tracing.Export
	hangups   <-chan os.Signal
	// reload reads the configuration again; nil for a command that cannot.
	reload func()
	// renewal takes new certificates; nil where reload is.
	renewal    *renewal
	supervisor *supervisor
}

// open makes the process. A debug address that is in use is an error.
func (f processFlags) open(program *program) (*process, error) {
	level := new(slog.LevelVar)
	if err := f.setLevel(level); err != nil {
		return nil, err
	}
	log := obs.NewLogger(program.Err, level, f.LogFormat)
	p := &process{log: log, level: level, metrics: obs.NewRegistry(), otlp: f.otlpFlags, hangups: catchHangups(), supervisor: newSupervisor(program.LookupEnv)}
	if err := p.watch(f); err != nil {
		return nil, err
	}
	return p, nil
}

// watch opens the listeners for those who watch the process.
func (p *process) watch(f processFlags) (err error) {
	if f.MetricsListen != "" {
		if p.exposed, err = listen("metrics-listen", f.MetricsListen); err != nil {
			return err
		}
		p.log.Info("metrics listener", "address", p.exposed.Addr().String())
	}
	if f.DebugListen == "" {
		return nil
	}
	if err := rpc.CheckExposure(f.DebugListen, false); err != nil {
		return usagef("--debug-listen: must be a loopback address, because profiles reveal much; --metrics-listen has none of them")
	}
	if p.debug, err = listen("debug-listen", f.DebugListen); err != nil {
		return err
	}
	p.log.Info("debug listener", "address", p.debug.Addr().String())
	return nil
}

// setLevel sets the least level to log.
func (f processFlags) setLevel(v *slog.LevelVar) error {
	if err := v.UnmarshalText([]byte(f.LogLevel)); err != nil {
		return usagef("--log-level: %w", err)
	}
	return nil
}

// role is the interface of every role. Run blocks, and drains in order when ctx ends; Ready
// returns why the role cannot work now, or nil.
type role interface {
	Run(ctx context.Context) error
	Ready() error
}

// run runs the role and the debug listener until ctx ends or one of them fails.
func (p *process) run(ctx context.Context, r role) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer end()
		return r.Run(ctx)
	})
	group.Go(func() error {
		p.followHangups(ctx)
		return nil
	})
	group.Go(func() error {
		p.supervisor.follow(ctx, r.Ready)
		return nil
	})
	ready := func() error {
		if ctx.Err() != nil {
			return errors.New("it is ending")
		}
		return r.Ready()
	}
	for _, l := range []net.Listener{p.debug, p.exposed} {
		if l == nil {
			continue
		}
		o := obs.DebugOptions{Listener: l, NoProfiles: l == p.exposed, Gatherer: p.metrics, Ready: ready}
		group.Go(func() error { return obs.ServeDebug(ctx, o) })
	}
	err := drained(ctx, group.Wait)
	if lost := p.exporting.Close(ctx); lost != nil {
		p.log.Warn("ended with unsent traces or metrics", "error", lost)
	}
	return err
}

// drained waits for the end of a role, after the end of ctx at most drainTimeout.
func drained(ctx context.Context, wait func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- wait() }()
	select {
	case err := <-ended:
		return orderly(err)
	case <-ctx.Done():
	}
	timer := time.NewTimer(drainTimeout)
	defer timer.Stop()
	select {
	case err := <-ended:
		return orderly(err)
	case <-timer.C:
		return fmt.Errorf("did not end within %s after it was asked to", drainTimeout)
	}
}

func orderly(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// listen claims HOST:PORT for a flag.
func listen(flag, addr string) (net.Listener, error) {
	if err := checkAddr(addr, 0); err != nil {
		return nil, usagef("--%s: %w", flag, err)
	}
	l, err := rpc.TCP().Listen(addr)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return l, nil
}

// collectAt sets how far the heap of a role may grow before it is collected, unless the
// environment says so.
func (p *program) collectAt(percent int) {
	if _, set := p.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(percent)
	}
}
