package probe

import (
	"context"
	"net/netip"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/lookup"
)

// resolve returns the addresses of a place.
func (a *attempt) resolve(ctx context.Context, here *place) ([]netip.Addr, *failure) {
	if here.literal.IsValid() {
		return []netip.Addr{here.literal}, nil
	}
	a.trace.reach(check.PhaseDNS)
	start := time.Now()
	if here.isLocalhost() && !a.resolver.Knows(here.host) {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, nil
	}
	addrs, f := a.resolver.Lookup(ctx, here.host)
	a.trace.timing.DNS += since(start)
	if f != nil {
		return nil, lookupFailure(f)
	}
	return addrs, nil
}

// lookupFailure says what it means for a site that its name has no addresses.
func lookupFailure(f *lookup.Failure) *failure {
	kind, outcome := check.FailureDNS, check.OutcomeDown
	if f.Ours {
		outcome = check.OutcomeUnknown
	}
	if f.Reason == "internal_error" {
		kind = check.FailureNone
	}
	return &failure{
		outcome: outcome, kind: kind, reason: f.Reason,
		detail: printable(f.Detail, check.MaxDetailBytes), timedOut: f.TimedOut,
	}
}
