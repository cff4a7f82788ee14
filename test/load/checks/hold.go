//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// warmUp is the number of checks before those that are held.
const warmUp = 200

// hold keeps all checks in flight at once, and measures the memory meanwhile.
func (p plan) hold(one checkFunc) (figures, error) {
	warm := p
	warm.Hold, warm.InFlight = false, 64
	if _, err := warm.do(one, 0, warmUp); err != nil {
		return figures{}, err
	}
	of, err := p.subjects()
	if err != nil {
		return figures{}, err
	}
	settle()
	rss, inUse := memory()
	start := time.Now()
	var bad atomic.Int64
	var work sync.WaitGroup
	for n := range p.Count {
		work.Go(func() {
			if s := of(warmUp + n + 1); one(s.url) != s.up {
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
			failed, err := p.do(one, tenth*p.Count/10, p.Count/10)
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

// askPlain returns the body of the target's answer.
func askPlain(host netip.Addr, port int, path string) (string, error) {
	c, err := net.DialTimeout("tcp", netip.AddrPortFrom(host, uint16(port)).String(), timeout)
	if err != nil {
		return "", fmt.Errorf("ask the target: %w", err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(timeout))
	_, _ = io.WriteString(c, "GET "+path+" HTTP/1.0\r\n\r\n")
	text, err := io.ReadAll(c)
	if err != nil {
		return "", fmt.Errorf("ask the target: %w", err)
	}
	_, body, _ := strings.Cut(string(text), "\r\n\r\n")
	return body, nil
}
