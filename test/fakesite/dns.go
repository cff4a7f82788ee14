package fakesite

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// Answer is the name server's answer to one question.
type Answer struct {
	// Addrs are the addresses for the answer to A or AAAA, whichever the question asks for.
	Addrs []string
	// Records are further records in zone file notation, for any question.
	Records []string
	// TTL is the TTL of the addresses in seconds; 0 means 0.
	TTL uint32
	// Rcode is the response code; the zero value is dns.RcodeSuccess.
	Rcode int
	// Silent means no answer at all.
	Silent bool
	// Cut answers over UDP with only the truncation bit.
	Cut bool
	// Only restricts the answer to one type, dns.TypeA or dns.TypeAAAA; the other gets
	// no data.
	Only uint16
	// Raw is sent instead of a message.
	Raw []byte
}

// DNS is a name server on loopback, over UDP and TCP, that answers by script. Names without
// a script do not exist.
type DNS struct {
	addr string

	mu      sync.Mutex
	scripts map[string][]Answer
	asked   map[dns.Question]int
	overTCP int
}

// NewDNS starts a name server.
func NewDNS(t testing.TB) *DNS {
	t.Helper()
	d := &DNS{scripts: make(map[string][]Answer), asked: make(map[dns.Question]int)}
	packets, listener := listenBoth(t)
	d.addr = packets.LocalAddr().String()
	var work sync.WaitGroup
	for _, s := range []*dns.Server{
		{PacketConn: packets, Handler: dns.HandlerFunc(d.serve)},
		{Listener: listener, Handler: dns.HandlerFunc(d.serve)},
	} {
		up := make(chan struct{})
		s.NotifyStartedFunc = func() { close(up) }
		work.Go(func() { _ = s.ActivateAndServe() })
		<-up
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	t.Cleanup(func() {
		_ = packets.Close()
		_ = listener.Close()
		work.Wait()
	})
	return d
}

// listenBoth finds a port that is free for both transports.
func listenBoth(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	var last error
	for range 20 {
		packets, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("fakesite: %v", err)
		}
		listener, err := net.Listen("tcp", packets.LocalAddr().String())
		if err == nil {
			return packets, listener
		}
		last = err
		_ = packets.Close()
	}
	t.Fatalf("fakesite: no port free for both UDP and TCP: %v", last)
	return nil, nil
}

// Addr returns the name server's HOST:PORT.
func (d *DNS) Addr() string { return d.addr }

// Set sets the answers for a name: the first question of each type gets the first answer,
// and so on; the last is repeated.
func (d *DNS) Set(name string, answers ...Answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.scripts[canonical(name)] = answers
	for q := range d.asked {
		if q.Name == canonical(name) {
			delete(d.asked, q)
		}
	}
}

// Host sets the addresses of a name.
func (d *DNS) Host(name string, addrs ...string) { d.Set(name, Answer{Addrs: addrs}) }

// Questions counts the questions for a name and type.
func (d *DNS) Questions(name string, qtype uint16) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[dns.Question{Name: canonical(name), Qtype: qtype, Qclass: dns.ClassINET}]
}

// OverTCP counts the questions that came over TCP.
func (d *DNS) OverTCP() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.overTCP
}

func canonical(name string) string { return strings.ToLower(dns.Fqdn(name)) }

// next returns the answer to a question from the script.
func (d *DNS) next(q dns.Question, tcp bool) Answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	q.Name = canonical(q.Name)
	script, known := d.scripts[q.Name]
	n := d.asked[q]
	d.asked[q]++
	if tcp {
		d.overTCP++
	}
	if !known || len(script) == 0 {
		return Answer{Rcode: dns.RcodeNameError}
	}
	return script[min(n, len(script)-1)]
}

func (d *DNS) serve(w dns.ResponseWriter, m *dns.Msg) {
	if len(m.Question) != 1 {
		return
	}
	_, tcp := w.RemoteAddr().(*net.TCPAddr)
	q := m.Question[0]
	a := d.next(q, tcp)
	switch {
	case a.Silent:
		return
	case a.Raw != nil:
		_, _ = w.Write(a.Raw)
		return
	}
	r := new(dns.Msg)
	r.SetRcode(m, a.Rcode)
	r.RecursionAvailable = true
	if a.Cut && !tcp {
		r.Truncated = true
		_ = w.WriteMsg(r)
		return
	}
	if a.Only == 0 || a.Only == q.Qtype {
		r.Answer = append(a.extra(), a.records(q)...)
	}
	_ = w.WriteMsg(r)
}

func (a Answer) extra() []dns.RR {
	var all []dns.RR
	for _, text := range a.Records {
		rr, err := dns.NewRR(text)
		if err != nil || rr == nil {
			panic("fakesite: not a record: " + text)
		}
		all = append(all, rr)
	}
	return all
}

func (a Answer) records(q dns.Question) []dns.RR {
	var all []dns.RR
	for _, text := range a.Addrs {
		addr := netip.MustParseAddr(text)
		h := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: a.TTL}
		switch {
		case q.Qtype == dns.TypeA && addr.Is4():
			all = append(all, &dns.A{Hdr: h, A: addr.AsSlice()})
		case q.Qtype == dns.TypeAAAA && addr.Is6():
			all = append(all, &dns.AAAA{Hdr: h, AAAA: addr.AsSlice()})
		}
	}
	return all
}
