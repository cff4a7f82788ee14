package probe

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"github.com/Automattic/jetmon/internal/check"
)

// fastEngine does exchanges over its own sockets. Nearly all checks are a plain request to
// one address; those run as an exchange in the poller. TLS and several addresses go
// through netEngine, over the same sockets. Where epoll cannot be opened, netEngine does
// everything.
type fastEngine struct {
	netEngine
	pollers *pollers
	// portable dials over package net.
	portable dialFunc
	log      *slog.Logger
	said     sync.Once
}

// newFastEngine returns the engine for this system. It opens nothing yet.
func newFastEngine(c *connector, s *secure, log *slog.Logger) engine {
	e := &fastEngine{
		netEngine: netEngine{connector: c, secure: s}, pollers: &pollers{create: createEpoll}, portable: c.dial, log: log,
	}
	c.dial = e.dial
	return e
}

func (e *fastEngine) close() { e.pollers.close() }

// dial connects to one address, for the connector.
func (e *fastEngine) dial(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
	if err := e.pollers.ready(); err != nil {
		e.said.Do(func() { e.log.Warn("portable engine used", "error", err) })
		return e.portable(ctx, a)
	}
	if err := e.connector.gate(a); err != nil {
		return nil, err
	}
	k := &socket{ctx: ctx}
	if err := k.open(e.pollers, a); err != nil {
		return nil, err
	}
	if err := k.connected(); err != nil {
		_ = k.Close()
		return nil, err
	}
	// With TCP_NODELAY the request follows the end of a handshake at once, without waiting
	// for its acknowledgement.
	_ = syscall.SetsockoptInt(k.fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	return k, nil
}

func (e *fastEngine) exchange(ctx context.Context, r *request, t *trace) (*response, *failure) {
	if r.place.tls || e.pollers.ready() != nil {
		return e.netEngine.exchange(ctx, r, t)
	}
	addrs, f := e.connector.permitted(r)
	if len(addrs) != 1 || f != nil {
		return e.netEngine.exchange(ctx, r, t)
	}
	t.reach(check.PhaseConnect)
	t.addr = addrs[0]
	k := &exchange{wire: r.wire, trace: t, keepOpen: r.wantsBody}
	err := e.connector.gate(t.addr)
	if err == nil {
		err = k.begin(e.pollers)
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
