package probe

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/Automattic/jetmon/internal/address"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// addressTable is the policy in examples: addresses and the reason for refusing each; "-"
// is an address that may be probed.
const addressTable = `
0.0.0.0 unspecified
0.0.0.1 unspecified
0.255.255.255 unspecified
1.0.0.0 -
1.1.1.1 -
8.8.8.8 -
9.255.255.255 -
10.0.0.0 private
10.1.2.3 private
10.255.255.255 private
11.0.0.0 -
100.63.255.255 -
100.64.0.0 cgnat
100.100.100.200 metadata
100.100.100.201 cgnat
100.127.255.255 cgnat
100.128.0.0 -
126.255.255.255 -
127.0.0.0 loopback
127.0.0.1 loopback
127.0.0.53 loopback
127.1.2.3 loopback
127.255.255.255 loopback
128.0.0.0 -
168.63.129.15 -
168.63.129.16 metadata
168.63.129.17 -
169.253.255.255 -
169.254.0.0 link_local
169.254.1.1 link_local
169.254.169.253 link_local
169.254.169.254 metadata
169.254.0.23 metadata
169.254.42.42 metadata
169.254.170.2 metadata
169.254.170.23 metadata
169.254.255.255 link_local
169.255.0.0 -
172.15.255.255 -
172.16.0.0 private
172.17.0.1 private
172.31.255.255 private
172.32.0.0 -
191.255.255.255 -
192.0.0.0 reserved
192.0.0.8 reserved
192.0.0.170 reserved
192.0.0.192 metadata
192.0.0.255 reserved
192.0.1.0 -
192.0.2.0 documentation
192.0.2.1 documentation
192.0.2.255 documentation
192.0.3.0 -
192.88.98.255 -
192.88.99.1 embedded_ipv4
192.88.99.255 embedded_ipv4
192.88.100.0 -
192.167.255.255 -
192.168.0.0 private
192.168.0.1 private
192.168.255.255 private
192.169.0.0 -
198.17.255.255 -
198.18.0.0 benchmarking
198.19.255.255 benchmarking
198.20.0.0 -
198.51.99.255 -
198.51.100.0 documentation
198.51.100.255 documentation
198.51.101.0 -
203.0.112.255 -
203.0.113.0 documentation
203.0.113.255 documentation
203.0.114.0 -
223.255.255.255 -
224.0.0.1 multicast
224.0.0.251 multicast
239.255.255.250 multicast
239.255.255.255 multicast
240.0.0.0 reserved
250.1.2.3 reserved
255.255.255.254 reserved
255.255.255.255 broadcast
:: unspecified
::1 loopback
::2 embedded_ipv4
::127.0.0.1 embedded_ipv4
::8.8.8.8 embedded_ipv4
::ffff:0.0.0.0 unspecified
::ffff:127.0.0.1 embedded_ipv4
::ffff:10.0.0.1 embedded_ipv4
::ffff:169.254.169.254 embedded_ipv4
::ffff:192.168.1.1 embedded_ipv4
::ffff:9.9.9.9 embedded_ipv4
::ffff:224.0.0.1 multicast
::ffff:255.255.255.255 broadcast
::ffff:0:127.0.0.1 embedded_ipv4
::1:0:0:0 reserved
64:ff9b::127.0.0.1 embedded_ipv4
64:ff9b::169.254.169.254 embedded_ipv4
64:ff9b::8.8.8.8 embedded_ipv4
64:ff9b:1::10.0.0.1 embedded_ipv4
64:ff9b:1:ffff::1 embedded_ipv4
64:ff9c::1 reserved
100::1 reserved
100:0:0:1::1 reserved
1fff:ffff::1 reserved
2000::1 -
2001::1 embedded_ipv4
2001:0:4136:e378:8000:63bf:3fff:fdd2 embedded_ipv4
2001:0:7f00:1::1 embedded_ipv4
2001:1::1 reserved
2001:2::1 benchmarking
2001:2:0:ffff::1 benchmarking
2001:2:1::1 reserved
2001:3::1 reserved
2001:10::1 reserved
2001:20::1 reserved
2001:1ff:ffff::1 reserved
2001:200::1 -
2001:4860:4860::8888 -
2001:db7::1 -
2001:db8::1 documentation
2001:db8:ffff::1 documentation
2001:db9::1 -
2002::1 embedded_ipv4
2002:7f00:1::1 embedded_ipv4
2002:a9fe:a9fe::1 embedded_ipv4
2002:808:808::1 embedded_ipv4
2003::1 -
2606:4700::5efe:127.0.0.1 embedded_ipv4
2606:4700::200:5efe:10.0.0.1 embedded_ipv4
2606:4700:4700::1111 -
2a00:1450:4001::200e -
3ffe::1 -
3fff::1 documentation
3fff:fff::1 documentation
3fff:1000::1 -
4000::1 reserved
5f00::1 reserved
8000::1 reserved
fbff::1 reserved
fc00::1 private
fd00::1 private
fd00:42::42 metadata
fd00:c1::a9fe:a9fe metadata
fd00:ec2::23 metadata
fd00:ec2::254 metadata
fd20:ce::254 metadata
fd00:ec2::255 private
fdff:ffff::1 private
fe00::1 reserved
fe80::1 link_local
fe80::a9fe:a9fe metadata
febf::1 link_local
fec0::1 private
feff::1 private
ff00::1 multicast
ff02::1 multicast
ff02::fb multicast
ff0e::1 multicast
`

