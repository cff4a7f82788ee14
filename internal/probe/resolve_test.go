package probe

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

func TestNamesThatDoNotResolve(t *testing.T) {
	t.Parallel()
	names := fakesite.NewDNS(t)
	bad := func(reason string) finding { return fails(check.FailureDNS, reason, 0, check.PhaseDNS) }
	endless := fakesite.Answer{Records: []string{"a.loop.test. 60 IN CNAME b.loop.test.", "b.loop.test. 60 IN CNAME a.loop.test."}}
	long := func(i int) fakesite.Answer {
		return fakesite.Answer{Records: []string{fmt.Sprintf("c%d.test. 60 IN CNAME c%d.test.", i, i+1)}}
	}
	for i := range 20 {
		names.Set(fmt.Sprintf("c%d.test", i), long(i))
	}
	names.Set("b.loop.test", endless)
	for i, c := range []struct {
		name, host string
		answer     fakesite.Answer
		want       finding
	}{
		{"no such name", "", fakesite.Answer{Rcode: dns.RcodeNameError}, bad("nxdomain")},
		{"alias to no such name", "", fakesite.Answer{Rcode: dns.RcodeNameError, Records: []string{"x. 60 IN CNAME y."}}, bad("nxdomain")},
		{"server failure", "", fakesite.Answer{Rcode: dns.RcodeServerFailure}, bad("servfail")},
		{"refusal", "", fakesite.Answer{Rcode: dns.RcodeRefused}, bad("refused")},
		{"no address", "", fakesite.Answer{}, bad("nodata")},
		{"other records only", "", fakesite.Answer{Records: []string{`x.test. 60 IN TXT "y"`, "x.test. 60 IN MX 1 y."}}, bad("nodata")},
		{"address of another name", "", fakesite.Answer{Records: []string{"evil.test. 60 IN A 127.0.0.1"}}, bad("nodata")},
		{"silence", "", fakesite.Answer{Silent: true}, bad("timeout")},
		{"server does not implement", "", fakesite.Answer{Rcode: dns.RcodeNotImplemented}, bad("rcode_4")},
		{"cut, and TCP says no more", "", fakesite.Answer{Cut: true}, bad("nodata")},
		{"malformed answer", "", fakesite.Answer{Raw: []byte("rubbish")}, bad("timeout")},
		{"aliases in a circle", "a.loop.test", endless, bad("cname_loop")},
		{"aliases without an end", "c0.test", long(0), bad("cname_loop")},
	} {
		host := c.host
		if host == "" {
			host = fmt.Sprintf("n%d.test", i)
		}
		names.Set(host, c.answer)
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newProber(t, func(o *Options) { o.Resolver = names.Addr() })
			target := check.Target{URL: "http://" + host + "/"}
			if c.want.reason == "timeout" {
				target.Timeout = 3 * short // all others end with an answer, however slow the machine
			}
			o := probeInTime(t.Context(), t, p, target)
			if got := findingOf(o); !got.same(c.want) {
				t.Errorf("got %+v\nwant %+v\nof %+v", got, c.want, o)
			}
		})
	}
}

func TestNamesThatResolve(t *testing.T) {
	t.Parallel()
	site, names := fakesite.New(t), fakesite.NewDNS(t)
	loopback := []string{"127.0.0.1"}
	many := strings.Split(strings.TrimSpace(strings.Repeat("127.0.0.1 ", 100)), " ")
	names.Set("elsewhere.test", fakesite.Answer{Addrs: loopback})
	for i, c := range []struct {
		name    string
		answers []fakesite.Answer
	}{
		{"address", []fakesite.Answer{{Addrs: loopback}}},
		{"alias with its address", []fakesite.Answer{{Records: []string{"HOST CNAME x.test.", "x.test. 9 IN A 127.0.0.1"}, Only: dns.TypeA}}},
		{"alias alone", []fakesite.Answer{{Records: []string{"HOST CNAME elsewhere.test."}}}},
		{"cut, whole over TCP", []fakesite.Answer{{Addrs: loopback, Cut: true}}},
		{"AAAA fails", []fakesite.Answer{{Addrs: loopback, Only: dns.TypeA}}},
		{"hundred times the same", []fakesite.Answer{{Addrs: many}}},
		{"unknown to a server without EDNS", []fakesite.Answer{{Rcode: dns.RcodeFormatError}, {Addrs: loopback}}},
	} {
		host := fmt.Sprintf("y%d.test", i)
		for a := range c.answers {
			for r, text := range c.answers[a].Records {
				c.answers[a].Records[r] = strings.Replace(text, "HOST", host+". 9 IN", 1)
			}
		}
		names.Set(host, c.answers...)
		p := newProber(t, func(o *Options) { o.Resolver = names.Addr() })
		url := fmt.Sprintf("http://%s:%d/", host, site.Port())
		if o := probeInTime(t.Context(), t, p, check.Target{URL: url}); o.Outcome != check.OutcomeUp {
			t.Errorf("%s: got %+v", c.name, o)
		}
	}
	if names.OverTCP() == 0 {
		t.Error("nobody asked over TCP")
	}
}

