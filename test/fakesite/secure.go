package fakesite

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"testing"
	"time"
)

// Variant selects the certificate and TLS behaviour of a site.
type Variant int

// The variants. All except SelfSigned and UnknownIssuer have a certificate from the
// authority in Site.Roots.
const (
	// Valid is a leaf from an intermediate from a known root, with 90 days to go.
	Valid Variant = iota
	// Expiring has ten days to go.
	Expiring
	// Expired is a certificate that expired yesterday.
	Expired
	// NotYetValid is a certificate that becomes valid tomorrow.
	NotYetValid
	// SelfSigned is a self-signed certificate.
	SelfSigned
	// UnknownIssuer is a certificate from an unknown root.
	UnknownIssuer
	// WrongHost is a certificate for another name.
	WrongHost
	// TLS10 is valid, but the server speaks only TLS 1.0.
	TLS10
	// TLS11 is valid, but the server speaks only TLS 1.1.
	TLS11
	// TLS12 is valid, but the server speaks only TLS 1.2.
	TLS12
	// ClientCertificate is a server that asks for a client certificate.
	ClientCertificate
	// NoCommonCipher is a server that shares no cipher suite with clients.
	NoCommonCipher
	// MissingIntermediate is a server that sends only the leaf.
	MissingIntermediate
	// ExpiredIntermediate is a good leaf from an intermediate that expired yesterday.
	ExpiredIntermediate
	// WrongUsage is a certificate for clients.
	WrongUsage
	// BadResumption is valid, but the server fails when a session is resumed.
	BadResumption
	// UnknownCritical is a certificate with an unknown critical extension.
	UnknownCritical
	// Constrained is a certificate from an issuer that may issue only for other names.
	Constrained
	// NotAnIssuer is a certificate issued by one that may not issue others.
	NotAnIssuer
	// OnlyX25519 is valid, but the server knows no other curve.
	OnlyX25519
	// OnlyX25519TLS12 is the same with TLS 1.2.
	OnlyX25519TLS12
	// OnlyP384 is valid, but the server knows only a curve whose key clients do not send first.
	OnlyP384
)

// certName is the host of the certificates, which are also for any name directly under it,
// for 127.0.0.1 and for ::1.
const certName = "example.test"

// NewTLS starts a TLS site on 127.0.0.1 that answers 200. The host in its URL is the
// address; use At for a name.
func NewTLS(t testing.TB, v Variant) *Site {
	t.Helper()
	return NewTLSOn(t, v, netip.MustParseAddrPort("127.0.0.1:0"))
}

// NewTLSOn starts a TLS site on a loopback address.
func NewTLSOn(t testing.TB, v Variant, addr netip.AddrPort) *Site {
	t.Helper()
	config, roots := v.Config(t)
	s := start(t, addr, config)
	s.roots = roots
	return s
}

// NewTLSWith starts a TLS site on 127.0.0.1 after a change to its configuration.
func NewTLSWith(t testing.TB, v Variant, change func(*tls.Config)) *Site {
	t.Helper()
	config, roots := v.Config(t)
	change(config)
	s := start(t, netip.MustParseAddrPort("127.0.0.1:0"), config)
	s.roots = roots
	return s
}

// At puts a name into the site's URL and returns the site.
func (s *Site) At(name string) *Site {
	s.name = name
	return s
}

// Roots returns the roots that a client must trust to accept a Valid site.
func (s *Site) Roots() *x509.CertPool { return s.roots }

// Config returns a server's configuration and the roots that a client must trust to accept a
// Valid one.
func (v Variant) Config(t testing.TB) (*tls.Config, *x509.CertPool) {
	t.Helper()
	now := time.Now()
	root := issue(t, nil, ca("fakesite root", now))
	between := issue(t, &root, v.intermediate(now))
	roots := x509.NewCertPool()
	roots.AddCert(root.Leaf)
	if v == UnknownIssuer {
		roots = x509.NewCertPool()
		known := issue(t, nil, ca("fakesite other root", now))
		roots.AddCert(known.Leaf)
	}
	leaf := issue(t, v.issuer(&between), v.leaf(now))
	if v != SelfSigned && v != MissingIntermediate {
		leaf.Certificate = append(leaf.Certificate, between.Certificate[0])
	}
	c := &tls.Config{Certificates: []tls.Certificate{leaf}, MinVersion: tls.VersionTLS12}
	switch v {
	case TLS10:
		c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	case TLS11:
		c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11
	case TLS12:
		c.MaxVersion = tls.VersionTLS12
	case ClientCertificate:
		c.ClientAuth = tls.RequireAnyClientCert
	case BadResumption:
		c.UnwrapSession = func([]byte, tls.ConnectionState) (*tls.SessionState, error) {
			return nil, errors.New("fakesite: no resumption")
		}
	case OnlyX25519TLS12:
		c.MaxVersion, c.CurvePreferences = tls.VersionTLS12, []tls.CurveID{tls.X25519}
	case OnlyX25519:
		c.CurvePreferences = []tls.CurveID{tls.X25519}
	case OnlyP384:
		c.CurvePreferences = []tls.CurveID{tls.CurveP384}
	case NoCommonCipher:
		// This is an RSA suite with a key that is not RSA.
		c.MaxVersion = tls.VersionTLS12
		c.CipherSuites = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	}
	return c, roots
}

func (v Variant) intermediate(now time.Time) *x509.Certificate {
	c := ca("fakesite intermediate", now)
	switch v {
	case ExpiredIntermediate:
		c.NotAfter = now.AddDate(0, 0, -1)
	case NotAnIssuer:
		c.IsCA = false
	case Constrained:
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"other.test"}, true
	}
	return c
}

func (v Variant) issuer(between *tls.Certificate) *tls.Certificate {
	if v == SelfSigned {
		return nil
	}
	return between
}

func (v Variant) leaf(now time.Time) *x509.Certificate {
	const day = 24 * time.Hour
	c := &x509.Certificate{
		Subject:     pkix.Name{CommonName: certName},
		DNSNames:    []string{certName, "*." + certName},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:   now.Add(-90 * day),
		NotAfter:    now.Add(90 * day),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	switch v {
	case Expiring:
		c.NotAfter = now.Add(10 * day)
	case Expired:
		c.NotAfter = now.Add(-day)
	case NotYetValid:
		c.NotBefore = now.Add(day)
	case WrongUsage:
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	case UnknownCritical:
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{5, 0}}}
	case WrongHost:
		c.DNSNames, c.IPAddresses = []string{"other.test"}, nil
	}
	return c
}

func ca(name string, now time.Time) *x509.Certificate {
	return &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.AddDate(-1, 0, 0),
		NotAfter:              now.AddDate(10, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
}

// issue makes a key and a certificate; without an issuer it is self-signed.
func issue(t testing.TB, issuer *tls.Certificate, c *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("fakesite: %v", err)
	}
	if c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		t.Fatalf("fakesite: %v", err)
	}
	parent, signer := c, any(key)
	if issuer != nil {
		parent, signer = issuer.Leaf, issuer.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatalf("fakesite: %v", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatalf("fakesite: %v", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