// recorder is the gate before the kernel: it lets connections to one site through, and
// records and refuses all others.
type recorder struct {
	site netip.AddrPort

	mu    sync.Mutex
	asked map[netip.Addr]bool
}

func (r *recorder) gate(a netip.AddrPort) error {
	if a == r.site {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[a.Addr()] = true
	return syscall.ECONNREFUSED
}

func (r *recorder) reached(a netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[a]
}

// TestAddressPolicy tries each address of the table by every way in which a check can get
// to an address. What the site's own answers lead to is its fault; a literal address in the
// target is refused. None is reached.
func TestAddressPolicy(t *testing.T) {
	t.Parallel()
	onEngines(t, addressPolicyOn, fast, portable, reference)
}

// door is a way to an address: the URL of the check, and what the check must find when the
// address is refused for a reason.
type door struct {
	name, url string
	refused   func(reason string) finding
}

// doors lists the ways to the address with this text.
func doors(site *fakesite.Site, names *fakesite.DNS, i int, text string) []door {
	host := text
	if strings.Contains(text, ":") {
		host = "[" + text + "]"
	}
	named := func(kind string) string { return fmt.Sprintf("%s%d.test", kind, i) }
	at := func(name string) string { return fmt.Sprintf("http://%s:%d/", name, site.Port()) }
	special := fakesite.Answer{Addrs: []string{text}}
	names.Set(named("name"), special)
	names.Set(named("alias"), fakesite.Answer{Records: []string{named("alias") + ". 60 IN CNAME " + named("name") + "."}})
	// A name has one script for each type: the first lookup of either is the good one.
	names.Set(named("turning"), fakesite.Answer{Addrs: []string{"127.0.0.1"}}, special)
	names.Set(named("mixed"), fakesite.Answer{Addrs: []string{text, "127.0.0.1"}})

	policy := func(reason string) finding {
		return finding{check.OutcomeUnknown, check.FailurePolicy, reason, 0, check.PhaseConnect, nil}
	}
	byDNS := func(string) finding { return fails(check.FailureDNS, "unroutable", 0, check.PhaseDNS) }
	byRedirect := func(string) finding {
		return fails(check.FailureRedirect, "unroutable", http.StatusFound, check.PhaseResponse)
	}
	works := func(string) finding { return up(200, check.AdvisoryHeadUnsupported) }
	return []door{
		{"literal", "http://" + host + "/", policy},
		{"DNS answer", "http://" + named("name") + "/", byDNS},
		{"alias", "http://" + named("alias") + "/", byDNS},
		{"redirect", site.URL() + "to?http://" + host + "/", byRedirect},
		{"redirect to a name", site.URL() + "to?http://" + named("alias") + "/", byRedirect},
		{"turning", at(named("turning")), byDNS},
		{"mixed", at(named("mixed")), works},
	}
}

func addressPolicyOn(t *testing.T, newProber maker) {
	site, names := fakesite.New(t), fakesite.NewDNS(t)
	p := newProber(t, func(o *Options) {
		o.AllowPrivate, o.Resolver, o.Allowed = false, names.Addr(), []netip.AddrPort{site.Addr()}
	})
	rec := &recorder{site: site.Addr(), asked: make(map[netip.Addr]bool)}
	p.connector.gate = rec.gate
	// HEAD is refused, so that a GET looks the name up again; /to redirects to its query.
	site.SetHandler(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/to":
			w.Header().Set("Location", r.URL.RawQuery)
			w.WriteHeader(http.StatusFound)
		case r.Method == http.MethodHead:
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	})
	rows := strings.Split(strings.TrimSpace(addressTable), "\n")
	for i, row := range rows {
		text, reason, _ := strings.Cut(row, " ")
		addr := netip.MustParseAddr(text)
		for _, d := range doors(site, names, i, text) {
			o := probeInTime(t.Context(), t, p, check.Target{URL: d.url})
			reached := rec.reached(addr) || rec.reached(addr.Unmap())
			switch {
			case text == "127.0.0.1" && d.name == "turning":
				if o.Outcome != check.OutcomeUp { // the exact exception holds
					t.Errorf("%s: exception does not hold: %+v", d.name, o)
				}
			case reason != "-" && (reached || !findingOf(o).same(d.refused(reason))):
				t.Errorf("%s by %s: want refusal %s, got %+v", text, d.name, reason, o)
			case reason == "-" && (!reached || d.name != "mixed" && o.Failure != check.FailureConnect):
				t.Errorf("%s by %s: want a connection, got %+v", text, d.name, o)
			}
		}
	}
	if len(rows) < 120 {
		t.Errorf("the table has %d rows, want at least 120", len(rows))
	}
}

