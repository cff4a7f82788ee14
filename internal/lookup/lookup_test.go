package lookup

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/Automattic/jetmon/test/fakesite"
)

// TestALossyPathFindsAllNames loses a fifth of the questions, and of the answers.
func TestALossyPathFindsAllNames(t *testing.T) {
	t.Parallel()
	lost := func(q asked, way string) bool {
		h := fnv.New32a()
		fmt.Fprintln(h, q.name, q.qtype, q.nth, way)
		return h.Sum32()%5 == 0
	}
	onSystems(t, func(t *testing.T, portable bool) {
		s := serve(t, "127.0.0.1:0", func(q asked) [][]byte {
			if lost(q, "there") || lost(q, "back") {
				return nil
			}
			return packets(q.good())
		})
		r := newResolver(t, portable, s.addr)
		var all sync.WaitGroup
		for n := range 100 {
			all.Go(func() { wantFound(t, r, fmt.Sprintf("n%d.lossy.test", n)) })
		}
		all.Wait()
		wantFound(t, r, "once.more.test")
		if q := s.questions(); !q[len(q)-1].edns {
			t.Error("loss was taken for a path that drops EDNS")
		}
	})
}

func TestAPathThatDropsEDNSIsAskedWithoutIt(t *testing.T) {
	t.Parallel()
	onSystems(t, func(t *testing.T, portable bool) {
		s := serve(t, "127.0.0.1:0", func(q asked) [][]byte {
			if q.edns {
				return nil
			}
			return packets(q.good())
		})
		r := newResolver(t, portable, s.addr)
		wantFound(t, r, "first.test")
		s.forget()
		for n := range 5 {
			wantFound(t, r, fmt.Sprintf("n%d.test", n))
		}
		if q := s.questions(); len(q) != 10 {
			t.Errorf("%d questions for five names, want 10: the server is known by now", len(q))
		}
	})
}

// TestAServerThatLearnsEDNSIsAskedWithIt ends the rule about a server, and one question
// tries.
func TestAServerThatLearnsEDNSIsAskedWithIt(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.0.1:0", func(q asked) [][]byte { return packets(q.good()) })
	r := newResolver(t, false, s.addr)
	wantFound(t, r, "first.test")
	known := r.servers[0]
	known.dislikesEDNS(r.clock())
	s.forget()
	wantFound(t, r, "plain.test")
	known.plainUntil.Store(int64(r.clock()))
	wantFound(t, r, "tries.test")
	wantFound(t, r, "knows.test")
	var edns []bool
	for _, q := range s.questions() {
		edns = append(edns, q.edns)
	}
	if fmt.Sprint(edns) != "[false false true false true true]" {
		t.Errorf("asked with EDNS: %v", edns)
	}
}

func TestServersThatRefuseEDNSAreAskedWithoutIt(t *testing.T) {
	t.Parallel()
	for _, code := range []int{dns.RcodeFormatError, dns.RcodeNotImplemented, dns.RcodeBadVers} {
		s := serve(t, "127.0.0.1:0", func(q asked) [][]byte {
			if !q.edns {
				return packets(q.good())
			}
			return packets(q.good(func(r *dns.Msg) {
				r.Answer, r.Rcode = nil, code
				if code > 15 {
					r.SetEdns0(udpSize, false)
				}
			}))
		})
		wantFound(t, newResolver(t, false, s.addr), "site.test")
	}
}

// forgeries end with the true answer.
func forgeries(q asked) [][]byte {
	change := func(f func(*dns.Msg)) []byte {
		return q.good(func(r *dns.Msg) {
			r.Answer = q.records("127.0.0.9")
			f(r)
		})
	}
	swapped := strings.Map(func(c rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", c) {
			return c ^ 0x20
		}
		return c
	}, q.Question[0].Name)
	return packets(
		[]byte("rubbish"),
		change(func(r *dns.Msg) { r.Id++ }),
		change(func(r *dns.Msg) { r.Response = false }),
		change(func(r *dns.Msg) { r.Question[0].Name = "other.test." }),
		change(func(r *dns.Msg) { r.Question[0].Qtype = dns.TypeMX }),
		change(func(r *dns.Msg) { r.Question[0].Qclass = dns.ClassCHAOS }),
		change(func(r *dns.Msg) { r.Question = nil }),
		change(func(r *dns.Msg) { r.Question = append(r.Question, r.Question[0]) }),
		change(func(r *dns.Msg) { r.Id++; r.Rcode = dns.RcodeNameError }),
		change(func(r *dns.Msg) { r.Question[0].Name = swapped }),
		q.good(),
	)
}

