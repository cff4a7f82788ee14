package secondopinion

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/probe"
)

// network resolves names and knows which addresses may be dialled.
type network struct {
	// refuse is the policy in force, strict the one without any exception.
	refuse, strict func(netip.AddrPort) string
	// servers are asked in turn, until one can tell.
	servers []server
	// dialled, in tests, learns each address directly before the kernel does, and may stop it.
	dialled func(netip.AddrPort) error
}

func newNetwork(refuse func(netip.AddrPort) string, servers []server) *network {
	return &network{refuse: refuse, strict: probe.Options{}.AddressPolicy(), servers: servers}
}

// server is the HOST:PORT of a name server; "" stands for the machine's.
type server string

// parseServers parses a list of HOST:PORT, separated by commas. An empty one stands for the
// machine's name servers.
func parseServers(list string) ([]server, error) {
	if list == "" {
		return []server{""}, nil
	}
	var all []server
	for one := range strings.SplitSeq(list, ",") {
		host, port, err := net.SplitHostPort(strings.TrimSpace(one))
		if err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("name server %q: must be HOST:PORT", one)
		}
		all = append(all, server(net.JoinHostPort(host, port)))
	}
	return all, nil
}

// resolver makes a resolver in Go that asks the server for one name. Its questions end with
// life; package net would wait for their answers longer than its caller does.
func (s server) resolver(life context.Context, name string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(_ context.Context, transport, address string) (net.Conn, error) {
		if s != "" {
			address = string(s)
		}
		var d net.Dialer
		c, err := d.DialContext(life, transport, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(life, func() { _ = c.Close() })
		if udp, ok := c.(*net.UDPConn); ok {
			return &questions{UDPConn: udp, name: wireName(name)}, nil
		}
		return c, nil
	}}
}

// questions asks as browsers do, where package net does not:
//
//   - without EDNS, which some paths to a name server drop. An answer that is too long then
//     comes over TCP;
//   - for names with hyphens at the ends of a label, or with other signs. Package net is asked
//     for acceptable, a name of the same length, which changes on its way out and in.
type questions struct {
	*net.UDPConn
	name, asked []byte
}

// acceptable returns a name that package net asks for: the same one if it does.
func acceptable(name string) string {
	out := []byte(name)
	for i := range out {
		c := name[i]
		isPlain := c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '.'
		isInside := i > 0 && name[i-1] != '.' && i+1 < len(name) && name[i+1] != '.'
		if !isPlain && (c != '-' || !isInside) {
			out[i] = 'x'
		}
	}
	return string(out)
}

// dnsHeader is the length of a message's header; the name of the question follows.
const dnsHeader = 12

// Write sends a question.
func (q *questions) Write(b []byte) (int, error) {
	wire := withoutEDNS(append([]byte(nil), b...))
	if len(wire) >= dnsHeader+len(q.name) {
		q.asked = append(q.asked[:0], wire[dnsHeader:]...)[:len(q.name)]
		copy(wire[dnsHeader:], q.name)
	}
	if _, err := q.UDPConn.Write(wire); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Read receives an answer.
func (q *questions) Read(b []byte) (int, error) {
	n, err := q.UDPConn.Read(b)
	if end := dnsHeader + len(q.asked); n >= end && bytes.EqualFold(b[dnsHeader:end], q.name) {
		copy(b[dnsHeader:], q.asked)
	}
	return n, err
}

// wireName returns a name as messages have it.
func wireName(name string) []byte {
	var wire []byte
	for label := range strings.SplitSeq(name, ".") {
		wire = append(append(wire, byte(len(label))), label...)
	}
	return append(wire, 0)
}

// withoutEDNS cuts the OPT record that package net puts at the end of a question: a root
// name, the type 41, and no options.
func withoutEDNS(question []byte) []byte {
	const additional, length, opt = 10, 11, 41
	at := len(question) - length
	if at < dnsHeader || binary.BigEndian.Uint16(question[additional:]) != 1 ||
		question[at] != 0 || binary.BigEndian.Uint16(question[at+1:]) != opt {
		return question
	}
	binary.BigEndian.PutUint16(question[additional:], 0)
	return question[:at]
}

// lookup returns a host's addresses of a family, "ip4" or "ip6".
func (n *network) lookup(ctx context.Context, family, host string) ([]netip.Addr, error) {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761
		if family == "ip4" {
			return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
		}
		return []netip.Addr{netip.IPv6Loopback()}, nil
	}
	var last error
	for i, s := range n.servers {
		addrs, err := s.lookup(ctx, share(ctx, len(n.servers)-i), family, host)
		if err == nil {
			return addrs, nil
		}
		last = err
		if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
			break
		}
	}
	return nil, last
}

// lookup asks one server. The name ends in a dot: the machine's search list does not complete
// it.
func (s server) lookup(ctx context.Context, within time.Duration, family, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return s.resolver(ctx, host).LookupNetIP(ctx, family, acceptable(host+"."))
}

// share returns an nth of the time that ctx leaves.
func share(ctx context.Context, n int) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return time.Minute
	}
	return time.Until(end) / time.Duration(n)
}