// TestMetadataStaysClosed shows that --allow-private does not open the metadata services of
// clouds, under whatever address.
func TestMetadataStaysClosed(t *testing.T) {
	t.Parallel()
	var texts []string
	for row := range strings.SplitSeq(strings.TrimSpace(addressTable), "\n") {
		if text, ok := strings.CutSuffix(row, " metadata"); ok {
			texts = append(texts, text)
		}
	}
	texts = append(texts, "::ffff:169.254.169.254", "::169.254.169.254", "::ffff:0:169.254.169.254", "64:ff9b::169.254.169.254",
		"64:ff9b:1:a9fe:a9:fe00::", "2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::1", "2001::5601:5601", "2606:4700::5efe:169.254.169.254",
		"::ffff:168.63.129.16", "fe80::a9fe:a9fe%eth0")
	closed := address.New(address.Options{AllowPrivate: true})
	open := address.New(address.Options{AllowPrivate: true, AllowMetadata: true})
	alone := address.New(address.Options{AllowMetadata: true})
	for _, text := range texts {
		a := netip.AddrPortFrom(netip.MustParseAddr(text), 80)
		if why := closed.Refuse(a); why != "metadata" {
			t.Errorf("%s: got %q with --allow-private", text, why)
		}
		if why := open.Refuse(a); why != "" {
			t.Errorf("%s: got %q with both", text, why)
		}
		if why := alone.Refuse(a); why == "" {
			t.Errorf("%s: open with --allow-metadata alone", text)
		}
	}
	p := newProber(t)
	o := probeInTime(t.Context(), t, p, check.Target{URL: "http://169.254.169.254/latest/meta-data/"})
	if o.Failure != check.FailurePolicy || o.Reason != "metadata" {
		t.Errorf("got %+v", o)
	}
}

// TestWhatThisMachineKnowsIsNotTheSitesFault shows that a name of this machine tells nothing
// about a site, whoever answers for it, and that a redirect there does.
func TestWhatThisMachineKnowsIsNotTheSitesFault(t *testing.T) {
	t.Parallel()
	onEngines(t, whatThisMachineKnowsOn, fast, portable, reference)
}

