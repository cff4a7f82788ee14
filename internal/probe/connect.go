package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/Automattic/jetmon/internal/address"
	"github.com/Automattic/jetmon/internal/check"
)

const (
	// headStart is how long one address is tried before an attempt at the next starts beside
	// it (RFC 8305).
	headStart = 250 * time.Millisecond
	// maxAddresses is how many addresses of a host are tried.
	maxAddresses = 8
	// ipv6Patience is how long an IPv6 attempt that lost against IPv4 may take before its
	// address counts as broken: long enough for one repeated SYN.
	ipv6Patience = 1200 * time.Millisecond
)

// dialFunc opens a TCP connection to exactly this address.
type dialFunc func(ctx context.Context, a netip.AddrPort) (net.Conn, error)

// connector connects to the best of several addresses.
type connector struct {
	policy *address.Policy
	// dial is the engine's own way, dialNet that of package net.
	dial, dialNet dialFunc
	// gate is called directly before the kernel; its error becomes the connection's.
	gate func(netip.AddrPort) error
	// hasRoute reports whether this machine has a route to an address.
	hasRoute func(netip.AddrPort) bool
}

// newConnector returns a connector that dials over package net.
func newConnector(policy *address.Policy) *connector {
	c := &connector{policy: policy, hasRoute: hasRoute, gate: func(a netip.AddrPort) error {
		if policy.Refuse(a) != "" {
			return errRefusedAddress
		}
		return nil
	}}
	dialer := &net.Dialer{
		KeepAlive: -1, // a check is over long before a keep-alive could matter
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			a, err := netip.ParseAddrPort(address)
			if err != nil {
				return errRefusedAddress
			}
			return c.gate(a)
		},
	}
	c.dialNet = func(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", a.String())
	}
	c.dial = c.dialNet
	return c
}

// overNet returns a connector that uses package net.
func (c *connector) overNet() *connector {
	o := *c
	o.dial = o.dialNet
	return &o
}

var errRefusedAddress = errors.New("address is refused by policy")

// hasRoute asks the kernel for a route by connecting a datagram socket, which sends
// nothing.
func hasRoute(a netip.AddrPort) bool {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(a))
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// dialled is the result of one attempt to connect.
type dialled struct {
	addr netip.AddrPort
	conn net.Conn
	err  error
}

// connect applies the address policy and connects to one of the allowed addresses.
func (c *connector) connect(ctx context.Context, r *request, t *trace) (net.Conn, *failure) {
	t.reach(check.PhaseConnect)
	t.dropIPv6()
	start := time.Now()
	defer func() { t.timing.Connect += since(start) }()
	addrs, f := c.permitted(r)
	switch {
	case f != nil:
		return nil, f
	case len(addrs) == 1:
		t.addr = addrs[0]
		conn, err := c.dial(ctx, addrs[0])
		if err != nil {
			return nil, c.judge([]dialled{{addr: addrs[0], err: err}})
		}
		return conn, nil
	}
	return c.race(ctx, addrs, t)
}

// permitted returns the allowed addresses, alternating between the families, IPv6 first.
// It returns a failure when none is allowed.
func (c *connector) permitted(r *request) (addrs []netip.AddrPort, f *failure) {
	var v4, v6 []netip.AddrPort
	reason := ""
	for i, a := range r.addrs {
		ap := netip.AddrPortFrom(a, r.place.port)
		if slices.Contains(r.addrs[:i], a) {
			continue
		}
		if why := c.policy.Refuse(ap); why != "" {
			reason = why
			continue
		}
		if a.Unmap().Is4() {
			v4 = append(v4, netip.AddrPortFrom(a.Unmap(), r.place.port))
		} else {
			v6 = append(v6, ap)
		}
	}
	for i := range max(len(v4), len(v6)) {
		if i < len(v6) {
			addrs = append(addrs, v6[i])
		}
		if i < len(v4) {
			addrs = append(addrs, v4[i])
		}
	}
	if len(addrs) == 0 {
		return nil, refused(reason, "the address of "+r.place.host+" may not be probed")
	}
	return addrs[:min(len(addrs), maxAddresses)], nil
}

// race tries the addresses concurrently, each with a head start before the next.
func (c *connector) race(ctx context.Context, addrs []netip.AddrPort, t *trace) (net.Conn, *failure) {
	k := newContest(ctx, c, addrs, t)
	defer k.next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, k.tooLate(ctx.Err())
		case <-k.next.C:
			k.start()
		case got := <-k.watch.results:
			if got.err == nil {
				return k.won(got), nil
			}
			if k.lost(got) {
				return nil, c.judge(k.ended)
			}
		}
	}
}

// contest is a race under way. It is on the heap: most sites have several addresses, and the
// stack that a check has needed is the one that it waits with.
type contest struct {
	*connector
	trace *trace
	addrs []netip.AddrPort
	// free is the context of the attempts. Those over IPv6 may outlive the race, so they do not
	// inherit the end of the check's; the race and the watch cancel them.
	free         context.Context
	watch        ipv6Watch
	begun, ended []dialled
	next         *time.Timer // to begin the next attempt
}

