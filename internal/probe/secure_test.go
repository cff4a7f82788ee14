package probe

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

func TestCertificatesAndVersions(t *testing.T) {
	t.Parallel()
	onEngines(t, certificatesAndVersionsOn, fast, portable, reference)
}

func certificatesAndVersionsOn(t *testing.T, newProber maker) {
	bad := func(reason string) finding { return fails(check.FailureTLS, reason, 0, check.PhaseTLS) }
	for _, c := range []struct {
		name    string
		variant fakesite.Variant
		want    finding
	}{
		{"valid chain", fakesite.Valid, up(200)},
		{"ends in ten days", fakesite.Expiring, up(200, check.AdvisoryTLSExpiring)},
		{"ended", fakesite.Expired, bad("expired")},
		{"begins tomorrow", fakesite.NotYetValid, bad("not_yet_valid")},
		{"self-signed", fakesite.SelfSigned, bad("self_signed")},
		{"unknown issuer", fakesite.UnknownIssuer, bad("unknown_issuer")},
		{"missing intermediate", fakesite.MissingIntermediate, bad("unknown_issuer")},
		{"expired intermediate", fakesite.ExpiredIntermediate, bad("expired")},
		{"certificate for clients", fakesite.WrongUsage, bad("wrong_usage")},
		{"issuer that may not issue", fakesite.NotAnIssuer, bad("unknown_issuer")},
		{"extension that must be understood", fakesite.UnknownCritical, bad("bad_certificate")},
		{"issuer for other names", fakesite.Constrained, bad("invalid_chain")},
		{"other host", fakesite.WrongHost, bad("wrong_host")},
		{"TLS 1.0 only", fakesite.TLS10, up(200, check.AdvisoryTLSDeprecated)},
		{"TLS 1.1 only", fakesite.TLS11, up(200, check.AdvisoryTLSDeprecated)},
		{"TLS 1.2 only", fakesite.TLS12, up(200)},
		{"X25519 only", fakesite.OnlyX25519, up(200)},
		{"X25519 only, TLS 1.2 only", fakesite.OnlyX25519TLS12, up(200)},
		{"P-384 only", fakesite.OnlyP384, up(200)},
		{"nothing in common", fakesite.NoCommonCipher, bad("handshake_failure")},
		{"wants a certificate of ours", fakesite.ClientCertificate, fails(check.FailureTLS, "client_certificate_required", 0, check.PhaseResponse)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			site := fakesite.NewTLS(t, c.variant)
			p := newProber(t, func(o *Options) { o.RootCAs = site.Roots() })
			o := probeInTime(t.Context(), t, p, check.Target{URL: site.URL()})
			if got := findingOf(o); !got.same(c.want) {
				t.Errorf("got %+v\nwant %+v\nof %+v", got, c.want, o)
			}
			// A server that cannot agree never shows its certificate.
			if o.CertificateExpire.IsZero() != (c.variant == fakesite.NoCommonCipher) {
				t.Errorf("certificate ends %v", o.CertificateExpire)
			}
			// Who issued a certificate is said of one that does not verify, and that somebody issued.
			issued := c.want.failure == check.FailureTLS && o.CertificateIssuer != ""
			if want := slices.Contains([]string{
				"expired", "not_yet_valid", "unknown_issuer", "wrong_usage", "bad_certificate", "invalid_chain", "wrong_host",
			}, c.want.reason); issued != want {
				t.Errorf("issued by %q", o.CertificateIssuer)
			}
		})
	}
}

func TestCertificateIsForTheNameAsked(t *testing.T) {
	t.Parallel()
	names := fakesite.NewDNS(t)
	site := fakesite.NewTLS(t, fakesite.Valid)
	p := newProber(t, func(o *Options) { o.RootCAs, o.Resolver = site.Roots(), names.Addr() })
	for name, want := range map[string]string{
		"example.test": "", "www.example.test": "", "WWW.example.test": "", "www.example.test.": "", "a.www.example.test": "wrong_host", "other.test": "wrong_host",
	} {
		names.Host(name, "127.0.0.1")
		o := probeInTime(t.Context(), t, p, check.Target{URL: site.At(name).URL()})
		if o.Reason != want {
			t.Errorf("%s: got %+v", name, o)
		}
	}
}

