package address_test

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/address"
)

// table is the policy in examples: addresses and the reason for refusing each; "-" is an
// address that may be visited. The tests of internal/probe go to each by every way.
func table(tb testing.TB) map[string]string {
	tb.Helper()
	text, err := os.ReadFile("testdata/policy.txt")
	if err != nil {
		tb.Fatal(err)
	}
	rows := map[string]string{}
	for row := range strings.Lines(string(text)) {
		addr, reason, ok := strings.Cut(strings.TrimSpace(row), " ")
		if !ok || rows[addr] != "" {
			tb.Fatalf("the row %q has no reason, or is there twice", row)
		}
		rows[addr] = strings.TrimPrefix(reason, "-")
	}
	return rows
}

func refuse(p *address.Policy, text string) string {
	return p.Refuse(netip.AddrPortFrom(netip.MustParseAddr(text), 80))
}

func TestThePolicyIsWhatTheTableSays(t *testing.T) {
	t.Parallel()
	rows, p := table(t), address.New(address.Options{})
	for text, want := range rows {
		if got := refuse(p, text); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	if len(rows) < 120 {
		t.Errorf("the table has %d rows, want at least 120", len(rows))
	}
	if got := p.Refuse(netip.AddrPort{}); got != "bad_address" {
		t.Errorf("no address: %q", got)
	}
}

// --allow-private does not open the metadata services of clouds, under whatever address.
func TestMetadataStaysClosed(t *testing.T) {
	t.Parallel()
	texts := []string{"::ffff:169.254.169.254", "::169.254.169.254", "::ffff:0:169.254.169.254", "64:ff9b::169.254.169.254",
		"64:ff9b:1:a9fe:a9:fe00::", "2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::1", "2001::5601:5601", "2606:4700::5efe:169.254.169.254",
		"::ffff:168.63.129.16", "fe80::a9fe:a9fe%eth0"}
	for text, reason := range table(t) {
		if reason == "metadata" {
			texts = append(texts, text)
		}
	}
	closed := address.New(address.Options{AllowPrivate: true})
	open := address.New(address.Options{AllowPrivate: true, AllowMetadata: true})
	alone := address.New(address.Options{AllowMetadata: true})
	for _, text := range texts {
		if why := refuse(closed, text); why != "metadata" {
			t.Errorf("%s: got %q with --allow-private", text, why)
		}
		if why := refuse(open, text); why != "" {
			t.Errorf("%s: got %q with both", text, why)
		}
		if why := refuse(alone, text); why == "" {
			t.Errorf("%s: open with --allow-metadata alone", text)
		}
	}
}

func TestPolicyOfDevelopment(t *testing.T) {
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
	p := address.New(address.Options{Allowed: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8080"), netip.MustParseAddrPort("[::1]:80")}})
	for text, allowed := range map[string]bool{
		"127.0.0.1:8080": true, "[::1]:80": true, "127.0.0.1:8081": false, "127.0.0.2:8080": false,
		"[::ffff:127.0.0.1]:8080": false, "[::1]:8080": false,
	} {
		if got := p.Refuse(netip.MustParseAddrPort(text)); (got == "") != allowed {
			t.Errorf("%s: got %q", text, got)
		}
	}
}

// FuzzPolicy holds the policy against what the standard library knows of an address, and
// against the IPv4 address in it.
func FuzzPolicy(f *testing.F) {
	for text := range table(f) {
		f.Add(netip.MustParseAddr(text).AsSlice())
	}
	p := address.New(address.Options{})
	f.Fuzz(func(t *testing.T, b []byte) {
		addr, ok := netip.AddrFromSlice(b)
		if !ok {
			return
		}
		why := p.Refuse(netip.AddrPortFrom(addr, 80))
		plain := addr.Unmap()
		special := plain.IsPrivate() || plain.IsLoopback() || plain.IsLinkLocalUnicast() || plain.IsMulticast() || plain.IsUnspecified() || addr.Zone() != ""
		if special && why == "" {
			t.Errorf("%s is visited", addr)
		}
		if plain != addr && p.Refuse(netip.AddrPortFrom(plain, 80)) != "" && why == "" {
			t.Errorf("%s is visited, and %s is not", addr, plain)
		}
		if zoned := addr.WithZone("eth0"); addr.Is6() && p.Refuse(netip.AddrPortFrom(zoned, 80)) == "" {
			t.Errorf("%s is visited", zoned)
		}
	})
}
