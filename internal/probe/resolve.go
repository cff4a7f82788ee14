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
	// maxTTL is how long an answer is kept at most.
	maxTTL = time.Minute
	// maxCached bounds the number of answers that are kept.
	maxCached = 20_000
	// ipv6Delay is how long a lookup waits for IPv6 addresses once it has IPv4 ones.
	ipv6Delay = 150 * time.Millisecond
	// maxAnswers is how many addresses of a name are looked at.
	maxAnswers = 32
)

// resolver turns names into addresses. Only good answers are remembered.
type resolver struct {
	servers func() nameservers
	// hosts answers from the machine's own table, before any server is asked; may be nil.
	hosts func(host string) []netip.Addr
	now   func() time.Time

	mu    sync.Mutex
	cache map[string]cached
}

type cached struct {
	addrs   []netip.Addr
	expires time.Time
}

// lookup finds the addresses of a host that is a name.
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

type reply struct {
	answer
	failure *failure
}

// askBoth asks for A and AAAA at once. IPv4 addresses do not wait long for IPv6 ones,
// since servers that never answer AAAA are common; IPv6 alone waits for the answer about
// IPv4, because so many paths over IPv6 are broken.
func (r *resolver) askBoth(ctx context.Context, host string) (answer, *failure) {
	ctx, cancel := context.WithCancel(ctx)
	servers := r.servers()
	// Both beside us: questions need a large stack, which we would keep during the check.
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

// merge puts both answers together. One good answer is enough, whatever the other is.
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

// makeRoom drops what has expired among some entries, or else any of them: the cache
// only saves work.
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

// forget makes the next lookup of a host ask anew, after its addresses did not work.
func (r *resolver) forget(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.cache, host)
}