// TestDatesAreJudgedByTheClockGiven shows that Now decides, to the day.
func TestDatesAreJudgedByTheClockGiven(t *testing.T) {
	t.Parallel()
	site := fakesite.NewTLS(t, fakesite.Valid) // 90 days to go, 90 days old
	const day = 24 * time.Hour
	for _, c := range []struct {
		days     int
		reason   string
		expiring bool
	}{
		{-91, "not_yet_valid", false}, {-89, "", false}, {59, "", false}, {61, "", true}, {89, "", true}, {91, "expired", false},
	} {
		p := newProber(t, func(o *Options) {
			o.RootCAs = site.Roots()
			o.Now = func() time.Time { return time.Now().Add(time.Duration(c.days) * day) }
		})
		o := probeInTime(t.Context(), t, p, check.Target{URL: site.URL()})
		if o.Reason != c.reason || (len(o.Advisories) == 1) != c.expiring {
			t.Errorf("in %d days: %+v", c.days, o)
		}
	}
}

func TestHandshakesThatBreakOff(t *testing.T) {
	t.Parallel()
	onEngines(t, handshakesThatBreakOffOn, fast, portable, reference)
}

func handshakesThatBreakOffOn(t *testing.T, newProber maker) {
	for _, c := range []struct {
		name string
		peer func(net.Conn)
		want finding
	}{
		{"plain HTTP", func(c net.Conn) {
			readSome(c)
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		}, fails(check.FailureTLS, "not_tls", 0, check.PhaseTLS)},
		{"something else", func(c net.Conn) {
			_, _ = io.WriteString(c, "220 mail.example.test ESMTP\r\n")
			_, _ = io.Copy(io.Discard, c)
		}, fails(check.FailureTLS, "not_tls", 0, check.PhaseTLS)},
		{"close", func(c net.Conn) { readSome(c) }, fails(check.FailureTLS, "closed", 0, check.PhaseTLS)},
		{"reset", func(c net.Conn) {
			readSome(c)
			fakesite.Abort(c)
		}, fails(check.FailureTLS, "reset", 0, check.PhaseTLS)},
		{"silence", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, fails(check.FailureTimeout, "handshake", 0, check.PhaseTLS)},
		{"alert: no such version", alert(70), fails(check.FailureTLS, "protocol_version", 0, check.PhaseTLS)},
		{"alert: no such name", alert(112), fails(check.FailureTLS, "unrecognized_name", 0, check.PhaseTLS)},
		{"alert: internal error", alert(80), fails(check.FailureTLS, "internal_error", 0, check.PhaseTLS)},
		{"alert: anything", alert(47), fails(check.FailureTLS, "handshake_failure", 0, check.PhaseTLS)},
		{"half a record", func(c net.Conn) {
			readSome(c)
			_, _ = c.Write([]byte{22, 3, 3, 0, 90, 2})
		}, fails(check.FailureTLS, "closed", 0, check.PhaseTLS)},
		{"record of rubbish", func(c net.Conn) {
			readSome(c)
			_, _ = c.Write([]byte{22, 3, 3, 0, 4, 99, 0, 0, 0})
			_, _ = io.Copy(io.Discard, c)
		}, fails(check.FailureTLS, "handshake_failure", 0, check.PhaseTLS)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			site := fakesite.New(t)
			site.SetConn(c.peer)
			url := "https" + site.URL()[len("http"):]
			o := probeInTime(t.Context(), t, newProber(t), check.Target{URL: url, Timeout: 500 * time.Millisecond})
			if got := findingOf(o); !got.same(c.want) {
				t.Errorf("got %+v\nwant %+v\nof %+v", got, c.want, o)
			}
		})
	}
}

func readSome(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }

func alert(number byte) func(net.Conn) {
	return func(c net.Conn) {
		readSome(c)
		_, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, number})
		_, _ = io.Copy(io.Discard, c)
	}
}

// TestConnectionLostUnderTLS shows that a lost encrypted response is classified like a plain
// one.
func TestConnectionLostUnderTLS(t *testing.T) {
	t.Parallel()
	onEngines(t, connectionLostUnderTLSOn, fast, portable, reference)
}

