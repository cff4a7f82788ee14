package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

func TestConnectionRequestsWithoutAnswer(t *testing.T) {
	t.Parallel()
	onEngines(t, connectionRequestsWithoutAnswerOn, fast, portable, reference)
}

func connectionRequestsWithoutAnswerOn(t *testing.T, newProber maker) {
	hole := fakesite.Blackhole(t, addrPort("127.0.0.1:0"))
	o := probeInTime(t.Context(), t, newProber(t), check.Target{URL: "http://" + hole.String() + "/", Timeout: short})
	if want := fails(check.FailureConnect, "timeout", 0, check.PhaseConnect); !findingOf(o).same(want) {
		t.Errorf("got %+v", o)
	}
}

// TestHappyEyeballs checks sites with addresses of both families, of which one does not work.
func TestHappyEyeballs(t *testing.T) {
	t.Parallel()
	onEngines(t, happyEyeballsOn, fast, portable, reference)
}

func happyEyeballsOn(t *testing.T, newProber maker) {
	broken := check.AdvisoryIPv6Broken
	for _, c := range []struct {
		name       string
		v4, v6     func(*testing.T, netip.AddrPort) netip.AddrPort
		want       finding
		overFamily string
	}{
		{"both work", answering, answering, up(200), "v6"},
		{"IPv6 refused", answering, refusing, up(200, broken), "v4"},
		{"IPv6 swallowed", answering, swallowing, up(200, broken), "v4"},
		{"IPv4 refused", refusing, answering, up(200), "v6"},
		{"IPv4 swallowed", swallowing, answering, up(200), "v6"},
		{"both refused", refusing, refusing, fails(check.FailureConnect, "refused", 0, check.PhaseConnect), ""},
		{"both swallowed", swallowing, swallowing, fails(check.FailureConnect, "timeout", 0, check.PhaseConnect), ""},
		{"one refused, one swallowed", swallowing, refusing, fails(check.FailureConnect, "refused", 0, check.PhaseConnect), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			names := fakesite.NewDNS(t)
			names.Host("both.test", "127.0.0.1", "::1")
			v4 := c.v4(t, addrPort("127.0.0.1:0"))
			v6 := c.v6(t, netip.AddrPortFrom(netip.IPv6Loopback(), v4.Port()))
			p := newProber(t, func(o *Options) { o.Resolver = names.Addr() })
			start := time.Now()
			o := probeInTime(t.Context(), t, p, check.Target{URL: fmt.Sprintf("http://both.test:%d/", v4.Port()), Timeout: 2 * time.Second})
			if got := findingOf(o); !got.same(c.want) {
				t.Errorf("got %+v\nwant %+v\nof %+v", got, c.want, o)
			}
			if c.overFamily == "v4" && o.ResolvedAddress != v4.String() || c.overFamily == "v6" && o.ResolvedAddress != v6.String() {
				t.Errorf("went to %s", o.ResolvedAddress)
			}
			// The silence of one family must not cost the site its answer.
			if o.Outcome == check.OutcomeUp && (o.Timing.Connect > time.Second || time.Since(start) > 1900*time.Millisecond) {
				t.Errorf("took %v, connect %v", time.Since(start), o.Timing.Connect)
			}
		})
	}
}

func answering(t *testing.T, at netip.AddrPort) netip.AddrPort  { return fakesite.NewOn(t, at).Addr() }
func refusing(t *testing.T, at netip.AddrPort) netip.AddrPort   { return fakesite.Unbound(t, at) }
func swallowing(t *testing.T, at netip.AddrPort) netip.AddrPort { return fakesite.Blackhole(t, at) }

// TestManyAddresses checks a site with one working address among several that do not work.
func TestManyAddresses(t *testing.T) {
	t.Parallel()
	onEngines(t, manyAddressesOn, fast, portable, reference)
}

func manyAddressesOn(t *testing.T, newProber maker) {
	site, names := fakesite.New(t), fakesite.NewDNS(t)
	names.Host("many.test", "127.0.0.4", "127.0.0.3", "127.0.0.2", "127.0.0.1")
	p := newProber(t, func(o *Options) { o.Resolver = names.Addr() })
	o := probeInTime(t.Context(), t, p, check.Target{URL: site.At("many.test").URL()})
	if want := up(200); !findingOf(o).same(want) || o.ResolvedAddress != site.Addr().String() {
		t.Errorf("got %+v", o)
	}
}

// TestErrnoDecides gives each kernel error its meaning, including those that the loopback
// interface never returns.
func TestErrnoDecides(t *testing.T) {
	t.Parallel()
	onEngines(t, errnoDecidesOn, fast, portable)
}