func TestForgedAnswersArePassedOverAndCounted(t *testing.T) {
	t.Parallel()
	onSystems(t, func(t *testing.T, portable bool) {
		s := serve(t, "127.0.0.1:0", func(q asked) [][]byte {
			if q.qtype == dns.TypeAAAA || q.Question[0].Name == q.name {
				return packets(q.good()) // not the first question, or nothing but lower case
			}
			return forgeries(q)
		})
		r := newResolver(t, portable, s.addr)
		wantFound(t, r, "a-long-name-with-many-letters.test")
		if n := r.Counts().PassedOver; n != 10 {
			t.Errorf("%d packets passed over, want 10", n)
		}
	})
}

// TestAnswersFromElsewhereArePassedOver sends the true answer from another port.
func TestAnswersFromElsewhereArePassedOver(t *testing.T) {
	t.Parallel()
	elsewhere, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	s := serve(t, "127.0.0.1:0", func(q asked) [][]byte {
		to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(q.port)}
		_, _ = elsewhere.WriteTo(q.good(func(r *dns.Msg) { r.Answer = q.records("127.0.0.9") }), to)
		return packets(q.good())
	})
	wantFound(t, newResolver(t, false, s.addr), "site.test")
}

func TestServersThatChangeTheCaseAreAskedInLowerCase(t *testing.T) {
	t.Parallel()
	for name, to := range map[string]func(string) string{"lower": strings.ToLower, "upper": strings.ToUpper} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, "127.0.0.1:0", func(q asked) [][]byte {
				return packets(q.good(func(r *dns.Msg) { r.Question[0].Name = to(q.Question[0].Name) }))
			})
			r := newResolver(t, false, s.addr)
			for n := range wrongCases {
				wantFound(t, r, fmt.Sprintf("a-name-with-many-letters-%d.test", n))
			}
			s.forget()
			wantFound(t, r, "the-server-is-known-by-now.test")
			if q := s.questions(); len(q) != 2 || q[0].Question[0].Name != q[0].name {
				t.Errorf("asked again: %d questions", len(q))
			}
		})
	}
}

func TestNamesAreAskedInRandomCase(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.0.1:0", func(q asked) [][]byte { return packets(q.good()) })
	r := newResolver(t, false, s.addr)
	forms, ids := map[string]bool{}, map[uint16]bool{}
	for range 20 {
		wantFound(t, r, "a-name-with-many-letters.test")
	}
	for _, q := range s.questions() {
		forms[q.Question[0].Name], ids[q.Id] = true, true
	}
	if len(forms) < 39 || len(ids) < 39 {
		t.Errorf("40 questions have %d forms and %d ids", len(forms), len(ids))
	}
}

func TestTruncatedAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer func(asked) []byte
		want   string
	}{
		{"with addresses, and no TCP: they are enough", func(q asked) []byte {
			return q.good(func(r *dns.Msg) { r.Truncated = true })
		}, ""},
		{"empty, and no TCP", func(q asked) []byte {
			return q.good(func(r *dns.Msg) { r.Answer, r.Truncated = nil, true })
		}, "bad_answer"},
		{"cut in the middle, and no TCP", func(q asked) []byte {
			b := q.good(func(r *dns.Msg) { r.Answer, r.Truncated = q.records("127.0.0.1", "127.0.0.2"), true })
			return b[:len(b)-3]
		}, "bad_answer"},
		{"an address of three bytes", func(q asked) []byte {
			b := q.good(func(r *dns.Msg) { r.Answer = q.records("127.0.0.1") })
			b[len(b)-5]--
			return b[:len(b)-1]
		}, "bad_answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, "127.0.0.1:0", func(q asked) [][]byte { return packets(c.answer(q)) })
			if addrs, reason := find(t, newResolver(t, false, s.addr), "site.test"); reason != c.want {
				t.Errorf("got %v, %q", addrs, reason)
			}
		})
	}
	t.Run("whole over TCP", func(t *testing.T) {
		t.Parallel()
		names := fakesite.NewDNS(t)
		names.Set("site.test", fakesite.Answer{Addrs: []string{"127.0.0.1"}, Cut: true})
		r := newResolver(t, false, netip.MustParseAddrPort(names.Addr()))
		wantFound(t, r, "site.test")
		if r.Counts().OverTCP != 2 || names.OverTCP() != 2 {
			t.Errorf("%d asked over TCP, %d came", r.Counts().OverTCP, names.OverTCP())
		}
	})
}

