package lookup

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	resolvConf = "/etc/resolv.conf"
	hostsFile  = "/etc/hosts"
	// fresh is how long the machine's files count as current, and what a name server's own
	// name means.
	fresh = 10 * time.Second
	// maxHostsBytes is how much of the hosts file is read.
	maxHostsBytes = 1 << 20
	// maxServers limits the name servers that are asked.
	maxServers = 3
)

// system is the machine's own name configuration: its name servers and its hosts file.
// Both are read again regularly, because they change during the life of a process.
type system struct {
	now func() time.Time

	mu      sync.Mutex
	read    time.Time
	servers []netip.AddrPort
	hosts   map[string][]netip.Addr
}

func (s *system) refresh() {
	now := s.now()
	if !s.read.IsZero() && now.Sub(s.read) < fresh {
		return
	}
	s.read = now
	conf, err := dns.ClientConfigFromFile(resolvConf)
	if err != nil || len(conf.Servers) == 0 {
		// libc has the same fallback.
		conf = &dns.ClientConfig{Servers: []string{"127.0.0.1"}, Port: "53"}
	}
	s.servers = nil
	for _, server := range conf.Servers {
		if a, err := netip.ParseAddrPort(net.JoinHostPort(server, conf.Port)); err == nil {
			s.servers = append(s.servers, a)
		}
	}
	s.hosts = nil
	if f, err := os.Open(hostsFile); err == nil {
		s.hosts = parseHosts(io.LimitReader(f, maxHostsBytes))
		_ = f.Close()
	}
}

// nameservers returns the machine's name servers.
func (s *system) nameservers(context.Context) ([]netip.AddrPort, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh()
	return s.servers, nil
}

// lookup answers from the hosts file; localhost is always this machine (RFC 6761).
func (s *system) lookup(host string) []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh()
	if addrs := s.hosts[host]; len(addrs) > 0 {
		return addrs
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	return nil
}

// parseHosts parses a hosts file: each line has an address and its names.
func parseHosts(r io.Reader) map[string][]netip.Addr {
	hosts := make(map[string][]netip.Addr)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		addr, err := netip.ParseAddr(f[0])
		if err != nil {
			continue
		}
		for _, name := range f[1:] {
			name = strings.ToLower(strings.TrimSuffix(name, "."))
			hosts[name] = append(hosts[name], addr)
		}
	}
	return hosts
}

// given is the list of name servers from the Options. Those with a name instead of an
// address are looked up by the machine's own resolver.
type given struct {
	now func() time.Time

	hosts []hostPort
	named bool
	// literal are the servers when none has a name.
	literal []netip.AddrPort

	mu      sync.Mutex
	read    time.Time
	servers []netip.AddrPort
}

type hostPort struct {
	host string
	port uint16
}

// parseServers parses one HOST:PORT, or several separated by commas.
func parseServers(list string, now func() time.Time) (*given, error) {
	g := &given{now: now}
	for server := range strings.SplitSeq(list, ",") {
		host, text, err := net.SplitHostPort(strings.TrimSpace(server))
		if err != nil {
			return nil, fmt.Errorf("resolver %q: %w", server, err)
		}
		port, err := strconv.ParseUint(text, 10, 16)
		if host == "" || err != nil || port == 0 {
			return nil, fmt.Errorf("resolver %q: must be HOST:PORT", server)
		}
		if addr, err := netip.ParseAddr(host); err != nil {
			g.named = true
		} else {
			g.literal = append(g.literal, netip.AddrPortFrom(addr, uint16(port)))
		}
		g.hosts = append(g.hosts, hostPort{host, uint16(port)})
	}
	return g, nil
}

// nameservers returns the addresses of the name servers. When a name cannot be resolved, the
// last known addresses stay in use.
func (g *given) nameservers(ctx context.Context) ([]netip.AddrPort, error) {
	if !g.named {
		return g.literal, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if len(g.servers) > 0 && now.Sub(g.read) < fresh {
		return g.servers, nil
	}
	var found []netip.AddrPort
	var failed error
	for _, h := range g.hosts {
		if addr, err := netip.ParseAddr(h.host); err == nil {
			found = append(found, netip.AddrPortFrom(addr, h.port))
			continue
		}
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", h.host)
		if err != nil {
			failed = fmt.Errorf("look up the name server %s: %w", h.host, err)
			continue
		}
		for _, a := range addrs {
			found = append(found, netip.AddrPortFrom(a.Unmap(), h.port))
		}
	}
	if len(found) > 0 {
		g.servers, g.read = found, now
	}
	if len(g.servers) == 0 {
		return nil, failed
	}
	return g.servers, nil
}