func errnoDecidesOn(t *testing.T, newProber maker) {
	for errno, want := range map[syscall.Errno]finding{
		syscall.ECONNREFUSED:  {outcome: check.OutcomeDown, reason: "refused"},
		syscall.ECONNRESET:    {outcome: check.OutcomeDown, reason: "reset"},
		syscall.EHOSTUNREACH:  {outcome: check.OutcomeDown, reason: "host_unreachable"},
		syscall.ENETUNREACH:   {outcome: check.OutcomeUnknown, reason: "no_route"},
		syscall.ETIMEDOUT:     {outcome: check.OutcomeDown, reason: "timeout"},
		syscall.EMFILE:        {outcome: check.OutcomeUnknown, reason: "node_resources"},
		syscall.ENOBUFS:       {outcome: check.OutcomeUnknown, reason: "node_resources"},
		syscall.EADDRNOTAVAIL: {outcome: check.OutcomeUnknown, reason: "node_resources"},
		syscall.EACCES:        {outcome: check.OutcomeUnknown, reason: "node_resources"},
		syscall.EPROTO:        {outcome: check.OutcomeDown, reason: "failed"},
	} {
		p := newProber(t)
		p.connector.gate = func(netip.AddrPort) error { return os.NewSyscallError("connect", errno) }
		p.connector.hasRoute = func(netip.AddrPort) bool { return false }
		o := probeInTime(t.Context(), t, p, check.Target{URL: "http://127.0.0.1/"})
		if o.Outcome != want.outcome || o.Reason != want.reason || o.Failure != check.FailureConnect {
			t.Errorf("%v: got %+v", errno, o)
		}
	}
	if f := connectFailure(syscall.ENETUNREACH, true); f.reason != "network_unreachable" || f.outcome != check.OutcomeDown {
		t.Errorf("unreachable although there is a route: %+v", f)
	}
}

// TestNodeWithoutIPv6 shows that a node without IPv6 does not call the IPv6 of sites broken.
func TestNodeWithoutIPv6(t *testing.T) {
	t.Parallel()
	onEngines(t, nodeWithoutIPv6On, fast, portable)
}

func nodeWithoutIPv6On(t *testing.T, newProber maker) {
	site, names := fakesite.New(t), fakesite.NewDNS(t)
	names.Host("both.test", "127.0.0.1", "::1")
	p := newProber(t, func(o *Options) { o.Resolver = names.Addr() })
	real := p.connector.dial
	p.connector.dial = func(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
		if a.Addr().Is6() {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
		}
		return real(ctx, a)
	}
	p.connector.hasRoute = func(a netip.AddrPort) bool { return a.Addr().Is4() }
	o := probeInTime(t.Context(), t, p, check.Target{URL: site.At("both.test").URL()})
	if !findingOf(o).same(up(200)) {
		t.Errorf("got %+v", o)
	}
}

// TestSlowIPv6 follows attempts over IPv6 that IPv4 overtook.
func TestSlowIPv6(t *testing.T) {
	t.Parallel()
	onEngines(t, slowIPv6On, fast, portable)
}

func slowIPv6On(t *testing.T, newProber maker) {
	for name, c := range map[string]struct {
		code int
		dial func(context.Context, dialFunc, netip.AddrPort) (net.Conn, error)
		want finding
	}{
		"works after all": {200, func(ctx context.Context, real dialFunc, v6 netip.AddrPort) (net.Conn, error) {
			return later(ctx, func() (net.Conn, error) { return real(ctx, v6) })
		}, up(200)},
		"fails after all": {200, func(ctx context.Context, _ dialFunc, _ netip.AddrPort) (net.Conn, error) {
			return later(ctx, func() (net.Conn, error) { return nil, syscall.EHOSTUNREACH })
		}, up(200, check.AdvisoryIPv6Broken)},
		"is no matter when the site fails": {500, func(ctx context.Context, _ dialFunc, _ netip.AddrPort) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, fails(check.FailureServer, "http_500", 500, check.PhaseResponse)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			names, v4 := fakesite.NewDNS(t), fakesite.New(t)
			v4.SetStatus(c.code)
			fakesite.NewOn(t, netip.AddrPortFrom(netip.IPv6Loopback(), v4.Port()))
			names.Host("both.test", "127.0.0.1", "::1")
			p := newProber(t, func(o *Options) { o.Resolver = names.Addr() })
			real := p.connector.dial
			p.connector.dial = func(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
				if a.Addr().Is6() {
					return c.dial(ctx, real, a)
				}
				return real(ctx, a)
			}
			o := probeInTime(t.Context(), t, p, check.Target{URL: v4.At("both.test").URL()})
			if got := findingOf(o); !got.same(c.want) || o.ResolvedAddress != v4.Addr().String() {
				t.Errorf("got %+v\nwant %+v\nof %+v", got, c.want, o)
			}
		})
	}
}

