package probe

import "net/netip"

// UserAgent identifies every client of this system to site owners.
const UserAgent = userAgent

// AddressPolicy returns the address policy of a Prober with these options, for other clients
// of the same node: it names why an address must not be dialled, or returns "".
func (o Options) AddressPolicy() func(netip.AddrPort) string {
	return newAddressPolicy(o.AllowPrivate, o.Allowed).refuse
}

// Nameservers returns Resolver as a list of HOST:PORT. It is empty where the machine's name
// servers are asked.
func (o Options) Nameservers() ([]string, error) {
	if o.Resolver == "" {
		return nil, nil
	}
	servers, err := fixedServers(o.Resolver)
	return servers.addrs, err
}
