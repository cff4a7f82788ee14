//go:build linux

package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/Automattic/jetmon/checker"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe"
)

const (
	// timeout is the timeout of every check of the pure kinds, and mixTimeout that of the mix,
	// some of whose sites never answer.
	timeout    = 30 * time.Second
	mixTimeout = 8 * time.Second
	// sessionsOfReference is more than the tool has sites.
	sessionsOfReference = 1 << 20
	// circleFrom is the number of the first site of a circle, which is beyond the mix.
	circleFrom = 1_000_000
)

// curves are those of the net/http clients; nil means those of crypto/tls.
var curves = map[string][]tls.CurveID{
	tunedHTTP: {tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
	p256HTTP:  {tls.CurveP256, tls.CurveP384, tls.CurveP521},
}

// checkFunc does one check and reports whether the site is up.
type checkFunc func(url string) bool

// subject is what one check is about: a URL, and whether its site is up.
type subject struct {
	url string
	up  bool
}

func runClient(text string) error {
	var p plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	switch {
	case p.GC != 0:
		debug.SetGCPercent(p.GC)
	case p.Client == ours || p.Client == portable:
		debug.SetGCPercent(checker.GOGC)
	}
	one, err := p.client()
	if err != nil {
		return err
	}
	var f figures
	switch {
	case p.Hold:
		f, err = p.hold(one)
	case p.Flat:
		f, err = p.flat(one)
	default:
		f, err = p.run(one)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// subjects returns what the n-th check is about.
func (p plan) subjects() (func(n int) subject, error) {
	fixed := func(urls []string) func(int) subject {
		return func(n int) subject { return subject{urls[n%len(urls)], true} }
	}
	switch {
	case p.isMix():
		return p.mixed(), nil
	case p.Kind == circle:
		return func(n int) subject {
			return subject{mixSite{number: circleFrom + n%p.Count}.url(p.Target.Mix, "/"), true}
		}, nil
	case p.Kind == named && p.Hold:
		return newNames(p.Target.Slow)
	case p.Kind == named:
		return newNames(p.Target.Plain)
	case p.Hold && p.Kind == plain:
		return fixed(p.Target.Slow), nil
	case p.Hold:
		return fixed(p.Target.SlowTLS), nil
	case p.Kind == plain:
		return fixed(p.Target.Plain), nil
	}
	return fixed(p.Target.TLS), nil
}

// mixed returns the sites of the mix in turn. Those that are to be held in flight, or to be
// done with quickly, are all up.
func (p plan) mixed() func(n int) subject {
	path, sites := "/", newMix(p.Target.Sites)
	if p.Hold {
		path = slowPath
	}
	var all []subject
	for _, s := range sites {
		if !s.does.fails() || !p.Hold && !p.Quick {
			all = append(all, subject{s.url(p.Target.Mix, path), !s.does.fails()})
		}
	}
	return func(n int) subject { return all[n%len(all)] }
}

// newNames returns the plain targets, each time under a new name.
func newNames(urls []string) (func(n int) subject, error) {
	var ports []string
	for _, u := range urls {
		parsed, err := url.Parse(u)
		if err != nil {
			return nil, fmt.Errorf("read target: %w", err)
		}
		ports = append(ports, parsed.Port())
	}
	return func(n int) subject {
		h := n % len(ports)
		return subject{fmt.Sprintf("http://n%d.h%d%s:%s/", n, h, plainDomain, ports[h]), true}
	}, nil
}

func (p plan) client() (checkFunc, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(p.Target.Root)) {
		return nil, errors.New("the target's root is unreadable")
	}
	patience, names := timeout, ""
	if p.isMix() && !p.Hold {
		patience = mixTimeout
	}
	if p.usesNames() {
		names = p.Target.Names
	}
	if strings.HasPrefix(p.Client, netHTTP) {
		config := &tls.Config{RootCAs: roots, CurvePreferences: curves[p.Client]}
		if p.resumes() {
			config.ClientSessionCache = tls.NewLRUClientSessionCache(sessionsOfReference)
		}
		return newReference(config, names, patience).check, nil
	}
	if p.Client == bare {
		return nil, nil
	}
	o := probe.Options{AllowPrivate: true, RootCAs: roots, Resolver: names, SessionCacheBytes: int64(p.CacheMiB) << 20}
	if p.Client == portable {
		o.Engine = probe.EnginePortable
	}
	if !p.resumes() {
		o.SessionCacheBytes = -1
	}
	prober, err := probe.New(o)
	if err != nil {
		return nil, fmt.Errorf("make the prober: %w", err)
	}
	return func(url string) bool {
		return prober.Probe(context.Background(), check.Target{URL: url, Timeout: patience}).Outcome == check.OutcomeUp
	}, nil
}

// do does count checks from number from on, InFlight of them at once. It counts the wrong
// results.
func (p plan) do(one checkFunc, from, count int) (failed int, err error) {
	if one == nil {
		return bareLoop(p.Target.Plain, count, p.InFlight)
	}
	of, err := p.subjects()
	if err != nil {
		return 0, err
	}
	var next, bad atomic.Int64
	var work sync.WaitGroup
	for range p.InFlight {
		work.Go(func() {
			for {
				n := int(next.Add(1))
				if n > count {
					return
				}
				if s := of(from + n); one(s.url) != s.up {
					bad.Add(1)
				}
			}
		})
	}
	work.Wait()
	return int(bad.Load()), nil
}

func (p plan) run(one checkFunc) (figures, error) {
	warming, warm := p, p.Count/10
	if p.isMix() || p.Kind == circle {
		warm, warming.Quick = p.Count, true // each site once
	}
	if _, err := warming.do(one, 0, warm); err != nil {
		return figures{}, err
	}
	shaken, resumed, err := p.handshakes()
	if err != nil {
		return figures{}, err
	}
	var before, after runtime.MemStats
	if p.Kind == circle {
		runtime.GC()
	}
	runtime.ReadMemStats(&before)
	stop, err := p.startProfile()
	if err != nil {
		return figures{}, err
	}
	cpu, collector, start := cpuTime(), collectorTime(), time.Now()
	failed, err := p.do(one, warm, p.Count)
	f := figures{Checks: p.Count, Failed: failed, CPU: cpuTime() - cpu, Wall: time.Since(start), Live: float64(before.HeapAlloc)}
	f.Collector = collectorTime() - collector
	runtime.ReadMemStats(&after)
	err = errors.Join(err, stop())
	f.Allocs = float64(after.Mallocs-before.Mallocs) / float64(p.Count)
	f.Bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(p.Count)
	shaken2, resumed2, countErr := p.handshakes()
	f.Handshakes, f.Resumed = shaken2-shaken, resumed2-resumed
	return f, errors.Join(err, countErr)
}

// startProfile starts the profiles of time and allocations, if the plan wants them.
func (p plan) startProfile() (stop func() error, err error) {
	if p.Profile == "" {
		return func() error { return nil }, nil
	}
	out, err := os.Create(p.Profile)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	allocs, err := os.Create(p.Profile + ".allocs")
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return func() error {
		pprof.StopCPUProfile()
		runtime.GC()
		return cmp.Or(pprof.Lookup("allocs").WriteTo(allocs, 0), errors.Join(allocs.Close(), out.Close()))
	}, nil
}

// handshakes asks the mix's target how many handshakes it has done, and how many of them
// resumed a session.
func (p plan) handshakes() (all, resumed int, err error) {
	if !p.isMix() && p.Kind != circle {
		return 0, 0, nil
	}
	text, err := askPlain(address(0), p.Target.Mix.Plain, countPath)
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscan(text, &all, &resumed); err != nil {
		return 0, 0, fmt.Errorf("read the number of handshakes: %w", err)
	}
	return all, resumed, nil
}

// collectorTime returns the CPU time that collections took from the program, without the
// sweeping that allocations do.
func collectorTime() time.Duration {
	s := []metrics.Sample{
		{Name: "/cpu/classes/gc/mark/assist:cpu-seconds"}, {Name: "/cpu/classes/gc/mark/dedicated:cpu-seconds"},
		{Name: "/cpu/classes/gc/pause:cpu-seconds"},
	}
	metrics.Read(s)
	total := 0.0
	for _, m := range s {
		total += m.Value.Float64()
	}
	return time.Duration(total * float64(time.Second))
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