// later waits for twice the head start of IPv6, or the context.
func later(ctx context.Context, f func() (net.Conn, error)) (net.Conn, error) {
	select {
	case <-time.After(2 * headStart):
		return f()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// panicking is an engine that panics.
type panicking struct{ when func() }

func (panicking) close() {}

func (e panicking) exchange(context.Context, *request, *trace) (*response, *failure) {
	e.when()
	panic("bug\x00 in the engine")
}

// TestPanicCostsOneCheck covers panics where Probe itself cannot catch them, too.
func TestPanicCostsOneCheck(t *testing.T) {
	t.Parallel()
	p := newProber(t)
	real := p.engine
	beside := make(chan struct{}, 1)
	for name, e := range map[string]engine{
		"at once":       panicking{func() {}},
		"in a late GET": lateBug{real, panicking{func() { beside <- struct{}{} }}},
	} {
		site := fakesite.New(t)
		site.Hang()
		p.engine = e
		o := probeInTime(t.Context(), t, p, check.Target{URL: site.URL(), Timeout: 4 * time.Second})
		if o.Outcome != check.OutcomeUnknown || o.Reason != "internal_error" || o.Detail != "panic: bug in the engine" {
			t.Errorf("%s: got %+v", name, o)
		}
	}
	if len(beside) != 1 {
		t.Error("the late GET never came to its bug")
	}
}

// lateBug is an engine that answers HEAD and panics on GET.
type lateBug struct {
	good engine
	bad  panicking
}

func (lateBug) close() {}

func (e lateBug) exchange(ctx context.Context, r *request, t *trace) (*response, *failure) {
	if r.wire[0] == 'G' {
		return e.bad.exchange(ctx, r, t)
	}
	return e.good.exchange(ctx, r, t)
}

// TestCallerGivesUp shows that nothing is known about a site after its caller gave up, in
// any phase.
func TestCallerGivesUp(t *testing.T) {
	t.Parallel()
	onEngines(t, callerGivesUpOn, fast, portable)
}

func callerGivesUpOn(t *testing.T, newProber maker) {
	hang, names := fakesite.New(t), fakesite.NewDNS(t)
	hang.Hang()
	names.Set("silent.test", fakesite.Answer{Silent: true})
	hole := fakesite.Blackhole(t, addrPort("127.0.0.1:0"))
	refuse := fakesite.New(t)
	refuse.SetStatus(500)
	p := newProber(t, func(o *Options) { o.Resolver = names.Addr() })
	urls := map[string]string{
		"in DNS": "http://silent.test/", "connecting": "http://" + hole.String() + "/", "waiting": hang.URL(),
		"in the handshake": "https" + hang.URL()[len("http"):],
	}
	for name, url := range urls {
		for how, begin := range map[string]func() (context.Context, context.CancelFunc){
			"cancels": func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				timer := time.AfterFunc(60*time.Millisecond, cancel)
				return ctx, func() { timer.Stop(); cancel() }
			},
			"has an earlier deadline": func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), 60*time.Millisecond)
			},
			"has gone before": func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				return ctx, cancel
			},
		} {
			ctx, cancel := begin()
			start := time.Now()
			o := probeInTime(ctx, t, p, check.Target{URL: url})
			cancel()
			if o.Outcome != check.OutcomeUnknown || o.Reason != "cancelled" || o.Failure != check.FailureNone {
				t.Errorf("%s, caller %s: got %+v", name, how, o)
			}
			if took := time.Since(start); took > grace {
				t.Errorf("%s, caller %s: took %v", name, how, took)
			}
		}
	}
	// A caller's deadline equal to the budget's does not count as giving up.
	ctx, cancel := context.WithTimeout(t.Context(), short+10*time.Millisecond)
	defer cancel()
	if o := probeInTime(ctx, t, p, check.Target{URL: hang.URL(), Timeout: short}); o.Failure != check.FailureTimeout {
		t.Errorf("own budget: got %+v", o)
	}
}

func TestOwnFaultIsNotReset(t *testing.T) {
	t.Parallel()
	if isTimeout(os.NewSyscallError("connect", syscall.ETIMEDOUT)) {
		t.Error("the kernel's time-out counts as ours")
	}
	if !isTimeout(fmt.Errorf("read: %w", os.ErrDeadlineExceeded)) || !isTimeout(context.Canceled) || isTimeout(errors.New("timeout")) {
		t.Error("time-outs are not recognised by type")
	}
}

func TestTooManyWatchedSocketsAreOurOwnFault(t *testing.T) {
	t.Parallel()
	if f := connectFailure(fmt.Errorf("epoll_ctl: %w", syscall.ENOSPC), true); f.outcome != check.OutcomeUnknown {
		t.Errorf("got %+v", f)
	}
}
