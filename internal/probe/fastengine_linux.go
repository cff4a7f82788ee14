package probe

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"github.com/Automattic/jetmon/internal/check"
)

// fastEngine does exchanges over its own sockets. Nearly all checks are a plain request to
// one address; those run as an exchange in the poller. TLS and several addresses go
// through netEngine, over the same sockets. Where epoll does not work, all go through
// netEngine over package net.
type fastEngine struct {
	netEngine
	pollers  *pollers
	portable dialFunc
	log      *slog.Logger
	told     sync.Once
}

// newFastEngine returns the engine for this system. It opens nothing yet.
func newFastEngine(c *connector, s *secure, log *slog.Logger) engine {
	e := &fastEngine{netEngine: netEngine{connector: c, secure: s}, pollers: &pollers{}, portable: c.dial, log: log}
	c.dial = e.dial
	return e
}

func (e *fastEngine) close() { e.pollers.close() }

// dial connects to one address, for the connector.
func (e *fastEngine) dial(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
	if err := e.connector.gate(a); err != nil {
		return nil, err
	}
	k := &socket{ctx: ctx}
	if err := k.open(e.pollers, a); err != nil {
		if e.cannotPoll(err) {
			return e.portable(ctx, a)
		}
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
	if r.place.tls {
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
	if e.cannotPoll(err) {
		return e.netEngine.exchange(ctx, r, t)
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

// cannotPoll reports whether a socket was not opened because epoll does not work. It logs
// that once.
func (e *fastEngine) cannotPoll(err error) bool {
	if !errors.Is(err, errNoEpoll) {
		return false
	}
	e.told.Do(func() { e.log.Warn("fast engine unavailable, the portable one replaces it", "error", err) })
	return true
}
