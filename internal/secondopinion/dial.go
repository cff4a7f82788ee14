package secondopinion

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// maxAddresses is how many addresses of a host are tried.
const maxAddresses = 8

// refusal reports addresses that may not be dialled.
type refusal struct {
	reason string
	// isLiteral means that the target named the address itself.
	isLiteral bool
}

func (r *refusal) Error() string { return "the address may not be dialled: " + r.reason }

// finding says what a refusal means: a site that leads there on its own cannot be visited.
func (r *refusal) finding(hops int) *finding {
	switch {
	case hops > 0:
		return bad(check.FailureRedirect, "unroutable", r.Error())
	case r.isLiteral:
		return &finding{outcome: check.OutcomeUnknown, kind: check.FailurePolicy, reason: r.reason, detail: r.Error()}
	}
	return bad(check.FailureDNS, "unroutable", r.Error())
}

// forbids returns why an address must not be dialled, or "". It refuses metadata services,
// which hand out credentials, whatever the policy allows; and so it does with translated
// addresses, behind which they may be.
func (n *network) forbids(a netip.AddrPort) string {
	switch reason := n.strict(netip.AddrPortFrom(a.Addr().Unmap(), a.Port())); reason {
	case "metadata", "embedded_ipv4":
		return reason
	}
	return n.refuse(a)
}

// dialer returns the DialContext of an asking. A dial ends with both contexts: net/http goes
// on with a dial that its request does not need any more, and life is the asking's.
func (a *asking) dialer(life context.Context) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		if !a.begin() {
			return nil, errOver
		}
		defer a.dials.Done()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(life, cancel)()
		if end, ok := life.Deadline(); ok {
			var stop context.CancelFunc
			ctx, stop = context.WithDeadline(ctx, end)
			defer stop()
		}
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("dial: %w", err)
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("dial: %w", err)
		}
		c, err := a.dial(ctx, host, uint16(n))
		if err == nil {
			a.keep(c)
		}
		return c, err
	}
}

// errOver ends a dial that begins after its asking.
var errOver = errors.New("the question is over")

// begin notes a dial, and is false when the asking is over.
func (a *asking) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over {
		a.dials.Add(1)
	}
	return !a.over
}

// keep notes a connection for close.
func (a *asking) keep(c net.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conns = append(a.conns, c)
}

// close ends all dials and connections.
func (a *asking) close() {
	a.mu.Lock()
	a.over = true
	a.mu.Unlock()
	a.dials.Wait()
	for _, c := range a.conns {
		_ = c.Close()
	}
	a.transport.CloseIdleConnections()
}

// dial connects to a host. It tries IPv4, and IPv6 where IPv4 leads nowhere.
func (a *asking) dial(ctx context.Context, host string, port uint16) (net.Conn, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return a.connect(ctx, []netip.Addr{addr}, port, true)
	}
	var first error
	for _, family := range []string{"ip4", "ip6"} {
		a.reach(check.PhaseDNS)
		start := time.Now()
		addrs, err := a.network.lookup(ctx, family, host)
		a.note(func(s *seen) { s.timing.DNS += time.Since(start) })
		if err == nil {
			var c net.Conn
			if c, err = a.connect(ctx, addrs, port, false); err == nil {
				return c, nil
			}
		}
		if first == nil || isNotFound(first) {
			first = err
		}
	}
	return nil, first
}

func isNotFound(err error) bool {
	e, ok := errors.AsType[*net.DNSError](err)
	return ok && e.IsNotFound
}

// connect tries the addresses that may be dialled, one after another, each for its share of
// the time. isLiteral means that the address was given, and not a name.
func (a *asking) connect(ctx context.Context, addrs []netip.Addr, port uint16, isLiteral bool) (net.Conn, error) {
	a.reach(check.PhaseConnect)
	start := time.Now()
	defer func() { a.note(func(s *seen) { s.timing.Connect += time.Since(start) }) }()
	var allowed []netip.AddrPort
	var last error
	for _, addr := range addrs {
		if reason := a.network.forbids(netip.AddrPortFrom(addr, port)); reason != "" {
			last = &refusal{reason: reason, isLiteral: isLiteral}
			continue
		}
		allowed = append(allowed, netip.AddrPortFrom(addr, port))
	}
	allowed = allowed[:min(len(allowed), maxAddresses)]
	for i, addr := range allowed {
		d := net.Dialer{Timeout: share(ctx, len(allowed)-i), KeepAlive: -1, ControlContext: a.network.gate}
		c, err := d.DialContext(ctx, "tcp", addr.String())
		if err == nil {
			return c, nil
		}
		last = err
	}
	if last == nil {
		last = errors.New("the name has no address")
	}
	return nil, last
}

// gate is the dialer's Control: it applies the policy once more, to the very address that the
// kernel gets.
func (n *network) gate(_ context.Context, _, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return &refusal{reason: "bad_address"}
	}
	if reason := n.forbids(a); reason != "" {
		return &refusal{reason: reason}
	}
	if n.dialled != nil {
		return n.dialled(a)
	}
	return nil
}