// TestANameServerThatRestarts is away for a moment, while the sockets to it stay open.
func TestANameServerThatRestarts(t *testing.T) {
	t.Parallel()
	onSystems(t, func(t *testing.T, portable bool) {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := conn.LocalAddr().(*net.UDPAddr).AddrPort()
		first := &nameServer{addr: addr, script: func(q asked) [][]byte { return packets(q.good()) }}
		var work sync.WaitGroup
		work.Go(func() { first.run(conn) })
		r := newResolver(t, portable, addr)
		for n := range 2 * socketsPerServer {
			wantFound(t, r, fmt.Sprintf("before%d.test", n))
		}
		_ = conn.Close()
		work.Wait()
		var all sync.WaitGroup
		for n := range 2 * socketsPerServer {
			all.Go(func() {
				if _, reason := find(t, r, fmt.Sprintf("meanwhile%d.test", n)); reason != "resolver_unreachable" {
					t.Errorf("got %q", reason)
				}
			})
		}
		all.Wait()
		// A lookup that begins meanwhile outlasts the restart.
		begun := r.Counts().Questions
		all.Go(func() { wantFound(t, r, "outlasts.test") })
		for r.Counts().Questions < begun+2 {
			runtime.Gosched()
		}
		serve(t, addr.String(), first.script)
		all.Wait()
		for n := range 2 * socketsPerServer {
			wantFound(t, r, fmt.Sprintf("after%d.test", n))
		}
	})
}

func TestASilentServerIsNotTheNamesFault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		script func(asked) [][]byte
		want   string
	}{
		{"silent to everything", func(asked) [][]byte { return nil }, "resolver_unreachable"},
		{"silent about the name, and knows the root", func(q asked) [][]byte {
			if q.name == "." {
				return packets(q.good())
			}
			return nil
		}, "timeout"},
		{"silent about the name, and refuses the root", func(q asked) [][]byte {
			if q.name == "." {
				return packets(q.code(dns.RcodeRefused))
			}
			return nil
		}, "timeout"},
		{"silent about IPv4 only", func(q asked) [][]byte {
			if q.qtype == dns.TypeAAAA {
				return packets(q.good())
			}
			return nil
		}, "timeout"},
		{"forged answers only", func(q asked) [][]byte {
			return packets(q.good(func(r *dns.Msg) { r.Id++ }))
		}, "resolver_unreachable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, "127.0.0.1:0", c.script)
			for _, d := range []time.Duration{300 * time.Millisecond, 3 * time.Second} {
				if _, reason := findWithin(t, newResolver(t, false, s.addr), "site.test", d); reason != c.want {
					t.Errorf("after %v: got %q, want %q", d, reason, c.want)
				}
			}
		})
	}
}

// TestLittleTimeTellsNothingAboutAServer looks a name up with hardly any time left, as
// behind a slow redirect, while the server answered a moment ago.
func TestLittleTimeTellsNothingAboutAServer(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.0.1:0", func(q asked) [][]byte {
		if q.name == "slow.test." {
			return nil
		}
		return packets(q.good())
	})
	r := newResolver(t, false, s.addr)
	wantFound(t, r, "before.test")
	if _, reason := findWithin(t, r, "slow.test", time.Millisecond); reason != "timeout" {
		t.Errorf("got %q", reason)
	}
}

func TestSlowAnswersCount(t *testing.T) {
	t.Parallel()
	// The server takes longer than the patience with it, and answers only the first question.
	answer := make(chan func(), 2)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{addr: conn.LocalAddr().(*net.UDPAddr).AddrPort()}
	s.script = func(q asked) [][]byte {
		switch {
		case q.name != "." && q.nth == 1:
			to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(q.port)}
			answer <- func() { _, _ = conn.WriteTo(q.good(), to) }
		case q.nth == 2 && q.qtype == dns.TypeA:
			(<-answer)()
			(<-answer)()
		}
		return nil
	}
	var work sync.WaitGroup
	work.Go(func() { s.run(conn) })
	defer work.Wait()
	defer conn.Close()
	wantFound(t, newResolver(t, false, s.addr), "slow.test")
}

