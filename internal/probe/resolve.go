package probe

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/Automattic/jetmon/internal/check"
)

const (
	// maxTTL limits how long an answer stays in the cache.
	maxTTL = time.Minute
	// maxCached limits the number of answers in the cache.
	maxCached = 20_000
	// ipv6Delay is how long a lookup waits for IPv6 addresses once it has IPv4 ones.
	ipv6Delay = 150 * time.Millisecond
	// maxAnswers limits the addresses of a name.
	maxAnswers = 32
)

// resolver turns names into addresses. It caches only good answers.
type resolver struct {
	servers func() nameservers
	// hosts answers from the machine's own table, which comes before any server; may be nil.
	hosts func(host string) []netip.Addr
	now   func() time.Time

	mu    sync.Mutex
	cache map[string]cached
}

type cached struct {
	addrs   []netip.Addr
	expires time.Time
}

// lookup returns the addresses of a host name.
func (r *resolver) lookup(ctx context.Context, host string) ([]netip.Addr, *failure) {
	if r.hosts != nil {
		if addrs := r.hosts(host); len(addrs) > 0 {
			return addrs, nil
		}
	}
	if addrs := r.recall(host); addrs != nil {
		return addrs, nil
	}
	got, f := r.askBoth(ctx, host)
	if f != nil {
		return nil, f
	}
	got.addrs = got.addrs[:min(len(got.addrs), maxAnswers)]
	r.remember(host, got)
	return got.addrs, nil
}

// knows reports whether this machine's own table answers for a host.
func (r *resolver) knows(host string) bool { return r.hosts != nil && len(r.hosts(host)) > 0 }

type reply struct {
	answer
	failure *failure
}

// askBoth asks for A and AAAA at the same time. It does not wait long for AAAA once it has
// IPv4 addresses, since many servers never answer AAAA. It always waits for the answer
// about IPv4, because so many IPv6 paths are broken.
func (r *resolver) askBoth(ctx context.Context, host string) (answer, *failure) {
	ctx, cancel := context.WithCancel(ctx)
	servers := r.servers()
	// A query needs a large stack, which this goroutine would keep during the whole check. So
	// each has its own goroutine.
	ask := func(qtype uint16) <-chan reply {
		done := make(chan reply, 1)
		go func() {
			var got reply
			defer func() {
				if v := recover(); v != nil {
					got.failure = panicked(v)
				}
				done <- got
			}()
			got.answer, got.failure = servers.ask(ctx, host, qtype)
		}()
		return done
	}
	second, first := ask(dns.TypeAAAA), ask(dns.TypeA)
	joined := false
	defer func() {
		cancel()
		if !joined {
			<-second
		}
	}()
	got := <-first
	v4, f4 := got.answer, got.failure
	if f4 != nil && f4.reason == "nxdomain" {
		// The name does not exist for any type.
		return answer{}, f4
	}
	var late <-chan time.Time
	if len(v4.addrs) > 0 {
		t := time.NewTimer(ipv6Delay)
		defer t.Stop()
		late = t.C
	}
	var v6 reply
	select {
	case v6 = <-second:
		joined = true
	case <-late:
	}
	return merge(v4, f4, v6.answer, v6.failure)
}

// merge combines both answers. One good answer is enough, whatever the other is.
func merge(v4 answer, f4 *failure, v6 answer, f6 *failure) (answer, *failure) {
	switch {
	case len(v4.addrs) > 0 && len(v6.addrs) > 0:
		return answer{append(v4.addrs, v6.addrs...), min(v4.ttl, v6.ttl)}, nil
	case len(v4.addrs) > 0:
		return v4, nil
	case len(v6.addrs) > 0:
		return v6, nil
	case f4 != nil:
		return answer{}, f4
	case f6 != nil && f6.reason != "nxdomain":
		return answer{}, f6
	}
	return answer{}, down(check.FailureDNS, "nodata", "the name has no address")
}

func (r *resolver) recall(host string) []netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.cache[host]
	if !ok {
		return nil
	}
	if !r.now().Before(c.expires) {
		delete(r.cache, host)
		return nil
	}
	return c.addrs
}

func (r *resolver) remember(host string, got answer) {
	if got.ttl <= 0 {
		return
	}
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cache == nil {
		r.cache = make(map[string]cached)
	}
	if len(r.cache) >= maxCached {
		r.makeRoom(now)
	}
	r.cache[host] = cached{got.addrs, now.Add(min(got.ttl, maxTTL))}
}

// makeRoom looks at some entries and drops those that have expired, or else an arbitrary
// one: the cache only saves work.
func (r *resolver) makeRoom(now time.Time) {
	const look = 64
	seen, dropped, last := 0, 0, ""
	for host, c := range r.cache {
		if last = host; !now.Before(c.expires) {
			delete(r.cache, host)
			dropped++
		}
		if seen++; seen >= look {
			break
		}
	}
	if dropped == 0 {
		delete(r.cache, last)
	}
}

// forget drops a host's answer after its addresses did not work, so that the next lookup
// asks again.
func (r *resolver) forget(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.cache, host)
}
