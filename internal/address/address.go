// Package address decides which addresses a node may connect to: none of IANA's registries of
// special-purpose addresses, and no metadata service of a cloud, unless it is allowed. It
// connects to nothing; who connects must ask it about the address that the kernel gets.
//
// It has no goroutines.
package address

import "net/netip"

// Options of a Policy. The zero value allows the public Internet.
type Options struct {
	// AllowPrivate allows special addresses, except for the metadata services of clouds.
	AllowPrivate bool
	// AllowMetadata, together with AllowPrivate, includes the metadata services.
	AllowMetadata bool
	// Allowed are exact exceptions.
	Allowed []netip.AddrPort
}

// Policy decides which addresses a connection may go to. New makes one. It is not changed
// afterwards.
type Policy struct {
	allowPrivate, allowMetadata bool
	allowed                     map[netip.AddrPort]struct{}
	v4, v6                      []block
}

// block is a range of addresses; one without a reason belongs to the public Internet.
type block struct {
	prefix netip.Prefix
	reason string
}

// New makes a Policy.
func New(o Options) *Policy {
	p := &Policy{
		allowPrivate:  o.AllowPrivate,
		allowMetadata: o.AllowMetadata,
		allowed:       make(map[netip.AddrPort]struct{}, len(o.Allowed)),
		v4:            specialV4(),
		v6:            specialV6(),
	}
	for _, a := range o.Allowed {
		p.allowed[a] = struct{}{}
	}
	return p
}

// Refuse returns why a connection to an address is not allowed, as private or metadata, or ""
// when it is.
func (p *Policy) Refuse(a netip.AddrPort) string {
	addr := a.Addr()
	switch plain := addr.Unmap(); {
	case !addr.IsValid():
		return "bad_address"
	case plain.IsUnspecified():
		return "unspecified"
	case plain.IsMulticast():
		return "multicast"
	case plain == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "broadcast"
	}
	if _, ok := p.allowed[a]; ok {
		return ""
	}
	switch {
	case !p.allowPrivate:
		return p.special(addr)
	case !p.allowMetadata && p.leadsToMetadata(addr):
		return metadata
	}
	return ""
}

// leadsToMetadata reports whether addr is that of a cloud's metadata service, or contains
// it. The service hands out the machine's credentials.
func (p *Policy) leadsToMetadata(addr netip.Addr) bool {
	addr = addr.WithZone("")
	if p.special(addr) == metadata {
		return true
	}
	for _, inner := range embedded(addr) {
		if p.special(inner) == metadata {
			return true
		}
	}
	return false
}

// embedded returns the IPv4 addresses that a translator may find in an IPv6 address.
func embedded(addr netip.Addr) []netip.Addr {
	if addr.Is4() {
		return nil
	}
	b := addr.As16()
	at := func(i ...int) netip.Addr { return netip.AddrFrom4([4]byte{b[i[0]], b[i[1]], b[i[2]], b[i[3]]}) }
	return []netip.Addr{
		at(12, 13, 14, 15), // mapped, translated, compatible, NAT64, ISATAP
		at(2, 3, 4, 5),     // 6to4
		at(4, 5, 6, 7),     // Teredo's server
		at(6, 7, 9, 10),    // NAT64 with a prefix of 48 bits (RFC 6052)
		netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}), // Teredo's client
	}
}

// special names the range that contains addr; "" is an ordinary public address.
func (p *Policy) special(addr netip.Addr) string {
	blocks := p.v6
	switch {
	case addr.Is4():
		blocks = p.v4
	case addr.Zone() != "":
		return "link_local"
	case isISATAP(addr):
		return "embedded_ipv4"
	}
	for _, b := range blocks {
		if b.prefix.Contains(addr) {
			return b.reason
		}
	}
	return ""
}

// isISATAP reports whether the interface identifier ends in an IPv4 address (RFC 5214).
func isISATAP(addr netip.Addr) bool {
	b := addr.As16()
	return (b[8] == 0 || b[8] == 2) && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

func in(prefix, reason string) block { return block{netip.MustParsePrefix(prefix), reason} }

// metadata is the reason for the metadata services of clouds.
const metadata = "metadata"

// specialV4 follows IANA's special-purpose registry, most specific range first. The
// metadata services of clouds are named even where a wider range holds them.
func specialV4() []block {
	return []block{
		in("168.63.129.16/32", metadata), // Azure's, in the middle of public space
		in("169.254.169.254/32", metadata),
		in("169.254.170.2/32", metadata),
		in("169.254.170.23/32", metadata),
		in("169.254.0.23/32", metadata),
		in("169.254.42.42/32", metadata),
		in("100.100.100.200/32", metadata),
		in("192.0.0.192/32", metadata),
		in("0.0.0.0/8", "unspecified"),
		in("10.0.0.0/8", "private"),
		in("100.64.0.0/10", "cgnat"),
		in("127.0.0.0/8", "loopback"),
		in("169.254.0.0/16", "link_local"),
		in("172.16.0.0/12", "private"),
		in("192.0.0.0/24", "reserved"),
		in("192.0.2.0/24", "documentation"),
		in("192.88.99.0/24", "embedded_ipv4"), // relays to 6to4
		in("192.168.0.0/16", "private"),
		in("198.18.0.0/15", "benchmarking"),
		in("198.51.100.0/24", "documentation"),
		in("203.0.113.0/24", "documentation"),
		in("224.0.0.0/4", "multicast"),
		in("240.0.0.0/4", "reserved"),
	}
}

// specialV6 refuses everything that is not global unicast. It refuses ranges that embed an
// IPv4 address as a whole: a translator on the way could route them anywhere.
func specialV6() []block {
	return []block{
		in("fd00:ec2::254/128", metadata),
		in("fd00:ec2::23/128", metadata),
		in("fd00:c1::a9fe:a9fe/128", metadata),
		in("fd00:42::42/128", metadata),
		in("fd20:ce::254/128", metadata),
		in("fe80::a9fe:a9fe/128", metadata),
		in("::1/128", "loopback"),
		in("::ffff:0:0/96", "embedded_ipv4"),   // IPv4-mapped
		in("::ffff:0:0:0/96", "embedded_ipv4"), // IPv4-translated
		in("::/96", "embedded_ipv4"),           // IPv4-compatible
		in("64:ff9b::/96", "embedded_ipv4"),    // NAT64
		in("64:ff9b:1::/48", "embedded_ipv4"),
		in("2001::/32", "embedded_ipv4"), // Teredo
		in("2002::/16", "embedded_ipv4"), // 6to4
		in("2001:2::/48", "benchmarking"),
		in("2001:db8::/32", "documentation"),
		in("3fff::/20", "documentation"),
		in("2001::/23", "reserved"),
		in("fc00::/7", "private"),
		in("fe80::/10", "link_local"),
		in("fec0::/10", "private"),
		in("ff00::/8", "multicast"),
		in("2000::/3", ""),
		in("::/0", "reserved"),
	}
}
