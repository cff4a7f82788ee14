package probe

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	resolvConf = "/etc/resolv.conf"
	hostsFile  = "/etc/hosts"
	// systemFresh is how long the machine's files count as current.
	systemFresh = 10 * time.Second
	// maxHostsBytes is how much of the hosts file is read.
	maxHostsBytes = 1 << 20
)

// system is the machine's own name configuration: its name servers and its hosts file.
// Both are read again regularly, because they change during the life of a process.
type system struct {
	now func() time.Time

	mu      sync.Mutex
	read    time.Time
	servers nameservers
	hosts   map[string][]netip.Addr
}

// fixedServers parses Options.Resolver: one HOST:PORT, or several separated by commas.
func fixedServers(list string) (nameservers, error) {
	var ns nameservers
	for server := range strings.SplitSeq(list, ",") {
		host, port, err := net.SplitHostPort(strings.TrimSpace(server))
		if err != nil {
			return nameservers{}, fmt.Errorf("resolver %q: %w", server, err)
		}
		if host == "" || port == "" {
			return nameservers{}, fmt.Errorf("resolver %q: must be HOST:PORT", server)
		}
		ns.addrs = append(ns.addrs, net.JoinHostPort(host, port))
	}
	return ns, nil
}

func (s *system) refresh() {
	now := s.now()
	if !s.read.IsZero() && now.Sub(s.read) < systemFresh {
		return
	}
	s.read = now
	conf, err := dns.ClientConfigFromFile(resolvConf)
	if err != nil || len(conf.Servers) == 0 {
		// libc has the same fallback.
		conf = &dns.ClientConfig{Servers: []string{"127.0.0.1"}, Port: "53"}
	}
	s.servers = nameservers{}
	for _, server := range conf.Servers {
		s.servers.addrs = append(s.servers.addrs, net.JoinHostPort(server, conf.Port))
	}
	s.hosts = nil
	if f, err := os.Open(hostsFile); err == nil {
		s.hosts = parseHosts(io.LimitReader(f, maxHostsBytes))
		_ = f.Close()
	}
}

func (s *system) nameservers() nameservers {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh()
	return s.servers
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