func TestAServerThatKeptSilentIsAskedLast(t *testing.T) {
	t.Parallel()
	silent := serve(t, "127.0.0.1:0", func(asked) [][]byte { return nil })
	good := serve(t, "127.0.0.1:0", func(q asked) [][]byte { return packets(q.good()) })
	r := newResolver(t, false, silent.addr, good.addr)
	wantFound(t, r, "first.test")
	before := len(silent.questions())
	for n := range 10 {
		wantFound(t, r, fmt.Sprintf("n%d.test", n))
	}
	if n := len(silent.questions()); n != before {
		t.Errorf("the silent server was asked %d times more", n-before)
	}
}

// TestASilentServerMayContradictAFailure has the first server answer late, after the
// second has failed.
func TestASilentServerMayContradictAFailure(t *testing.T) {
	t.Parallel()
	failed := make(chan struct{})
	var once sync.Once
	bad := serve(t, "127.0.0.1:0", func(q asked) [][]byte {
		if q.qtype == dns.TypeA {
			once.Do(func() { close(failed) })
		}
		return packets(q.code(dns.RcodeServerFailure))
	})
	slow := serve(t, "127.0.0.1:0", func(q asked) [][]byte {
		if q.qtype != dns.TypeA {
			return nil
		}
		<-failed
		return packets(q.good())
	})
	wantFound(t, newResolver(t, false, slow.addr, bad.addr), "site.test")
}

func TestPortsChange(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.0.1:0", func(q asked) [][]byte { return packets(q.good()) })
	r := newResolver(t, false, s.addr)
	const names = 3 * socketsPerServer * maxAsked / 2
	var all sync.WaitGroup
	for worker := range 10 {
		all.Go(func() {
			for n := range names / 10 {
				wantFound(t, r, fmt.Sprintf("n%d-%d.test", worker, n))
			}
		})
	}
	all.Wait()
	each := map[uint16]int{}
	for _, q := range s.questions() {
		each[q.port]++
	}
	if len(each) < 2*socketsPerServer {
		t.Errorf("%d ports for %d questions", len(each), 2*names)
	}
	for port, n := range each {
		if n > maxAsked+40 {
			t.Errorf("port %d sent %d questions", port, n)
		}
	}
	wantOpen(t, r.servers[0], socketsPerServer)
}

func TestPortsChangeWithTime(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.0.1:0", func(q asked) [][]byte { return packets(q.good()) })
	r := newResolver(t, false, s.addr)
	for range 50 {
		wantFound(t, r, "site.test")
	}
	r.begun = r.begun.Add(-2 * maxAge)
	old := map[uint16]bool{}
	for _, q := range s.questions() {
		old[q.port] = true
	}
	s.forget()
	wantFound(t, r, "site.test")
	for _, q := range s.questions() {
		if old[q.port] {
			t.Errorf("port %d is older than %v", q.port, maxAge)
		}
	}
}

func TestOtherServersAreAskedAsSoonAsTheyAreConfigured(t *testing.T) {
	t.Parallel()
	one := serve(t, "127.0.0.1:0", func(q asked) [][]byte { return packets(q.good()) })
	two := serve(t, "127.0.0.1:0", func(q asked) [][]byte { return packets(q.good()) })
	r := newResolver(t, false, one.addr)
	wantFound(t, r, "before.test")
	before := r.servers[0]
	r.source = func(context.Context) ([]netip.AddrPort, error) { return []netip.AddrPort{two.addr}, nil }
	wantFound(t, r, "after.test")
	if n := len(two.questions()); n != 2 {
		t.Errorf("the new server got %d questions", n)
	}
	wantOpen(t, before, 0)
	r.source = func(context.Context) ([]netip.AddrPort, error) { return nil, errors.New("no file") }
	if _, reason := find(t, r, "never.test"); reason != "resolver_unreachable" {
		t.Errorf("got %q", reason)
	}
}

func TestANameServerMayHaveAnIPv6Address(t *testing.T) {
	t.Parallel()
	s := serve(t, "[::1]:0", func(q asked) [][]byte { return packets(q.good()) })
	wantFound(t, newResolver(t, false, s.addr), "site.test")
}

func TestNamesThatNoPacketCanCarry(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.0.1:0", func(q asked) [][]byte { return packets(q.good()) })
	r := newResolver(t, false, s.addr)
	for _, host := range []string{strings.Repeat("a", 64) + ".test", strings.Repeat("a.", 200) + "test", "a..test", strings.Repeat("abcdefghi.", 25) + "test"} {
		if _, reason := find(t, r, host); reason != "resolver_unreachable" {
			t.Errorf("%.20s: %q", host, reason)
		}
	}
	longest := strings.Repeat("abcdefghi.", 24) + "abcdefgh.test"
	wantFound(t, r, longest[:253])
}
