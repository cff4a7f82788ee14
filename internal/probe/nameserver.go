package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"github.com/Automattic/jetmon/internal/check"
)

const (
	// firstPatience is how long to wait for a name server in the first round over all of
	// them; each further round waits twice as long.
	firstPatience = 2 * time.Second
	maxRounds     = 3
	maxServers    = 3
	// maxAliases limits the CNAMEs followed by further queries, when a server does not
	// follow them itself.
	maxAliases = 8
	// udpSize is the EDNS size offered to servers: it fits into a packet everywhere.
	// Packets of servers that ignore it are accepted up to udpBuffer.
	udpSize   = 1232
	udpBuffer = 4096
)

// answer is the name servers' answer to one question.
type answer struct {
	addrs []netip.Addr
	ttl   time.Duration
}

// nameservers is a list of recursive name servers; when one fails, the next is asked.
type nameservers struct{ addrs []string }

// ask resolves one type of address, following aliases if necessary.
func (ns nameservers) ask(ctx context.Context, host string, qtype uint16) (answer, *failure) {
	name, ttl := dns.Fqdn(host), maxTTL
	for range maxAliases {
		msg, f := ns.query(ctx, name, qtype)
		if f != nil {
			return answer{}, f
		}
		got, alias := collect(msg, name, qtype)
		got.ttl = min(got.ttl, ttl)
		if len(got.addrs) > 0 || alias == "" {
			return got, nil
		}
		name, ttl = alias, got.ttl
	}
	return answer{}, down(check.FailureDNS, "cname_loop", "the name's aliases do not end")
}

// query asks the servers in turn. The first conclusive answer wins; a refusal or a
// server's failure counts only when no other server knows better.
func (ns nameservers) query(ctx context.Context, name string, qtype uint16) (*dns.Msg, *failure) {
	servers := ns.addrs[:min(len(ns.addrs), maxServers)]
	patience := firstPatience
	var worst *failure
	for range maxRounds {
		for _, server := range servers {
			msg, err := exchangeDNS(ctx, server, question(name, qtype), patience)
			if f := dnsFailure(msg, err); f == nil {
				return msg, nil
			} else if worst == nil || dnsWeight(f) >= dnsWeight(worst) {
				worst = f
			}
			if worst.reason == "nxdomain" || ctx.Err() != nil {
				return nil, worst
			}
		}
		if !worst.timedOut {
			return nil, worst
		}
		patience *= 2
	}
	return nil, worst
}

// dnsWeight orders failures by how much they tell about the name.
func dnsWeight(f *failure) int {
	switch {
	case f.reason == "nxdomain":
		return 4
	case f.reason == "servfail":
		return 3
	case f.timedOut:
		return 1
	case f.outcome == check.OutcomeUnknown:
		return 0
	}
	return 2
}

// dnsFailure classifies one server's answer; nil means that the answer is usable.
func dnsFailure(msg *dns.Msg, err error) *failure {
	const kind = check.FailureDNS
	switch {
	case err == nil:
	case isTimeout(err):
		return outOfTime(kind, "timeout", "no answer from the name servers")
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH),
		errors.Is(err, syscall.ENETUNREACH), isOwnFault(err):
		return unknown(kind, "resolver_unreachable", "this node cannot reach its name servers")
	case isLookupError(err):
		return unknown(kind, "resolver_unreachable", "this node cannot find its name servers")
	default:
		return down(kind, "bad_answer", "the name server's answer makes no sense")
	}
	switch msg.Rcode {
	case dns.RcodeSuccess:
		return nil
	case dns.RcodeNameError:
		return down(kind, "nxdomain", "the name does not exist")
	case dns.RcodeServerFailure:
		return down(kind, "servfail", "the name servers failed")
	case dns.RcodeRefused:
		return down(kind, "refused", "the name servers refused to answer")
	}
	return down(kind, "rcode_"+strconv.Itoa(msg.Rcode), "the name servers answered "+dns.RcodeToString[msg.Rcode])
}

// isLookupError reports whether the name of the name server itself did not resolve.
func isLookupError(err error) bool {
	_, ok := errors.AsType[*net.DNSError](err)
	return ok
}

