package probe

import (
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// counted makes a site count all its handshakes and those that resumed a session.
func counted(site *fakesite.Site) (all, resumed *atomic.Int32) {
	all, resumed = new(atomic.Int32), new(atomic.Int32)
	site.SetConn(func(c net.Conn) {
		if site.ReadRequest(c) == nil {
			return
		}
		all.Add(1)
		if c.(*tls.Conn).ConnectionState().DidResume {
			resumed.Add(1)
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	})
	return all, resumed
}

func TestSessionsAreResumed(t *testing.T) {
	t.Parallel()
	onEngines(t, sessionsAreResumedOn, fast, portable)
}

func sessionsAreResumedOn(t *testing.T, newProber maker) {
	for _, c := range []struct {
		name    string
		variant fakesite.Variant
		bytes   int64
		// after is the pause before each further check.
		after   time.Duration
		resumed int32
	}{
		{"always within minutes", fakesite.Valid, 0, 2 * time.Minute, 3},
		{"of TLS 1.2 as well", fakesite.TLS12, 0, 2 * time.Minute, 3},
		{"not after ten minutes", fakesite.Valid, 0, 10 * time.Minute, 0},
		{"each second time in five minutes", fakesite.Valid, 0, 5 * time.Minute, 2},
		{"and in a little less", fakesite.Valid, 0, 5*time.Minute - 10*time.Second, 2},
		{"not when they are switched off", fakesite.Valid, -1, time.Minute, 0},
		{"not when there is no room for one", fakesite.Valid, 100, time.Minute, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			site := fakesite.NewTLS(t, c.variant)
			all, resumed := counted(site)
			now := time.Now()
			p := newProber(t, func(o *Options) {
				o.RootCAs, o.SessionCacheBytes, o.Now = site.Roots(), c.bytes, func() time.Time { return now }
			})
			var first check.Observation
			for i := range 4 {
				o := probeInTime(t.Context(), t, p, check.Target{URL: site.URL(), Settings: check.Settings{Method: check.MethodGet}})
				if i == 0 {
					first = o
				}
				if !findingOf(o).same(up(200)) || !o.CertificateExpire.Equal(first.CertificateExpire) || o.CertificateExpire.IsZero() {
					t.Errorf("check %d: %+v", i, o)
				}
				now = now.Add(c.after)
			}
			if all.Load() != 4 || resumed.Load() != c.resumed {
				t.Errorf("%d of %d handshakes resumed, want %d", resumed.Load(), all.Load(), c.resumed)
			}
		})
	}
}

// TestCertificateThatEndsIsSeenInSpiteOfItsSession shows that neither a session nor a cached
// chain outlives its certificate.
func TestCertificateThatEndsIsSeenInSpiteOfItsSession(t *testing.T) {
	t.Parallel()
	site := fakesite.NewTLS(t, fakesite.Valid) // 90 days to go
	_, resumed := counted(site)
	now := time.Now().Add(90*24*time.Hour - 7*time.Minute)
	p := newProber(t, func(o *Options) { o.RootCAs, o.Now = site.Roots(), func() time.Time { return now } })
	for i, want := range []finding{
		up(200, check.AdvisoryTLSExpiring), up(200, check.AdvisoryTLSExpiring),
		fails(check.FailureTLS, "expired", 0, check.PhaseTLS),
	} {
		o := probeInTime(t.Context(), t, p, check.Target{URL: site.URL(), Settings: check.Settings{Method: check.MethodGet}})
		if got := findingOf(o); !got.same(want) {
			t.Errorf("check %d: got %+v\nwant %+v", i, got, want)
		}
		now = now.Add(5 * time.Minute)
	}
	if resumed.Load() != 1 {
		t.Errorf("%d handshakes resumed, want 1", resumed.Load())
	}
}

// TestCertificateThatChangesIsSeenWithinTenMinutes checks a server that goes on resuming
// sessions and shows a certificate for another name to all others.
func TestCertificateThatChangesIsSeenWithinTenMinutes(t *testing.T) {
	t.Parallel()
	onEngines(t, certificateThatChangesOn, fast, portable)
}

func certificateThatChangesOn(t *testing.T, newProber maker) {
	other, _ := fakesite.WrongHost.Config(t)
	for _, between := range []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 5*time.Minute - time.Second, 10 * time.Minute} {
		var changed atomic.Bool
		site := fakesite.NewTLSWith(t, fakesite.Valid, func(c *tls.Config) {
			good := c.Certificates[0]
			c.Certificates, c.GetCertificate = nil, func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				if changed.Load() {
					return &other.Certificates[0], nil
				}
				return &good, nil
			}
		})
		counted(site)
		now := time.Now()
		p := newProber(t, func(o *Options) { o.RootCAs, o.Now = site.Roots(), func() time.Time { return now } })
		get := check.Target{URL: site.URL(), Settings: check.Settings{Method: check.MethodGet}}
		if o := probeInTime(t.Context(), t, p, get); !findingOf(o).same(up(200)) {
			t.Fatalf("%+v", o)
		}
		changed.Store(true)
		begun := now
		for o := (check.Observation{}); o.Reason != "wrong_host"; {
			if now = now.Add(between); now.Sub(begun) > 10*time.Minute {
				t.Errorf("every %v: not seen within %v", between, now.Sub(begun))
				break
			}
			o = probeInTime(t.Context(), t, p, get)
		}
	}
}