func newContest(ctx context.Context, c *connector, addrs []netip.AddrPort, t *trace) *contest {
	k := &contest{connector: c, trace: t, addrs: addrs, next: time.NewTimer(0)}
	k.free, k.watch.cancel = context.WithCancel(context.WithoutCancel(ctx))
	k.watch.results, k.watch.begun = make(chan dialled, len(addrs)), time.Now()
	return k
}

// start begins the next attempt.
func (k *contest) start() {
	a := k.addrs[len(k.begun)]
	k.begun = append(k.begun, dialled{addr: a})
	k.trace.addr = a
	go func() {
		conn, err := k.dial(k.free, a)
		k.watch.results <- dialled{a, conn, err}
	}()
	if len(k.begun) < len(k.addrs) {
		k.next.Reset(headStart)
	}
}

// won ends the race with the attempt that has succeeded.
func (k *contest) won(got dialled) net.Conn {
	k.trace.addr = got.addr
	k.trace.ipv6 = k.watchLosers(got)
	return got.conn
}

// lost counts an attempt that has failed, and reports whether it was the last one.
func (k *contest) lost(got dialled) (over bool) {
	if k.ended = append(k.ended, got); len(k.ended) == len(k.addrs) {
		k.watch.cancel()
		return true
	}
	if len(k.begun) < len(k.addrs) {
		k.next.Reset(0)
	}
	return false
}

// tooLate ends the race with the check's context.
func (k *contest) tooLate(err error) *failure {
	k.watch.pending = len(k.begun) - len(k.ended)
	k.watch.finish()
	f := k.judge(append(k.ended, dialled{err: err}))
	f.timedOut = true // some addresses had no chance, whatever the others did
	return f
}

// judge returns the most telling failure of attempts that all failed. What a peer did
// tells more than what this machine could not do, and an answer tells more than silence.
func (c *connector) judge(ended []dialled) *failure {
	var worst *failure
	weight := func(f *failure) int {
		switch {
		case f.outcome == check.OutcomeUnknown:
			return 0
		case f.timedOut || f.reason == "timeout":
			return 1
		}
		return 2
	}
	for _, a := range ended {
		if errors.Is(a.err, errRefusedAddress) {
			continue
		}
		f := connectFailure(a.err, !errors.Is(a.err, syscall.ENETUNREACH) || c.hasRoute(a.addr))
		if worst == nil || weight(f) > weight(worst) {
			worst = f
		}
	}
	if worst == nil {
		return refused("bad_address", "the address may not be probed")
	}
	return worst
}

// ipv6Watch holds what remains of a race that IPv4 won: the IPv6 attempts.
type ipv6Watch struct {
	results chan dialled
	cancel  context.CancelFunc
	begun   time.Time
	// pending counts the attempts that have not ended; pendingV6 counts those over IPv6.
	pending, pendingV6 int
	broken             bool
}

// watchLosers closes the losers of a race. IPv6 attempts that IPv4 overtook go on beside the
// check, to learn whether they would have worked.
func (k *contest) watchLosers(won dialled) *ipv6Watch {
	w := &k.watch
	w.pending = len(k.begun) - len(k.ended) - 1
	for _, a := range k.begun {
		if a.addr.Addr().Is6() {
			w.pendingV6++
		}
	}
	for _, a := range k.ended {
		if a.addr.Addr().Is6() {
			w.pendingV6--
			w.broken = w.broken || k.isBroken(a)
		}
	}
	if won.addr.Addr().Is6() {
		w.pendingV6, w.broken = 0, false
	}
	if w.broken || w.pendingV6 == 0 {
		w.finish()
	}
	return w
}

// isBroken reports whether a failed attempt is the site's fault and not this machine's.
func (c *connector) isBroken(a dialled) bool {
	f := connectFailure(a.err, !errors.Is(a.err, syscall.ENETUNREACH) || c.hasRoute(a.addr))
	return f.outcome == check.OutcomeDown && !errors.Is(a.err, context.Canceled) &&
		!errors.Is(a.err, errRefusedAddress)
}

// isBroken reports whether the site's IPv6 is broken. It waits until the pending attempts
// are old enough to tell, or the budget ends.
func (w *ipv6Watch) isBroken(ctx context.Context, end time.Time, c *connector) bool {
	defer w.finish()
	old := w.begun.Add(ipv6Patience)
	patience := time.NewTimer(min(time.Until(old), time.Until(end)))
	defer patience.Stop()
	for w.pendingV6 > 0 && !w.broken {
		select {
		case <-ctx.Done():
			return false
		case <-patience.C:
			return !end.Before(old)
		case got := <-w.results:
			w.pending--
			if got.err == nil {
				_ = got.conn.Close()
			}
			switch {
			case !got.addr.Addr().Is6():
			case got.err == nil:
				return false
			default:
				w.pendingV6--
				w.broken = c.isBroken(got)
			}
		}
	}
	return w.broken
}

// finish cancels the pending attempts and closes their connections. A cancelled attempt
// ends at once.
func (w *ipv6Watch) finish() {
	w.cancel()
	for ; w.pending > 0; w.pending-- {
		if got := <-w.results; got.err == nil {
			_ = got.conn.Close()
		}
	}
	w.pendingV6 = 0
}