func connectionLostUnderTLSOn(t *testing.T, newProber maker) {
	site := fakesite.NewTLS(t, fakesite.Valid)
	p := newProber(t, func(o *Options) { o.RootCAs = site.Roots() })
	for _, c := range []struct {
		name string
		peer func(net.Conn)
		want finding
	}{
		{"reset after the request", func(c net.Conn) {
			site.ReadRequest(c)
			fakesite.Abort(c)
		}, fails(check.FailureConnect, "reset", 0, check.PhaseResponse)},
		{"close after the request", func(c net.Conn) { site.ReadRequest(c) }, fails(check.FailureProtocol, "empty_reply", 0, check.PhaseResponse)},
		{"rubbish instead of the answer", func(c net.Conn) {
			site.ReadRequest(c)
			rubbish(c)
		}, fails(check.FailureConnect, "lost", 0, check.PhaseResponse)},
		{"rubbish in the body", func(c net.Conn) {
			site.ReadRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell")
			rubbish(c)
		}, fails(check.FailurePartial, "lost", 200, check.PhaseBody)},
		{"close without a goodbye in the body", func(c net.Conn) {
			site.ReadRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell")
			_ = c.(*tls.Conn).NetConn().Close()
		}, fails(check.FailurePartial, "cut_short", 200, check.PhaseBody)},
		{"close without a goodbye after a body without length", func(c net.Conn) {
			site.ReadRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nhello")
			_ = c.(*tls.Conn).NetConn().Close()
		}, up(200)},
	} {
		site.SetConn(c.peer)
		o := probeInTime(t.Context(), t, p, check.Target{URL: site.URL(), Settings: check.Settings{Method: check.MethodGet}})
		if got := findingOf(o); !got.same(c.want) {
			t.Errorf("%s: got %+v\nwant %+v\nof %+v", c.name, got, c.want, o)
		}
	}
}

// rubbish breaks the encryption.
func rubbish(c net.Conn) {
	raw := c.(*tls.Conn).NetConn()
	_, _ = raw.Write([]byte{23, 3, 3, 0, 32})
	_, _ = raw.Write(make([]byte, 32))
	_, _ = io.Copy(io.Discard, raw)
}

// TestNodeWithoutRoots shows that a node without roots does not call a site down.
func TestNodeWithoutRoots(t *testing.T) {
	t.Parallel()
	f := certificateFailure(&tls.CertificateVerificationError{Err: x509.SystemRootsError{}}, time.Now())
	if f.outcome != check.OutcomeUnknown || f.reason != "no_roots" {
		t.Errorf("got %+v", f)
	}
}

// TestPeerThatDoesNotRead uses a pipe as the connection, since the kernel's buffers would
// hold any request of ours.
func TestPeerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	defer theirs.Close()
	_ = ours.SetDeadline(time.Now().Add(20 * time.Millisecond))
	_, f := converse(ours, &request{wire: []byte("HEAD / HTTP/1.1\r\n\r\n")}, &trace{})
	if f == nil || f.kind != check.FailureTimeout || f.reason != "request" {
		t.Errorf("got %+v", f)
	}
}

func TestSystemRootsByDefault(t *testing.T) {
	t.Parallel()
	site := fakesite.NewTLS(t, fakesite.Valid)
	o := probeInTime(t.Context(), t, newProber(t), check.Target{URL: site.URL()})
	if o.Reason != "unknown_issuer" {
		t.Errorf("got %+v", o)
	}
	empty := newProber(t, func(o *Options) { o.RootCAs = x509.NewCertPool() })
	if o := probeInTime(t.Context(), t, empty, check.Target{URL: site.URL()}); o.Reason != "unknown_issuer" {
		t.Errorf("got %+v", o)
	}
}

func TestTLSOverIPv6(t *testing.T) {
	t.Parallel()
	onEngines(t, tLSOverIPv6On, fast, portable, reference)
}

func tLSOverIPv6On(t *testing.T, newProber maker) {
	site := fakesite.NewTLSOn(t, fakesite.Valid, netip.MustParseAddrPort("[::1]:0"))
	p := newProber(t, func(o *Options) { o.RootCAs = site.Roots() })
	o := probeInTime(t.Context(), t, p, check.Target{URL: site.URL()})
	if o.Outcome != check.OutcomeUp || o.ResolvedAddress != site.Addr().String() || o.Timing.TLS == 0 {
		t.Errorf("got %+v", o)
	}
}
