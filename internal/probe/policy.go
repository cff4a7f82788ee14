package probe

import "net/netip"

// UserAgent identifies every client of this system to site owners.
const UserAgent = userAgent

// AddressPolicy returns the address policy of a Prober with these options, for other clients
// of the same node: it names why an address must not be dialled, or returns "".
func (o Options) AddressPolicy() func(netip.AddrPort) string {
	return newAddressPolicy(o).refuse
}
