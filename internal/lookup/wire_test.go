package lookup

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// budget is the time of a lookup in tests, as in a routine check.
const budget = 10 * time.Second

// asked is a question as a name server saw it.
type asked struct {
	*dns.Msg
	name  string // in lower case
	qtype uint16
	edns  bool
	port  uint16
	// nth counts the questions for the name and type, from 1.
	nth int
}

// nameServer is a UDP name server whose script returns the packets to answer with.
type nameServer struct {
	addr   netip.AddrPort
	script func(asked) [][]byte

	mu   sync.Mutex
	seen []asked
}

// serve starts a name server on an address; port 0 is any.
func serve(t testing.TB, at string, script func(asked) [][]byte) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), script: script}
	var work sync.WaitGroup
	work.Go(func() { s.run(conn) })
	t.Cleanup(func() {
		_ = conn.Close()
		work.Wait()
	})
	return s
}

func (s *nameServer) run(conn net.PacketConn) {
	b := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(b)
		if err != nil {
			return
		}
		q := asked{Msg: new(dns.Msg), port: from.(*net.UDPAddr).AddrPort().Port()}
		if q.Unpack(b[:n]) != nil || len(q.Question) != 1 {
			continue
		}
		q.name, q.qtype, q.edns = strings.ToLower(q.Question[0].Name), q.Question[0].Qtype, q.IsEdns0() != nil
		for _, packet := range s.script(s.note(q)) {
			_, _ = conn.WriteTo(packet, from)
		}
	}
}

func (s *nameServer) note(q asked) asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.nth = 1
	for _, other := range s.seen {
		if other.name == q.name && other.qtype == q.qtype {
			q.nth++
		}
	}
	s.seen = append(s.seen, q)
	return q
}

// questions returns what was asked about names, not about the root.
func (s *nameServer) questions() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.seen), func(q asked) bool { return q.name == "." })
}

// forget forgets the questions.
func (s *nameServer) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = nil
}

// good answers with 127.0.0.1 for A and nothing for AAAA.
func (q asked) good(change ...func(*dns.Msg)) []byte {
	r := new(dns.Msg).SetReply(q.Msg)
	if q.qtype == dns.TypeA {
		r.Answer = q.records("127.0.0.1")
	}
	for _, c := range change {
		c(r)
	}
	b, err := r.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func (q asked) records(addrs ...string) (all []dns.RR) {
	for _, a := range addrs {
		rr, err := dns.NewRR(q.Question[0].Name + " 60 IN A " + a)
		if err != nil {
			panic(err)
		}
		all = append(all, rr)
	}
	return all
}

func (q asked) code(rcode int) []byte {
	return q.good(func(r *dns.Msg) { r.Answer, r.Rcode = nil, rcode })
}

func packets(all ...[]byte) [][]byte { return all }

// newResolver makes a Resolver that asks servers.
func newResolver(t testing.TB, portable bool, servers ...netip.AddrPort) *Resolver {
	t.Helper()
	var list []string
	for _, s := range servers {
		list = append(list, s.String())
	}
	r, err := New(Options{Servers: strings.Join(list, ","), MaxAge: -1, Portable: portable})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// onSystems runs a test with datagrams in batches, where the system can, and one by one.
func onSystems(t *testing.T, test func(t *testing.T, portable bool)) {
	t.Helper()
	for name, portable := range map[string]bool{"batches": false, "one by one": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, portable)
		})
	}
}

// wantOpen waits until a server has so many open sockets: readers close the others.
func wantOpen(t testing.TB, s *server, want int32) {
	t.Helper()
	for end := time.Now().Add(budget); s.open.Load() != want; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d sockets are open, want %d", s.open.Load(), want)
		}
	}
}

// find looks a host up, with the time of a routine check.
func find(t testing.TB, r *Resolver, host string) (addrs []netip.Addr, reason string) {
	t.Helper()
	return findWithin(t, r, host, budget)
}

func findWithin(t testing.TB, r *Resolver, host string, d time.Duration) (addrs []netip.Addr, reason string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	start := time.Now()
	addrs, f := r.Lookup(ctx, host)
	if took := time.Since(start); took > d+time.Second {
		t.Errorf("%s: took %v of %v", host, took, d)
	}
	switch {
	case f == nil && len(addrs) == 0:
		t.Errorf("%s: neither addresses nor a failure", host)
	case f == nil:
		return addrs, ""
	case f.Ours != (f.Reason == "resolver_unreachable"):
		t.Errorf("%s: whose fault is %+v?", host, f)
	}
	return nil, f.Reason
}

// wantFound fails unless a host is found at 127.0.0.1.
func wantFound(t testing.TB, r *Resolver, host string) {
	t.Helper()
	if addrs, reason := find(t, r, host); fmt.Sprint(addrs) != "[127.0.0.1]" {
		t.Errorf("%s: %v %s", host, addrs, reason)
	}
}
