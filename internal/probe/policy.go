package probe

import (
	"net/netip"

	"github.com/Automattic/jetmon/internal/address"
)

// UserAgent identifies every client of this system to site owners.
const UserAgent = userAgent

// Addresses returns the options of the address policy of a Prober with these options.
func (o Options) Addresses() address.Options {
	return address.Options{AllowPrivate: o.AllowPrivate, AllowMetadata: o.AllowMetadata, Allowed: o.Allowed}
}

// AddressPolicy returns the address policy of a Prober with these options, for other clients
// of the same node: it names why an address must not be dialled, or returns "".
func (o Options) AddressPolicy() func(netip.AddrPort) string {
	return address.New(o.Addresses()).Refuse
}
