package secondopinion

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/test/fakesite"
)

// special lists addresses of every special-purpose range, and of clouds' metadata services.
func special() []string {
	return []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.255.254",
		"169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192",
		"192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.1",
		"203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "100.100.100.200", "168.63.129.16",
		"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:2::1", "2001:10::1", "2001:db8::1",
		"2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1", "fd00::1", "fd00:ec2::254", "fd20:ce::254",
		"fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1", "2001:4860::200:5efe:7f00:1",
	}
}

// TestNothingSpecialIsEverDialled leads the Reader to each special address on every way that
// a site has.
func TestNothingSpecialIsEverDialled(t *testing.T) {
	t.Parallel()
	public := fakesite.New(t) // an exception to the policy, in the place of a public site
	names := fakesite.NewDNS(t)
	r := newReader(t, func(o *probe.Options) {
		o.AllowPrivate, o.Allowed, o.Resolver = false, []netip.AddrPort{public.Addr()}, names.Addr()
	})
	dialled := staysHere(t, r)
	ask := func(way, url string) {
		t.Helper()
		before := len(dialled.list())
		o := r.Ask(t.Context(), check.Target{URL: url}, check.Observation{})
		if o.Outcome == check.OutcomeUp {
			t.Errorf("%s, %s: a good page", way, url)
		}
		for _, a := range dialled.list()[before:] {
			if a != public.Addr() {
				t.Errorf("%s, %s: %v was dialled", way, url, a)
			}
		}
	}
	names.Host("public.test", "127.0.0.1")
	for i, text := range special() {
		addr := netip.MustParseAddr(text)
		host := net.JoinHostPort(text, "80")
		ask("literal", "http://"+host+"/")
		public.SetRaw(moved("Location: http://" + host + "/"))
		ask("redirect", public.URL())
		name := fmt.Sprintf("n%d.test", i)
		names.Host(name, text)
		ask("name", "http://"+name+"/")
		names.Set(name, fakesite.Answer{Records: []string{name + ". 0 IN CNAME alias." + name + "."}})
		names.Host("alias."+name, text)
		ask("alias", "http://"+name+"/")
		public.SetRaw(moved("Location: //" + name + "/"))
		ask("redirect to a name", public.URL())
		// The name leads to the site at first, and elsewhere when it is asked for again.
		names.Set(name, fakesite.Answer{Addrs: []string{"127.0.0.1"}}, fakesite.Answer{Addrs: []string{text}})
		public.SetRaw(strings.Replace(moved(fmt.Sprintf("Location: http://%s/again", name)), "\r\n", "\r\nConnection: close\r\n", 1))
		ask("rebinding", fmt.Sprintf("http://%s:%d/", name, public.Port()))
		if addr.Is4() {
			b := addr.As4()
			n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
			for _, spelling := range []string{fmt.Sprint(n), fmt.Sprintf("0x%x", n), fmt.Sprintf("0%o", n), fmt.Sprintf("%d.%d", b[0], n&0xffffff)} {
				public.SetRaw(moved("Location: http://" + spelling + "/"))
				ask("redirect to a number", public.URL())
				ask("number", "http://"+spelling+"/")
			}
		}
	}
	// An address among others that may be dialled is passed over.
	names.Host("mixed.test", "10.0.0.1", "127.0.0.1", "169.254.169.254")
	public.SetStatus(200)
	before := len(dialled.list())
	isGood(t, "mixed", r.Ask(t.Context(), check.Target{URL: fmt.Sprintf("http://mixed.test:%d/", public.Port())}, check.Observation{}))
	if all := dialled.list()[before:]; len(all) != 1 || all[0] != public.Addr() {
		t.Errorf("mixed: %v were dialled", all)
	}
}

// Metadata services stay closed whatever is allowed.
func TestMetadataIsNeverDialled(t *testing.T) {
	t.Parallel()
	r := newReader(t)
	dialled := staysHere(t, r)
	for _, host := range []string{
		"169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192", "[fd00:ec2::254]", "[fd20:ce::254]",
		"[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[::169.254.169.254]", "[2002:a9fe:a9fe::1]", "0xa9fea9fe",
	} {
		o := r.Ask(t.Context(), check.Target{URL: "http://" + host + "/latest/meta-data/"}, check.Observation{})
		if o.Outcome != check.OutcomeUnknown || o.Failure != check.FailurePolicy {
			t.Errorf("%s: %+v", host, o)
		}
	}
	if all := dialled.list(); len(all) > 0 {
		t.Errorf("%v were dialled", all)
	}
}

// A site whose own answers lead only to where nobody can go cannot be visited.
func TestWhereASiteLeadsIsItsOwnFault(t *testing.T) {
	t.Parallel()
	public, names := fakesite.New(t), fakesite.NewDNS(t)
	public.SetRaw(moved("Location: http://0.0.0.0:9/"))
	names.Host("inside.test", "10.0.0.1", "fd00::1")
	r := newReader(t, func(o *probe.Options) {
		o.AllowPrivate, o.Allowed, o.Resolver = false, []netip.AddrPort{public.Addr()}, names.Addr()
	})
	isBad(t, "redirect", r.Ask(t.Context(), check.Target{URL: public.URL()}, check.Observation{}), check.FailureRedirect, "unroutable")
	isBad(t, "name", r.Ask(t.Context(), check.Target{URL: "http://inside.test/"}, check.Observation{}), check.FailureDNS, "unroutable")
}

func TestASiteOverIPv6IsAsked(t *testing.T) {
	t.Parallel()
	site, names := fakesite.NewOn(t, netip.MustParseAddrPort("[::1]:0")), fakesite.NewDNS(t)
	names.Host("six.test", "::1")
	names.Host("both.test", "127.0.0.1", "::1")
	r := newReader(t, func(o *probe.Options) { o.Resolver = names.Addr() })
	for _, host := range []string{"six.test", "both.test", "[::1]"} {
		isGood(t, host, r.Ask(t.Context(), check.Target{URL: fmt.Sprintf("http://%s:%d/", host, site.Port())}, check.Observation{}))
	}
}
