package probe

import (
	"context"
	"net"
	"net/netip"
	"syscall"

	"github.com/Automattic/jetmon/internal/check"
)

// fastEngine exchanges over sockets of its own. What nearly all checks are, a plain
// request to one address, is a talk of the poller; TLS and several addresses take the
// way of netEngine, over the same sockets.
type fastEngine struct {
	netEngine
	poller *poller
}

// newFastEngine makes the engine for this system. It opens nothing.
func newFastEngine(c *connector, s *secure) engine {
	e := &fastEngine{netEngine: netEngine{connector: c, secure: s}, poller: &poller{}}
	c.dial = e.dial
	return e
}

func (e *fastEngine) close() { e.poller.close() }

// dial is the connector's way to one address.
func (e *fastEngine) dial(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
	if err := e.connector.gate(a); err != nil {
		return nil, err
	}
	k := &socket{ctx: ctx}
	if err := k.open(e.poller, a); err != nil {
		return nil, err
	}
	if err := k.connected(); err != nil {
		_ = k.Close()
		return nil, err
	}
	// The request follows the end of a handshake at once, instead of after an answer to it.
	_ = syscall.SetsockoptInt(k.fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	return k, nil
}

func (e *fastEngine) exchange(ctx context.Context, r *request, t *trace) (*response, *failure) {
	if r.place.tls {
		return e.netEngine.exchange(ctx, r, t)
	}
	addrs, f := e.connector.permitted(r)
	if len(addrs) != 1 || f != nil {
		return e.netEngine.exchange(ctx, r, t)
	}
	t.reach(check.PhaseConnect)
	t.addr = addrs[0]
	k := &talk{wire: r.wire, trace: t, keep: r.wantsBody}
	err := e.connector.gate(t.addr)
	if err == nil {
		err = k.begin(e.poller)
	}
	if err != nil {
		return nil, e.connector.judge([]dialled{{addr: t.addr, err: err}})
	}
	k.wait(ctx)
	switch {
	case k.err == nil:
		return k.response(ctx), nil
	case k.endedIn == stepConnect:
		return nil, e.connector.judge([]dialled{{addr: t.addr, err: k.err}})
	}
	return nil, answerFailure(k.err, k.waiting())
}
