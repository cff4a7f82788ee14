//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe"
)

// timeout is the timeout of every check.
const timeout = 30 * time.Second

// checkFunc does one check and reports whether the site is up.
type checkFunc func(url string) bool

func runClient(text string) error {
	var p plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	p.serial = new(atomic.Int64)
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

func (p plan) urls() []string {
	plain := p.Kind == "plain" || p.Kind == "names"
	switch {
	case p.Hold && plain:
		return p.Target.Slow
	case p.Hold:
		return p.Target.SlowTLS
	case plain:
		return p.Target.Plain
	}
	return p.Target.TLS
}

func (p plan) client() (checkFunc, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(p.Target.Root)) {
		return nil, errors.New("the target's root is unreadable")
	}
	switch p.Client {
	case "bare":
		return nil, nil
	case "net/http":
		return p.netHTTP(&tls.Config{RootCAs: roots}), nil
	case "net/http, X25519":
		return p.netHTTP(&tls.Config{RootCAs: roots, CurvePreferences: []tls.CurveID{tls.X25519}}), nil
	}
	o := probe.Options{AllowPrivate: true, RootCAs: roots}
	if p.Kind == "names" {
		o.Resolver = p.Target.Names
	}
	if p.Client == "portable" {
		o.Engine = probe.EnginePortable
	}
	if p.Kind != "resumed" {
		o.SessionCacheBytes = -1
	}
	prober, err := probe.New(o)
	if err != nil {
		return nil, err
	}
	return func(url string) bool {
		return prober.Probe(context.Background(), check.Target{URL: url, Timeout: timeout}).Outcome == check.OutcomeUp
	}, nil
}

// netHTTP returns a net/http client tuned for checks as well as possible.
func (p plan) netHTTP(config *tls.Config) checkFunc {
	dialer := &net.Dialer{Timeout: timeout, KeepAlive: -1}
	if p.Kind == "names" {
		dialer.Resolver = p.resolver()
	}
	client := &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: config, DisableKeepAlives: true, DisableCompression: true,
			TLSHandshakeTimeout: timeout, ResponseHeaderTimeout: timeout, WriteBufferSize: 1024, ReadBufferSize: 4096,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(url string) bool {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodHead, url, nil)
		if err != nil {
			return false
		}
		r.Header.Set("User-Agent", "jetmon/3.0 (Jetpack Site Uptime Monitor by WordPress.com)")
		resp, err := client.Do(r)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode < 400
	}
}

// do does count checks, InFlight of them at once.
func (p plan) do(one checkFunc, count int) (failed int, err error) {
	urls := p.urls()
	if one == nil {
		return bareLoop(urls, count, p.InFlight)
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
				if !one(p.url(urls, n)) {
					bad.Add(1)
				}
			}
		})
	}
	work.Wait()
	return int(bad.Load()), nil
}

func (p plan) run(one checkFunc) (figures, error) {
	if _, err := p.do(one, p.Count/10); err != nil { // warm-up
		return figures{}, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if p.Profile != "" {
		out, err := os.Create(p.Profile)
		if err != nil {
			return figures{}, fmt.Errorf("profile: %w", err)
		}
		defer out.Close()
		if err := pprof.StartCPUProfile(out); err != nil {
			return figures{}, fmt.Errorf("profile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	cpu, start := cpuTime(), time.Now()
	failed, err := p.do(one, p.Count)
	f := figures{Checks: p.Count, Failed: failed, CPU: cpuTime() - cpu, Wall: time.Since(start)}
	runtime.ReadMemStats(&after)
	f.Allocs = float64(after.Mallocs-before.Mallocs) / float64(p.Count)
	f.Bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(p.Count)
	return f, err
}

// hold keeps all checks in flight at once, and measures the memory meanwhile.
func (p plan) hold(one checkFunc) (figures, error) {
	warm := p
	warm.Hold, warm.InFlight = false, 64
	if _, err := warm.do(one, 200); err != nil {
		return figures{}, err
	}
	settle()
	rss, inUse := memory()
	start := time.Now()
	urls := p.urls()
	var bad atomic.Int64
	var work sync.WaitGroup
	for n := range p.Count {
		work.Go(func() {
			if !one(p.url(urls, n)) {
				bad.Add(1)
			}
		})
		if n%p.Burst == p.Burst-1 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	// At that time the last check has been sent, and no answer has come yet.
	time.Sleep(max(0, slowness-2*time.Second-time.Since(start)))
	rss2, inUse2 := memory()
	work.Wait()
	each := 1024 * float64(p.Count)
	return figures{Checks: p.Count, Failed: int(bad.Load()), RSS: (rss2 - rss) / each, GoMemory: (inUse2 - inUse) / each}, nil
}

// flat prints the resources in use after each tenth of the checks.
func (p plan) flat(one checkFunc) (figures, error) {
	fmt.Fprintf(os.Stderr, "%10s %11s %12s %10s %9s\n", "checks", "goroutines", "descriptors", "heap KiB", "RSS KiB")
	total := 0
	for tenth := range 11 {
		if tenth > 0 {
			failed, err := p.do(one, p.Count/10)
			total += failed
			if err != nil {
				return figures{}, err
			}
		}
		settle()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		rss, _ := memory()
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return figures{}, fmt.Errorf("count descriptors: %w", err)
		}
		fmt.Fprintf(os.Stderr, "%10d %11d %12d %10d %9.0f\n", tenth*p.Count/10, runtime.NumGoroutine(), len(open)-1, m.HeapAlloc>>10, rss/1024)
	}
	return figures{Checks: p.Count, Failed: total}, nil
}

func settle() {
	for range 3 {
		debug.FreeOSMemory()
		time.Sleep(20 * time.Millisecond)
	}
}

// memory returns the memory of the process in bytes: resident, and in use by Go for heap
// and stacks.
func memory() (rss, inUse float64) {
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		if f := strings.Fields(string(text)); len(f) > 1 {
			pages, _ := strconv.Atoi(f[1])
			rss = float64(pages * os.Getpagesize())
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return rss, float64(m.HeapInuse + m.StackInuse)
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