func TestSecondNameServer(t *testing.T) {
	t.Parallel()
	site := fakesite.New(t)
	good := fakesite.NewDNS(t)
	good.Host("site.test", "127.0.0.1")
	closed := fakesite.Unbound(t, addrPort("127.0.0.1:0"))
	for _, c := range []struct {
		name  string
		first fakesite.Answer
		want  string
	}{
		{"first fails", fakesite.Answer{Rcode: dns.RcodeServerFailure}, ""},
		{"first refuses", fakesite.Answer{Rcode: dns.RcodeRefused}, ""},
		{"first is silent", fakesite.Answer{Silent: true}, ""},
		{"first says that there is no such name", fakesite.Answer{Rcode: dns.RcodeNameError}, "nxdomain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			first := fakesite.NewDNS(t)
			first.Set("site.test", c.first)
			p := newProber(t, func(o *Options) { o.Resolver = first.Addr() + "," + good.Addr() })
			url := fmt.Sprintf("http://site.test:%d/", site.Port())
			if o := probeInTime(t.Context(), t, p, check.Target{URL: url}); o.Reason != c.want {
				t.Errorf("got %+v", o)
			}
		})
	}
	t.Run("first is not there", func(t *testing.T) {
		t.Parallel()
		p := newProber(t, func(o *Options) { o.Resolver = closed.String() + "," + good.Addr() })
		url := fmt.Sprintf("http://site.test:%d/", site.Port())
		if o := probeInTime(t.Context(), t, p, check.Target{URL: url}); o.Outcome != check.OutcomeUp {
			t.Errorf("got %+v", o)
		}
	})
	t.Run("none is there: the node's fault", func(t *testing.T) {
		t.Parallel()
		p := newProber(t, func(o *Options) { o.Resolver = closed.String() })
		o := probeInTime(t.Context(), t, p, check.Target{URL: "http://site.test/"})
		if o.Outcome != check.OutcomeUnknown || o.Failure != check.FailureDNS || o.Reason != "resolver_unreachable" {
			t.Errorf("got %+v", o)
		}
	})
}

func TestWorseAnswersGiveWay(t *testing.T) {
	t.Parallel()
	servfail, refused := fakesite.Answer{Rcode: dns.RcodeServerFailure}, fakesite.Answer{Rcode: dns.RcodeRefused}
	closed := fakesite.Unbound(t, addrPort("127.0.0.1:0")).String()
	for _, c := range []struct {
		name          string
		first, second *fakesite.Answer // nil is no server at all
		want          string
	}{
		{"failure, then refusal", &servfail, &refused, "servfail"},
		{"refusal, then failure", &refused, &servfail, "servfail"},
		{"refusal, then nobody", &refused, nil, "refused"},
		{"nobody, then failure", nil, &servfail, "servfail"},
	} {
		var list []string
		for _, a := range []*fakesite.Answer{c.first, c.second} {
			if a == nil {
				list = append(list, closed)
				continue
			}
			names := fakesite.NewDNS(t)
			names.Set("site.test", *a)
			list = append(list, names.Addr())
		}
		p := newProber(t, func(o *Options) { o.Resolver = strings.Join(list, ",") })
		o := probeInTime(t.Context(), t, p, check.Target{URL: "http://site.test/"})
		if o.Outcome != check.OutcomeDown || o.Reason != c.want {
			t.Errorf("%s: got %+v", c.name, o)
		}
	}
}

// TestForgedAnswersArePassedOver sends an attacker's answers before the true one.
func TestForgedAnswersArePassedOver(t *testing.T) {
	t.Parallel()
	site := fakesite.New(t)
	server := serveDNS(t, forgeries)
	p := newProber(t, func(o *Options) { o.Resolver = server })
	o := probeInTime(t.Context(), t, p, check.Target{URL: site.At("true.test").URL()})
	if o.Outcome != check.OutcomeUp {
		t.Errorf("got %+v", o)
	}
}

// forgeries end with the true answer, 127.0.0.1 for A and nothing for AAAA.
func forgeries(q *dns.Msg) [][]byte {
	answer := func(change func(*dns.Msg)) []byte {
		r := new(dns.Msg).SetReply(q)
		rr, _ := dns.NewRR(q.Question[0].Name + " 60 IN A 127.0.0.9")
		r.Answer = []dns.RR{rr}
		change(r)
		b, _ := r.Pack()
		return b
	}
	return [][]byte{
		[]byte("rubbish"),
		answer(func(r *dns.Msg) { r.Id++ }),
		answer(func(r *dns.Msg) { r.Response = false }),
		answer(func(r *dns.Msg) { r.Question[0].Name = "other.test." }),
		answer(func(r *dns.Msg) { r.Question[0].Qtype = dns.TypeMX }),
		answer(func(r *dns.Msg) { r.Question = nil }),
		answer(func(r *dns.Msg) { r.Id++; r.Rcode = dns.RcodeNameError }),
		answer(func(r *dns.Msg) {
			r.Answer = nil
			if q.Question[0].Qtype == dns.TypeA {
				rr, _ := dns.NewRR(q.Question[0].Name + " 60 IN A 127.0.0.1")
				r.Answer = []dns.RR{rr}
			}
		}),
	}
}

