package probe

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/Automattic/jetmon/internal/address"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/lookup"
	"github.com/Automattic/jetmon/internal/page"
)

// Options configure a Prober. The zero value probes the public Internet.
type Options struct {
	// AllowPrivate lifts the address policy, for development and tests, except for the
	// metadata services of clouds.
	AllowPrivate bool
	// AllowMetadata, together with AllowPrivate, includes the metadata services.
	AllowMetadata bool
	// Allowed are exact exceptions to the address policy.
	Allowed []netip.AddrPort
	// Resolver is the name server to ask, as HOST:PORT, or several separated by commas.
	// Empty means the machine's name servers and its hosts file.
	Resolver string
	// DNSCacheMax limits how long an answer of a name server is used, whatever its time to
	// live; 0 means a minute, and a negative value that every check asks.
	DNSCacheMax time.Duration
	// RootCAs are the issuers to trust; nil means the machine's.
	RootCAs *x509.CertPool
	// Now is the clock for judging certificates; nil means time.Now.
	Now func() time.Time
	// SessionCacheBytes limits the memory for resumable TLS sessions; 0 means 64 MiB, and a
	// negative value turns resumption off.
	SessionCacheBytes int64
	// Engine selects the engine; the zero value is the best one on this system.
	Engine Engine
	// Log gets what is worth knowing about this node; nil means that nobody wants to know.
	Log *slog.Logger
}

// Engine names an implementation of the exchange with a site. All of them return the
// same outcomes.
type Engine uint8

// The engines.
const (
	// EngineFast uses its own sockets on Linux; elsewhere it is EnginePortable.
	EngineFast Engine = iota
	// EnginePortable uses package net.
	EnginePortable
)

// Prober checks sites. It is safe for concurrent use.
type Prober struct {
	engine    engine
	connector *connector
	resolver  *lookup.Resolver
	firewalls *firewallDetector
	decoders  *decoders
	pages     *page.Judge
	now       func() time.Time
}

// New makes a Prober. It opens nothing.
func New(o Options) (*Prober, error) {
	now := o.Now
	if now == nil {
		now = time.Now
	}
	r, err := lookup.New(lookup.Options{
		Servers: o.Resolver, MaxAge: o.DNSCacheMax, Portable: o.Engine == EnginePortable,
	})
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	connector := newConnector(address.New(o.Addresses()))
	secure := newSecure(o.RootCAs, now, o.SessionCacheBytes)
	var e engine = &netEngine{connector: connector, secure: secure}
	if o.Engine == EngineFast {
		e = newFastEngine(connector, secure, log)
	}
	return &Prober{
		engine:    e,
		connector: connector,
		resolver:  r,
		firewalls: newFirewallDetector(),
		decoders:  newDecoders(),
		pages:     page.NewJudge(),
		now:       now,
	}, nil
}

// Close releases the Prober's resources. Probe must not run during or after Close.
func (p *Prober) Close() error {
	p.engine.close()
	p.resolver.Close()
	return nil
}

// Lookups returns how often name servers were asked.
func (p *Prober) Lookups() lookup.Counts { return p.resolver.Counts() }

// Probe checks a site once and returns what it saw, a little after the target's Timeout
// at the latest. It never fails: a fault of the site is its result. A context that ends
// first gives OutcomeUnknown with the reason cancelled.
func (p *Prober) Probe(ctx context.Context, t check.Target) (o check.Observation) {
	// Thousands of checks wait in here at once. Their state is on the heap, where it takes
	// its own size; on the stack it would double the stack.
	j := &job{prober: p, target: t, start: time.Now()}
	defer j.rescue(&o)
	j.do(ctx, &o)
	return o
}

// job is one check.
type job struct {
	prober *Prober
	target check.Target
	home   *place
	start  time.Time
	budget time.Duration
	end    time.Time
	// ctx ends with the budget, with the caller's context, or by stop.
	ctx  context.Context
	stop context.CancelFunc
}

// rescue, deferred, turns a panic into the check's result. A site's bytes reach much code
// that is not ours; a panic there costs only this check and shows in its evidence.
func (j *job) rescue(o *check.Observation) {
	if v := recover(); v != nil {
		f := panicked(v)
		*o = check.Observation{Outcome: f.outcome, Reason: f.reason, Detail: f.detail, Timing: check.Timing{Total: since(j.start)}}
	}
}

func (j *job) do(ctx context.Context, o *check.Observation) {
	if !j.prepare(o) {
		return
	}
	if j.budget = j.target.Timeout; j.budget <= 0 {
		j.budget = check.RoutineTimeout
	}
	j.budget = min(j.budget, check.MaxTimeout)
	j.end = j.start.Add(j.budget)
	j.ctx, j.stop = context.WithDeadline(ctx, j.end)
	defer j.stop()
	r := j.ask()
	if r.interrupted() && endedBefore(ctx, j.end) {
		r.deciding.failure = unknown(check.FailureNone, "cancelled", "the caller gave up")
	}
	j.observe(r, o)
	if w := r.deciding.trace.ipv6; w != nil && o.Outcome == check.OutcomeUp && w.isBroken(ctx, j.end, j.prober.connector) {
		o.Advisories = append(o.Advisories, check.AdvisoryIPv6Broken)
	}
}

// prepare finds the check's first place. It observes that the target cannot be asked, and
// reports whether it can.
func (j *job) prepare(o *check.Observation) (ok bool) {
	var f *failure
	if j.home, f = firstPlace(j.target.URL); f == nil {
		f = checkHeaders(j.target.Headers)
	}
	if f != nil {
		j.refuse(f, o)
	}
	return f == nil
}

// refuse observes that the target cannot be asked. Inlined it would take the stack of every check.
//
//go:noinline
func (j *job) refuse(f *failure, o *check.Observation) {
	j.observe(result{deciding: &attempt{failure: f}}, o)
}

// endedBefore reports whether the caller gave up before the budget was used. It compares
// the caller's deadline with the clock, because a connection's deadline may fire a little
// before the context's.
func endedBefore(ctx context.Context, end time.Time) bool {
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) && !time.Now().Before(deadline) {
		return true
	}
	return errors.Is(ctx.Err(), context.Canceled)
}
