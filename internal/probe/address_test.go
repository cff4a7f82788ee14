package probe

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// addressTable is the policy in examples: addresses and the reason for refusing each; "-"
// is an address that may be probed.
func addressTable(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../address/testdata/policy.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

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
	rows := addressTable(t)
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

// The services are closed under every address (internal/address), and so to a check.
func TestMetadataStaysClosed(t *testing.T) {
	t.Parallel()
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
