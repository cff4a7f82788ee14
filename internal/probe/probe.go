package probe

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Options configure a Prober. The zero value probes the public Internet.
type Options struct {
	// AllowPrivate lifts the address policy, for development and tests.
	AllowPrivate bool
	// Allowed are exact exceptions from the address policy.
	Allowed []netip.AddrPort
	// Resolver is the name server to ask, HOST:PORT; several with commas between. Empty
	// means those of the machine, and its hosts file.
	Resolver string
	// RootCAs are the issuers to trust; nil means the machine's.
	RootCAs *x509.CertPool
	// Now tells the time that certificates are judged by; nil means time.Now.
	Now func() time.Time
	// SessionCacheBytes is how much memory TLS sessions to resume may take; 0 is 64 MiB, and
	// less than 0 resumes none.
	SessionCacheBytes int64
	// Engine is what exchanges with sites; the zero value is the best of this system.
	Engine Engine
}

// Engine names a way to exchange with sites. All come to the same verdicts.
type Engine uint8

// The engines.
const (
	// EngineFast has sockets of its own, on Linux; elsewhere it is EnginePortable.
	EngineFast Engine = iota
	// EnginePortable is package net's.
	EnginePortable
)

// Prober checks sites. It is safe for concurrent use.
type Prober struct {
	engine    engine
	connector *connector
	resolver  *resolver
	guard     *guard
	now       func() time.Time
}

// New makes a Prober. It opens nothing.
func New(o Options) (*Prober, error) {
	now := o.Now
	if now == nil {
		now = time.Now
	}
	r := &resolver{now: time.Now}
	if o.Resolver == "" {
		machine := &system{now: time.Now}
		r.servers, r.hosts = machine.nameservers, machine.lookup
	} else {
		servers, err := fixedServers(o.Resolver)
		if err != nil {
			return nil, fmt.Errorf("probe: %w", err)
		}
		r.servers = func() nameservers { return servers }
	}
	connector := newConnector(newAddressPolicy(o.AllowPrivate, o.Allowed))
	secure := newSecure(o.RootCAs, now, o.SessionCacheBytes)
	var e engine = &netEngine{connector: connector, secure: secure}
	if o.Engine == EngineFast {
		e = newFastEngine(connector, secure)
	}
	return &Prober{
		engine:    e,
		connector: connector,
		resolver:  r,
		guard:     newGuard(),
		now:       now,
	}, nil
}

// Close gives up what the Prober holds. No Probe may run or begin any more.
func (p *Prober) Close() error {
	p.engine.close()
	return nil
}

// Probe looks at a site once and says what it saw, within the target's Timeout and a
// little. It never fails: what the site did wrong is the result. A context that ends
// first gives OutcomeUnknown with the reason cancelled.
func (p *Prober) Probe(ctx context.Context, t check.Target) (o check.Observation) {
	// Thousands wait in here at once, so what a check needs is on the heap, where it takes
	// its own size, and not on the stack, which would double.
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

// rescue is deferred: what a site sends reaches much code that is not ours. A panic there
// costs this check only, and shows in its evidence.
func (j *job) rescue(o *check.Observation) {
	if v := recover(); v != nil {
		f := panicked(v)
		*o = check.Observation{Outcome: f.outcome, Reason: f.reason, Detail: f.detail, Timing: check.Timing{Total: since(j.start)}}
	}
}

func (j *job) do(ctx context.Context, o *check.Observation) {
	var f *failure
	if j.home, f = firstPlace(j.target.URL); f == nil {
		f = checkHeaders(j.target.Headers)
	}
	if f != nil {
		j.observe(result{deciding: &attempt{failure: f}}, o)
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
	if w := r.deciding.trace.ipv6; w != nil && o.Outcome == check.OutcomeUp && w.verdict(ctx, j.end, j.prober.connector) {
		o.Advisories = append(o.Advisories, check.AdvisoryIPv6Broken)
	}
}

// endedBefore says whether the caller gave up before the budget was used. Its deadline
// is compared by the clock: a connection's may fire a little before the context's.
func endedBefore(ctx context.Context, end time.Time) bool {
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) && !time.Now().Before(deadline) {
		return true
	}
	return errors.Is(ctx.Err(), context.Canceled)
}
