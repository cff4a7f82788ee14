package dev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// anchor is a local site that always works. The nodes probe it to measure their
// connectivity, as nodes in production probe theirs.
type anchor struct{ listener net.Listener }

func (a anchor) address() netip.AddrPort { return a.listener.Addr().(*net.TCPAddr).AddrPort() }
func (a anchor) url() string             { return fmt.Sprintf("http://%s/", a.address()) }

// Run serves until ctx ends.
func (a anchor) Run(ctx context.Context) error {
	s := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }),
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      5 * time.Second,
		IdleTimeout:       time.Minute,
	}
	closed := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { closed <- s.Close() })
	err := s.Serve(a.listener)
	if !stop() {
		err = errors.Join(err, <-closed)
	}
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("serve the anchor: %w", err)
}

// openAnchors returns the given anchors, or a local one. The local one may be probed
// although it is on loopback.
func (d *System) openAnchors() (urls []string, own []netip.AddrPort, err error) {
	if len(d.o.Anchors) > 0 {
		return d.o.Anchors, nil, nil
	}
	l, err := d.listen("anchor")
	if err != nil {
		return nil, nil, err
	}
	d.anchor = &anchor{l}
	return []string{d.anchor.url()}, []netip.AddrPort{d.anchor.address()}, nil
}