func question(name string, qtype uint16) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(name, qtype)
	m.SetEdns0(udpSize, false)
	return m
}

// exchangeDNS asks one server over UDP. It repeats the query over TCP when the answer was
// truncated, and without EDNS when the server does not know it.
func exchangeDNS(ctx context.Context, server string, m *dns.Msg, patience time.Duration) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := roundTrip(ctx, "udp", server, m)
	if err == nil && m.IsEdns0() != nil &&
		(r.Rcode == dns.RcodeFormatError || r.Rcode == dns.RcodeNotImplemented || r.Rcode == dns.RcodeBadVers) {
		m = m.Copy()
		m.Extra = nil
		r, err = roundTrip(ctx, "udp", server, m)
	}
	if _, malformed := errors.AsType[*dns.Error](err); !malformed && (err != nil || !r.Truncated) {
		return r, err
	}
	whole, tcpErr := roundTrip(ctx, "tcp", server, m)
	switch {
	case tcpErr == nil:
		return whole, nil
	case err == nil && len(r.Answer) == 0:
		err = errCut
	}
	return r, err // the UDP answer is all there is
}

// errCut reports an empty truncated answer from a server whose TCP does not work.
var errCut = errors.New("answer is cut, and TCP does not work")

// errNotOurs reports an answer over TCP to another question.
var errNotOurs = errors.New("answer does not belong to the question")

func roundTrip(ctx context.Context, network, server string, m *dns.Msg) (*dns.Msg, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	co := &dns.Conn{Conn: c, UDPSize: udpBuffer}
	if err := co.WriteMsg(m); err != nil {
		return nil, err
	}
	for {
		r, err := co.ReadMsg()
		_, malformed := errors.AsType[*dns.Error](err)
		switch {
		case err == nil && belongs(r, m):
			return r, nil
		case err != nil && (!malformed || r != nil && r.Id == m.Id):
			return nil, err
		case network != "udp":
			return nil, errNotOurs
		}
		// This datagram is a late answer or a forged one. The true answer may follow.
	}
}

func belongs(r, m *dns.Msg) bool {
	if r.Id != m.Id || !r.Response || len(r.Question) > 1 {
		return false
	}
	if len(r.Question) == 0 { // some servers omit it in errors
		return r.Rcode != dns.RcodeSuccess
	}
	q, asked := r.Question[0], m.Question[0]
	return q.Qtype == asked.Qtype && q.Qclass == asked.Qclass && strings.EqualFold(q.Name, asked.Name)
}

// collect returns the addresses of name, following the aliases in the answer. When there
// are none, alias is the name to ask for next.
func collect(msg *dns.Msg, name string, qtype uint16) (got answer, alias string) {
	got.ttl = maxTTL
	asked, next := name, ""
	for range maxAliases {
		next = ""
		for _, rr := range msg.Answer {
			if !strings.EqualFold(rr.Header().Name, name) {
				continue
			}
			addr, target := value(rr, qtype)
			switch {
			case addr.IsValid():
				got.addrs = append(got.addrs, addr)
			case target != "":
				next = target
			default:
				continue
			}
			got.ttl = min(got.ttl, time.Duration(rr.Header().Ttl)*time.Second)
		}
		if len(got.addrs) > 0 || next == "" {
			break
		}
		name = next
	}
	// After a loop of aliases, name may be the one asked for again.
	if len(got.addrs) == 0 && (next != "" || !strings.EqualFold(name, asked)) {
		return got, name
	}
	return got, ""
}

func value(rr dns.RR, qtype uint16) (addr netip.Addr, alias string) {
	switch rr := rr.(type) {
	case *dns.A:
		if qtype == dns.TypeA {
			addr, _ = netip.AddrFromSlice(rr.A.To4())
		}
	case *dns.AAAA:
		if qtype == dns.TypeAAAA {
			// The address is not unmapped, so that the address policy sees an embedded IPv4 address.
			addr, _ = netip.AddrFromSlice(rr.AAAA.To16())
		}
	case *dns.CNAME:
		alias = rr.Target
	}
	return addr, alias
}