func whatThisMachineKnowsOn(t *testing.T, newProber maker) {
	site, names := fakesite.New(t), fakesite.NewDNS(t)
	for _, resolver := range []string{names.Addr(), ""} {
		p := newProber(t, func(o *Options) {
			o.AllowPrivate, o.Resolver, o.Allowed = false, resolver, []netip.AddrPort{site.Addr()}
		})
		for _, name := range []string{"localhost", "LocalHost.", "any.localhost"} {
			o := probeInTime(t.Context(), t, p, check.Target{URL: "http://" + name + ":8/"})
			if o.Outcome != check.OutcomeUnknown || o.Failure != check.FailurePolicy {
				t.Errorf("%s: got %+v", name, o)
			}
			site.SetRaw("HTTP/1.1 301 Moved\r\nLocation: http://" + name + ":8/\r\n\r\n")
			o = probeInTime(t.Context(), t, p, check.Target{URL: site.URL()})
			if o.Outcome != check.OutcomeDown || o.Failure != check.FailureRedirect || o.Reason != "unroutable" {
				t.Errorf("redirect to %s: got %+v", name, o)
			}
		}
	}
}

func TestAddressPolicyOfDevelopment(t *testing.T) {
	t.Parallel()
	p := address.New(address.Options{AllowPrivate: true})
	for text, want := range map[string]string{
		"127.0.0.1": "", "10.0.0.1": "", "::1": "", "fd00::1": "", "::ffff:127.0.0.1": "", "169.254.169.253": "",
		"0.0.0.0": "unspecified", "::": "unspecified", "::ffff:0.0.0.0": "unspecified",
		"224.0.0.1": "multicast", "ff02::1": "multicast", "255.255.255.255": "broadcast",
	} {
		if got := p.Refuse(netip.AddrPortFrom(netip.MustParseAddr(text), 80)); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestExceptionsAreExact(t *testing.T) {
	t.Parallel()
	p := address.New(address.Options{Allowed: []netip.AddrPort{addrPort("127.0.0.1:8080"), addrPort("[::1]:80")}})
	for text, allowed := range map[string]bool{
		"127.0.0.1:8080": true, "[::1]:80": true, "127.0.0.1:8081": false, "127.0.0.2:8080": false,
		"[::ffff:127.0.0.1]:8080": false, "[::1]:8080": false,
	} {
		if got := p.Refuse(addrPort(text)); (got == "") != allowed {
			t.Errorf("%s: got %q", text, got)
		}
	}
}

// TestMixedAnswerUsesWhatIsAllowed shows that an attacker gains nothing from a public
// address beside a private one, and a site owner loses nothing.
func TestMixedAnswerUsesWhatIsAllowed(t *testing.T) {
	t.Parallel()
	site, names := fakesite.New(t), fakesite.NewDNS(t)
	names.Host("mixed.test", "127.0.0.2", "127.0.0.1", "::1")
	p := newProber(t, func(o *Options) {
		o.AllowPrivate, o.Resolver, o.Allowed = false, names.Addr(), []netip.AddrPort{site.Addr()}
	})
	o := probeInTime(t.Context(), t, p, check.Target{URL: site.At("mixed.test").URL()})
	if o.Outcome != check.OutcomeUp || o.ResolvedAddress != site.Addr().String() {
		t.Errorf("got %+v", o)
	}
}

// TestLastGate shows that the policy applies to the address of the connection, on every
// path that leads to it.
func TestLastGate(t *testing.T) {
	t.Parallel()
	site := fakesite.New(t)
	for _, name := range []string{fast, portable} {
		p := makerOf(name)(t, func(o *Options) { o.AllowPrivate = false })
		for _, dial := range []dialFunc{p.connector.dial, p.connector.overNet().dial} {
			conn, err := dial(t.Context(), site.Addr())
			if err == nil {
				_ = conn.Close()
			}
			if !errors.Is(err, errRefusedAddress) {
				t.Errorf("%s: the dialer connects to loopback: %v", name, err)
			}
		}
	}
}
