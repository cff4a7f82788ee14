//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// reference is a net/http client tuned for checks as well as its options, and those of
// crypto/tls and net, allow:
//
//   - no kept connections, no compression, no HTTP/2, small buffers;
//   - one deadline for the whole check instead of a timer for each step;
//   - no post-quantum key exchange, whose keys cost more than all the rest of a handshake;
//   - sessions in an LRU cache that never drops one, so that every session is resumed;
//   - the resolver in Go, told its name server and given complete names, so that it neither
//     reads files nor tries search domains; its answers are used again while their TTL lives;
//   - addresses one after the other, which costs less than happy eyeballs.
//
// As ours does, it follows redirects and asks again with GET when HEAD fails.
type reference struct {
	client *http.Client
	// names resolves host names; the zero value resolves none.
	names    *net.Resolver
	known    sync.Map // of host names to knownName
	ttl      time.Duration
	dialer   net.Dialer
	patience time.Duration
}

type knownName struct {
	addrs []netip.Addr
	until time.Time
}

// newReference makes the client. An empty name server means that all hosts are addresses.
func newReference(config *tls.Config, nameServer string, patience time.Duration) *reference {
	r := &reference{ttl: mixTTL * time.Second, dialer: net.Dialer{KeepAlive: -1}, patience: patience}
	if nameServer != "" {
		r.names = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return r.dialer.DialContext(ctx, network, nameServer)
		}}
	}
	r.client = &http.Client{Transport: &http.Transport{
		DialContext: r.dial, TLSClientConfig: config, DisableKeepAlives: true, DisableCompression: true,
		WriteBufferSize: 1024, ReadBufferSize: 4096,
	}}
	return r
}

func (r *reference) dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	if r.names == nil {
		return r.dialer.DialContext(ctx, network, hostPort)
	}
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	addrs, err := r.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		var c net.Conn
		if c, err = r.dialer.DialContext(ctx, network, net.JoinHostPort(a.String(), port)); err == nil {
			return c, nil
		}
	}
	return nil, err
}

func (r *reference) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if v, ok := r.known.Load(host); ok {
		if k := v.(knownName); time.Now().Before(k.until) {
			return k.addrs, nil
		}
		r.known.Delete(host)
	}
	addrs, err := r.names.LookupNetIP(ctx, "ip", host+".")
	if err != nil {
		return nil, err
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	r.known.Store(host, knownName{addrs, time.Now().Add(r.ttl)})
	return addrs, nil
}

// check reports whether a site is up. A HEAD may take half of the time.
func (r *reference) check(url string) bool {
	end := time.Now().Add(r.patience)
	return r.ask(http.MethodHead, url, end.Add(-r.patience/2)) || r.ask(http.MethodGet, url, end)
}

func (r *reference) ask(method, url string, end time.Time) bool {
	ctx, cancel := context.WithDeadline(context.Background(), end)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return false
	}
	q.Header.Set("User-Agent", "jetmon/3.0 (Jetpack Site Uptime Monitor by WordPress.com)")
	resp, err := r.client.Do(q)
	if err != nil {
		return false
	}
	if method == http.MethodGet {
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	}
	_ = resp.Body.Close()
	return resp.StatusCode < 400
}
