// Package delegation finds the name servers to which a host's domain is delegated, by asking the
// servers of the zone above it. So it finds them when they themselves are dead, which is when
// somebody wants to know.
//
// Goroutines: none of its own.
package delegation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/publicsuffix"
)

const (
	// askTimeout bounds one question to one server, maxServers the servers of a zone that are asked.
	askTimeout = 2 * time.Second
	maxServers = 3
	// zoneLife is how long the servers of a zone are remembered, maxZones how many zones are.
	zoneLife = 10 * time.Minute
	maxZones = 1000
)

// Options for New. The zero value uses the system's resolver.
type Options struct {
	// Resolver finds the servers of the zones above.
	Resolver *net.Resolver
	// Port is where these are asked; 0 means 53.
	Port uint16
}

// Finder finds name servers. New makes one. It is safe for concurrent use.
type Finder struct {
	o     Options
	mu    sync.Mutex
	zones map[string]zone
}

// zone is the servers of one.
type zone struct {
	servers []netip.AddrPort
	until   time.Time
}

// New makes a Finder.
func New(o Options) *Finder {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Port == 0 {
		o.Port = 53
	}
	return &Finder{o: o, zones: map[string]zone{}}
}

// errNoDomain means that a host is no name below a public suffix.
var errNoDomain = errors.New("the host has no domain of its own")

// NameServers returns the names of the servers to which the domain of a host is delegated, in
// lower case and sorted.
func (f *Finder) NameServers(ctx context.Context, host string) ([]string, error) {
	if _, err := netip.ParseAddr(host); err == nil {
		return nil, errNoDomain
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(strings.TrimSuffix(host, ".")))
	if err != nil {
		return nil, errNoDomain
	}
	_, parent, _ := strings.Cut(domain, ".")
	servers, err := f.serversOf(ctx, parent)
	if err != nil {
		return nil, fmt.Errorf("the servers of %s: %w", parent, err)
	}
	for _, server := range servers {
		var names []string
		if names, err = ask(ctx, server, domain); err == nil {
			return names, nil
		}
	}
	return nil, fmt.Errorf("the delegation of %s: %w", domain, err)
}

// serversOf returns some servers of a zone.
func (f *Finder) serversOf(ctx context.Context, name string) ([]netip.AddrPort, error) {
	now := time.Now()
	f.mu.Lock()
	z, known := f.zones[name]
	f.mu.Unlock()
	if known && now.Before(z.until) {
		return z.servers, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*askTimeout)
	defer cancel()
	found, err := f.o.Resolver.LookupNS(ctx, name+".")
	if err != nil {
		return nil, err
	}
	for _, ns := range found {
		addresses, err := f.o.Resolver.LookupNetIP(ctx, "ip4", ns.Host)
		if err != nil || len(addresses) == 0 {
			continue
		}
		if z.servers = append(z.servers, netip.AddrPortFrom(addresses[0].Unmap(), f.o.Port)); len(z.servers) == maxServers {
			break
		}
	}
	if len(z.servers) == 0 {
		return nil, errors.New("none has an address")
	}
	z.until = now.Add(zoneLife)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.zones) >= maxZones {
		clear(f.zones)
	}
	f.zones[name] = z
	return z.servers, nil
}

// ask asks a server of the zone above for the delegation of a domain. It is no recursive
// question: the server answers from what it knows.
func ask(ctx context.Context, server netip.AddrPort, domain string) ([]string, error) {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(domain), dns.TypeNS)
	m.RecursionDesired = false
	c := dns.Client{Timeout: askTimeout}
	answer, _, err := c.ExchangeContext(ctx, m, server.String())
	if err != nil {
		return nil, err
	}
	var names []string
	for _, rr := range slices.Concat(answer.Answer, answer.Ns) {
		if ns, ok := rr.(*dns.NS); ok && strings.EqualFold(ns.Hdr.Name, dns.Fqdn(domain)) {
			names = append(names, strings.TrimSuffix(strings.ToLower(ns.Ns), "."))
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no delegation (%s)", dns.RcodeToString[answer.Rcode])
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