// TestAFailingCheckAsksAnew looks names up for as long as their site fails, and not while it
// works.
func TestAFailingCheckAsksAnew(t *testing.T) {
	t.Parallel()
	site, names := fakesite.New(t), fakesite.NewDNS(t)
	names.Set("site.test", fakesite.Answer{Addrs: []string{"127.0.0.1"}, TTL: 60})
	p := newProber(t, func(o *Options) { o.Resolver = names.Addr() })
	for n, step := range []struct{ status, asked int }{{200, 1}, {200, 0}, {503, 0}, {503, 1}, {200, 1}, {200, 0}} {
		site.SetStatus(step.status)
		before := names.Questions("site.test", dns.TypeA)
		probeInTime(t.Context(), t, p, check.Target{URL: site.At("site.test").URL(), Settings: check.Settings{Method: check.MethodGet}})
		if got := names.Questions("site.test", dns.TypeA) - before; got != step.asked {
			t.Errorf("step %d, status %d: asked %d times, want %d", n, step.status, got, step.asked)
		}
	}
}

// TestNameServersOfOurs is about name servers that fail all names alike, on the engines'
// own ways to ask them.
func TestNameServersOfOurs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer func(q *dns.Msg) *dns.Msg
		want   finding
	}{
		{"answers nothing", func(*dns.Msg) *dns.Msg { return nil },
			finding{outcome: check.OutcomeUnknown, failure: check.FailureDNS, reason: "resolver_unreachable", phase: check.PhaseDNS}},
		{"answers nothing with EDNS", func(q *dns.Msg) *dns.Msg {
			if q.IsEdns0() != nil {
				return nil
			}
			return found(q)
		}, up(200)},
		{"answers in lower case", func(q *dns.Msg) *dns.Msg {
			r := found(q)
			r.Question[0].Name = strings.ToLower(r.Question[0].Name)
			return r
		}, up(200)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			onEngines(t, func(t *testing.T, newProber maker) {
				site := fakesite.New(t)
				server := serveDNS(t, func(q *dns.Msg) (packets [][]byte) {
					if r := c.answer(q); r != nil { // else silence
						b, _ := r.Pack()
						packets = append(packets, b)
					}
					return packets
				})
				p := newProber(t, func(o *Options) { o.Resolver = server })
				o := probeInTime(t.Context(), t, p, check.Target{URL: site.At("site.test").URL(), Timeout: 2 * time.Second})
				if got := findingOf(o); !got.same(c.want) {
					t.Errorf("got %+v\nwant %+v\nof %+v", got, c.want, o)
				}
			}, fast, portable)
		})
	}
}

// found answers with 127.0.0.1 for A and nothing for AAAA.
func found(q *dns.Msg) *dns.Msg {
	r := new(dns.Msg).SetReply(q)
	if q.Question[0].Qtype == dns.TypeA {
		rr, _ := dns.NewRR(q.Question[0].Name + " 60 IN A 127.0.0.1")
		r.Answer = []dns.RR{rr}
	}
	return r
}

// serveDNS starts a name server that answers a question with the packets that a function
// makes. It returns its address.
func serveDNS(t *testing.T, answer func(*dns.Msg) [][]byte) string {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	t.Cleanup(func() {
		_ = server.Close()
		work.Wait()
	})
	work.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			q := new(dns.Msg)
			if q.Unpack(buf[:n]) != nil {
				continue
			}
			for _, packet := range answer(q) {
				_, _ = server.WriteTo(packet, from)
			}
		}
	})
	return server.LocalAddr().String()
}

func TestNamesOfThisMachine(t *testing.T) {
	t.Parallel()
	site := fakesite.New(t)
	for _, host := range []string{"localhost", "any.localhost"} {
		o := probeInTime(t.Context(), t, newProber(t), check.Target{URL: site.At(host).URL()})
		if o.Outcome != check.OutcomeUp {
			t.Errorf("%s: got %+v", host, o)
		}
	}
}

func TestResolverOption(t *testing.T) {
	t.Parallel()
	for list, ok := range map[string]bool{
		"127.0.0.1:53": true, "[::1]:53": true, "127.0.0.1:53, 127.0.0.2:53": true, "localhost:53": true,
		"127.0.0.1": false, ":53": false, "127.0.0.1:": false, ",": false, "::1": false,
	} {
		if _, err := New(Options{Resolver: list}); (err == nil) != ok {
			t.Errorf("%q: %v", list, err)
		}
	}
}