// TestResumptionThatFailsIsNotTheSitesFault shows that a full handshake follows in the same
// check.
func TestResumptionThatFailsIsNotTheSitesFault(t *testing.T) {
	t.Parallel()
	site := fakesite.NewTLS(t, fakesite.BadResumption)
	p := newProber(t, func(o *Options) { o.RootCAs = site.Roots() })
	get := check.Target{URL: site.URL(), Settings: check.Settings{Method: check.MethodGet}}
	for i := range 4 {
		if o := probeInTime(t.Context(), t, p, get); !findingOf(o).same(up(200)) {
			t.Errorf("check %d: %+v", i, o)
		}
	}
	if n := site.Requests("GET"); n != 4 {
		t.Errorf("%d requests", n)
	}
}

// TestSessionsOfOtherPortsAreOthers shows that each port has its own session, as each may
// have another server.
func TestSessionsOfOtherPortsAreOthers(t *testing.T) {
	t.Parallel()
	one, two := fakesite.NewTLS(t, fakesite.Valid), fakesite.NewTLS(t, fakesite.SelfSigned)
	counted(one)
	p := newProber(t, func(o *Options) { o.RootCAs = one.Roots() })
	for range 2 {
		for url, want := range map[string]string{one.URL(): "", two.URL(): "self_signed"} {
			if o := probeInTime(t.Context(), t, p, check.Target{URL: url}); o.Reason != want {
				t.Errorf("%s: %+v", url, o)
			}
		}
	}
}

// TestSessionIsForItsHostOnly shows that a server cannot use the session of a name for which
// it has a certificate under a name for which it has none.
func TestSessionIsForItsHostOnly(t *testing.T) {
	t.Parallel()
	names := fakesite.NewDNS(t)
	site := fakesite.NewTLS(t, fakesite.Valid)
	_, resumed := counted(site)
	p := newProber(t, func(o *Options) { o.RootCAs, o.Resolver = site.Roots(), names.Addr() })
	for range 3 {
		for name, want := range map[string]string{"example.test": "", "other.test": "wrong_host"} {
			names.Host(name, "127.0.0.1")
			if o := probeInTime(t.Context(), t, p, check.Target{URL: site.At(name).URL()}); o.Reason != want {
				t.Errorf("%s: %+v", name, o)
			}
		}
	}
	if resumed.Load() != 2 {
		t.Errorf("%d handshakes resumed, want 2", resumed.Load())
	}
}

func TestVerifiedChainsAreRemembered(t *testing.T) {
	t.Parallel()
	site := fakesite.NewTLS(t, fakesite.Valid)
	conn, err := tls.Dial("tcp", site.Addr().String(), &tls.Config{RootCAs: site.Roots(), ServerName: "example.test"})
	if err != nil {
		t.Fatal(err)
	}
	shown := conn.ConnectionState().PeerCertificates
	_ = conn.Close()
	now := time.Now()
	c := newChains(site.Roots(), func() time.Time { return now })
	verify := func(host string) error { _, err := c.verify(host, shown); return err }
	for range 2 {
		if err := verify("example.test"); err != nil {
			t.Fatal(err)
		}
	}
	if err := verify("other.test"); err == nil {
		t.Error("good for another host")
	}
	if len(c.good) != 1 {
		t.Errorf("%d remembered, want 1", len(c.good))
	}
	for range 2 { // its end and its beginning count although it is remembered
		now = shown[0].NotAfter.Add(time.Second)
		if verify("example.test") == nil {
			t.Error("good after its end")
		}
		now = shown[0].NotBefore.Add(-time.Second)
		if verify("example.test") == nil {
			t.Error("good before its beginning")
		}
	}
	if _, err := c.verify("example.test", nil); err == nil {
		t.Error("nothing is good")
	}
	for i := range maxChains + 100 {
		c.remember(chainKey{byte(i), byte(i >> 8), byte(i >> 16)}, validity{0, 1})
	}
	if len(c.good) != maxChains {
		t.Errorf("%d remembered, want %d", len(c.good), maxChains)
	}
}
