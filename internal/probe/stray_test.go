package probe

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// TestStrayCertificates shows that a certificate that no chain needs does not matter,
// whatever is wrong with it, and that the others do.
func TestStrayCertificates(t *testing.T) {
	t.Parallel()
	onEngines(t, strayCertificatesOn, fast, portable, reference)
}

func strayCertificatesOn(t *testing.T, newProber maker) {
	other := func(v fakesite.Variant) []byte {
		config, _ := v.Config(t)
		return config.Certificates[0].Certificate[0]
	}
	expired, selfSigned := other(fakesite.Expired), other(fakesite.SelfSigned)
	old := func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }
	new13 := func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }
	bad := func(reason string) finding { return fails(check.FailureTLS, reason, 0, check.PhaseTLS) }
	hello := check.Settings{RequiredTexts: []string{"status 200"}}
	for _, c := range []struct {
		name    string
		variant fakesite.Variant
		stray   []byte
		change  func(*tls.Config)
		want    finding
	}{
		{"expired", fakesite.Valid, expired, nil, up(200)},
		{"of another root", fakesite.Valid, selfSigned, nil, up(200)},
		{"no certificate at all", fakesite.Valid, []byte("-----BEGIN CERTIFICATE-----"), nil, up(200)},
		{"of no bytes", fakesite.Valid, []byte{}, nil, up(200)},
		{"cut off", fakesite.Valid, expired[:len(expired)-9], nil, up(200)},
		{"with something behind", fakesite.Valid, append(append([]byte{}, expired...), 0), nil, up(200)},
		{"with a key of 9000 bits", fakesite.Valid, largeKey(t), nil, up(200)},
		{"cut off, of TLS 1.2", fakesite.Valid, expired[:99], old, up(200)},
		{"cut off, with AES-256 only", fakesite.Valid, expired[:99], func(c *tls.Config) {
			old(c)
			c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}
		}, up(200)},
		{"cut off, with P-256 only", fakesite.Valid, expired[:99], func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP256} }, up(200)},
		{"cut off, where a client certificate is wanted", fakesite.Valid, expired[:99], func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert }, up(200)},
		{"cut off, where one is required", fakesite.Valid, expired[:99], func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }, bad("handshake_failure")},
		{"cut off, behind an expired leaf", fakesite.Expired, expired[:99], nil, bad("expired")},
		{"cut off, behind a leaf for another host", fakesite.WrongHost, expired[:99], nil, bad("wrong_host")},
		{"cut off, in place of the issuer", fakesite.MissingIntermediate, expired[:99], nil, bad("unknown_issuer")},
		{"cut off, where only TLS 1.3 is spoken", fakesite.Valid, expired[:99], new13, up(200)},
		{"with a key of 9000 bits, where only TLS 1.3 is spoken", fakesite.Valid, largeKey(t), new13, up(200)},
		{"cut off, behind an expired leaf, of TLS 1.3", fakesite.Expired, expired[:99], new13, bad("expired")},
		{"cut off, behind a leaf for another host, of TLS 1.3", fakesite.WrongHost, expired[:99], new13, bad("wrong_host")},
		{"cut off, in place of the issuer, of TLS 1.3", fakesite.MissingIntermediate, expired[:99], new13, bad("unknown_issuer")},
		{"cut off, where a client certificate is wanted, of TLS 1.3", fakesite.Valid, expired[:99], func(c *tls.Config) {
			new13(c)
			c.ClientAuth = tls.RequestClientCert
		}, up(200)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			site := fakesite.NewTLSWith(t, c.variant, func(config *tls.Config) {
				config.Certificates[0].Certificate = append(config.Certificates[0].Certificate, c.stray)
				if c.change != nil {
					c.change(config)
				}
			})
			p := newProber(t, func(o *Options) { o.RootCAs = site.Roots() })
			o := probeInTime(t.Context(), t, p, check.Target{URL: site.URL(), Settings: hello})
			if got := findingOf(o); !got.same(c.want) {
				t.Errorf("got %+v\nwant %+v\nof %+v", got, c.want, o)
			}
			if o.CertificateExpire.IsZero() && c.want.reason != "handshake_failure" {
				t.Errorf("no end of the certificate: %+v", o)
			}
		})
	}
}

// largeKey returns a certificate whose RSA key is beyond what crypto/tls accepts.
func largeKey(t *testing.T) []byte {
	t.Helper()
	config, _ := fakesite.SelfSigned.Config(t)
	template := config.Certificates[0].Leaf
	modulus := new(big.Int).SetBit(big.NewInt(1), 9000, 1)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &rsa.PublicKey{N: modulus, E: 65537}, config.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestLeafThatCannotBeRead shows that a server's own certificate does matter.
func TestLeafThatCannotBeRead(t *testing.T) {
	t.Parallel()
	site := fakesite.NewTLSWith(t, fakesite.Valid, func(config *tls.Config) {
		leaf := config.Certificates[0].Certificate[0]
		config.Certificates[0].Certificate[0] = leaf[:len(leaf)-9]
	})
	p := newProber(t, func(o *Options) { o.RootCAs = site.Roots() })
	o := probeInTime(t.Context(), t, p, check.Target{URL: site.URL()})
	if o.Outcome != check.OutcomeDown || o.Failure != check.FailureTLS {
		t.Errorf("got %+v", o)
	}
}
