package api

import (
	"net/netip"
	"strings"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/weburl"
)

// edit applies the named fields of a site to a row, and refuses a new URL that no checker
// would visit.
func (o Options) edit(row *record.Site, site *monitorv1.Site, paths []string) error {
	before := row.URL
	if err := apply(row, site, paths); err != nil || row.URL == before {
		return err
	}
	u, err := check.ParseURL(row.URL)
	if err != nil {
		return fault.InvalidField("site.url", "%w", err)
	}
	addr, ok := literal(u)
	if !ok {
		return nil // where a name leads is for its checks to find out
	}
	if why := o.Engine.Refuses(netip.AddrPortFrom(addr, u.Port)); why != "" {
		return fault.InvalidField("site.url", "must be on the public Internet: %s is a special address (%s), which the checkers never visit "+
			"(they do with --allow-private, and metadata services with --allow-metadata, for development)", u.Host, why)
	}
	return nil
}

// literal returns the address that a host is, or always means.
func literal(u weburl.URL) (addr netip.Addr, ok bool) {
	host := strings.TrimSuffix(u.Host, ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	}
	return u.Addr, u.Addr.IsValid()
}
