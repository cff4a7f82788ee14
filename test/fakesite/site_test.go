package fakesite_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/test/fakesite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func client(config *tls.Config) *http.Client {
	return &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: config},
	}
}

func get(t *testing.T, s *fakesite.Site) (int, error) {
	t.Helper()
	resp, err := client(&tls.Config{RootCAs: s.Roots(), MinVersion: tls.VersionTLS10}).Get(s.URL())
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.ReadAll(resp.Body)
	return resp.StatusCode, err
}

func TestSiteFailsAndComesBack(t *testing.T) {
	t.Parallel()
	s := fakesite.New(t)
	for _, want := range []int{200, 503, 200} {
		s.SetStatus(want)
		if code, err := get(t, s); code != want || err != nil {
			t.Fatalf("got %d, %v; want %d", code, err, want)
		}
	}
	s.Refuse()
	if _, err := get(t, s); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("refusing site: %v", err)
	}
	s.SetStatus(204)
	if code, err := get(t, s); code != 204 || err != nil {
		t.Fatalf("after refusing: %d, %v", code, err)
	}
	if got := s.Requests("GET"); got != 4 {
		t.Errorf("counted %d GET, want 4", got)
	}
	if got := len(s.Log()); got != 4 {
		t.Errorf("logged %d requests, want 4", got)
	}
}

func TestSiteMisbehaves(t *testing.T) {
	t.Parallel()
	s := fakesite.NewOn(t, netip.MustParseAddrPort("[::1]:0"))
	s.CutBody()
	if code, err := get(t, s); code != 200 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut body: %d, %v", code, err)
	}
	s.Reset()
	if _, err := get(t, s); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset: %v", err)
	}
	s.SetRaw("HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n")
	if code, err := get(t, s); code != 299 || err != nil {
		t.Errorf("raw: %d, %v", code, err)
	}
	s.Hang()
	c := client(nil)
	c.Timeout = 50 * time.Millisecond
	_, err := c.Get(s.URL())
	if e, ok := errors.AsType[net.Error](err); !ok || !e.Timeout() {
		t.Errorf("hang: %v", err)
	}
}

func TestTLSVariants(t *testing.T) {
	t.Parallel()
	for v, wantErr := range map[fakesite.Variant]bool{
		fakesite.Valid: false, fakesite.Expiring: false, fakesite.TLS10: false, fakesite.TLS11: false,
		fakesite.TLS12: false, fakesite.Expired: true, fakesite.NotYetValid: true,
		fakesite.SelfSigned: true, fakesite.UnknownIssuer: true, fakesite.WrongHost: true,
		fakesite.ClientCertificate: true, fakesite.NoCommonCipher: true, fakesite.MissingIntermediate: true,
		fakesite.ExpiredIntermediate: true, fakesite.WrongUsage: true, fakesite.NotAnIssuer: true,
	} {
		_, err := get(t, fakesite.NewTLS(t, v))
		if (err != nil) != wantErr {
			t.Errorf("variant %d: %v", v, err)
		}
		_, isCert := errors.AsType[*tls.CertificateVerificationError](err)
		_, isHost := errors.AsType[x509.HostnameError](err)
		if v == fakesite.WrongHost && !isHost || v == fakesite.Expired && !isCert {
			t.Errorf("variant %d: %v", v, err)
		}
	}
}

func TestDNSAnswersByScript(t *testing.T) {
	t.Parallel()
	d := fakesite.NewDNS(t)
	d.Set("Two.test", fakesite.Answer{Addrs: []string{"127.0.0.1", "::1"}, TTL: 7}, fakesite.Answer{Rcode: dns.RcodeServerFailure})
	d.Set("cut.test", fakesite.Answer{Addrs: []string{"127.0.0.1"}, Cut: true})
	d.Set("alias.test", fakesite.Answer{Records: []string{"alias.test. 5 IN CNAME two.test."}})
	ask := func(network, name string, qtype uint16) *dns.Msg {
		c := &dns.Client{Net: network, Timeout: 5 * time.Second}
		r, _, err := c.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype), d.Addr())
		if err != nil {
			t.Fatalf("%s %s: %v", network, name, err)
		}
		return r
	}
	if r := ask("udp", "two.test", dns.TypeA); len(r.Answer) != 1 || !strings.Contains(r.Answer[0].String(), "\t7\tIN\tA\t127.0.0.1") {
		t.Errorf("first: %v", r)
	}
	if r := ask("udp", "two.test", dns.TypeAAAA); len(r.Answer) != 1 {
		t.Errorf("first of another type: %v", r)
	}
	if r := ask("udp", "two.test", dns.TypeA); r.Rcode != dns.RcodeServerFailure {
		t.Errorf("second: %v", r)
	}
	if r := ask("udp", "cut.test", dns.TypeA); !r.Truncated || len(r.Answer) != 0 {
		t.Errorf("cut: %v", r)
	}
	if r := ask("tcp", "cut.test", dns.TypeA); r.Truncated || len(r.Answer) != 1 {
		t.Errorf("over TCP: %v", r)
	}
	if r := ask("udp", "alias.test", dns.TypeA); len(r.Answer) != 1 {
		t.Errorf("alias: %v", r)
	}
	if r := ask("udp", "nobody.test", dns.TypeA); r.Rcode != dns.RcodeNameError {
		t.Errorf("unknown name: %v", r)
	}
	if got := d.Questions("TWO.test", dns.TypeA); got != 2 {
		t.Errorf("counted %d questions, want 2", got)
	}
}

func TestAddressesWithoutASite(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		addr := fakesite.Unbound(t, netip.MustParseAddrPort(at))
		if _, err := net.Dial("tcp", addr.String()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("unbound %v: %v", addr, err)
		}
		addr = fakesite.Blackhole(t, netip.MustParseAddrPort(at))
		_, err := net.DialTimeout("tcp", addr.String(), 50*time.Millisecond)
		if e, ok := errors.AsType[net.Error](err); !ok || !e.Timeout() {
			t.Errorf("black hole %v: %v", addr, err)
		}
	}
}
