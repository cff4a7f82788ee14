package delegation_test

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/internal/delegation"
	"github.com/Automattic/jetmon/test/fakesite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// finder has a resolver, which knows the servers of the zones above, and such a server. The
// servers of the domains themselves do not exist.
func finder(t *testing.T) (*delegation.Finder, *fakesite.DNS, *fakesite.DNS) {
	t.Helper()
	resolver, above := fakesite.NewDNS(t), fakesite.NewDNS(t)
	server := netip.MustParseAddrPort(above.Addr())
	for _, zone := range []string{"com", "co.uk"} {
		resolver.Set(zone, fakesite.Answer{Records: []string{zone + ". 60 IN NS dead.nic.example.", zone + ". 60 IN NS a.nic.example."}})
	}
	resolver.Set("a.nic.example", fakesite.Answer{Addrs: []string{server.Addr().String()}})
	var d net.Dialer
	return delegation.New(delegation.Options{Port: server.Port(), Resolver: &net.Resolver{
		PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, resolver.Addr())
		},
	}}), resolver, above
}

func TestTheZoneAboveKnowsTheNameServers(t *testing.T) {
	t.Parallel()
	f, resolver, above := finder(t)
	above.Set("example.com", fakesite.Answer{Records: []string{"example.com. 60 IN NS NS2.Host.example.", "example.com. 60 IN NS ns1.host.example."}})
	above.Set("example.co.uk", fakesite.Answer{Records: []string{"example.co.uk. 60 IN NS ns1.host.example.", "other.co.uk. 60 IN NS ns9.other.example."}})
	for host, want := range map[string][]string{
		"example.com": {"ns1.host.example", "ns2.host.example"}, "WWW.shop.Example.com.": {"ns1.host.example", "ns2.host.example"},
		"www.example.co.uk": {"ns1.host.example"},
	} {
		if got, err := f.NameServers(t.Context(), host); err != nil || !slices.Equal(got, want) {
			t.Errorf("of %s: %v, %v; want %v", host, got, err, want)
		}
	}
	if n := resolver.Questions("com", dns.TypeNS); n != 1 {
		t.Errorf("the servers of com were looked up %d times", n)
	}
}

func TestWhatHasNoDelegation(t *testing.T) {
	t.Parallel()
	f, _, above := finder(t)
	above.Set("silent.com", fakesite.Answer{Silent: true})
	for _, host := range []string{"192.0.2.1", "2001:db8::1", "com", "co.uk", "localhost", "", "nobody.com", "example.org", "silent.com"} {
		if got, err := f.NameServers(t.Context(), host); err == nil {
			t.Errorf("of %q: %v", host, got)
		}
	}
}
