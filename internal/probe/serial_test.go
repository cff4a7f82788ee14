package probe

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// TestNegativeSerialNumber shows that a leaf whose serial number is below 0 is UP, as in
// browsers, and that it must be good otherwise.
func TestNegativeSerialNumber(t *testing.T) {
	t.Parallel()
	issuer, certificate := negativeSerial(t)
	onEngines(t, func(t *testing.T, newProber maker) {
		for _, c := range []struct {
			name    string
			trusted bool
			want    finding
		}{
			{"of a known issuer", true, up(200)},
			{"of an unknown issuer", false, fails(check.FailureTLS, "unknown_issuer", 0, check.PhaseTLS)},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				site := fakesite.NewTLSWith(t, fakesite.Valid, func(config *tls.Config) {
					config.Certificates = []tls.Certificate{certificate}
				})
				roots := x509.NewCertPool()
				if c.trusted {
					roots.AddCert(issuer)
				}
				p := newProber(t, func(o *Options) { o.RootCAs = roots })
				o := probeInTime(t.Context(), t, p, check.Target{URL: site.URL()})
				if got := findingOf(o); !got.same(c.want) {
					t.Errorf("got %+v\nwant %+v\nof %+v", got, c.want, o)
				}
			})
		}
	}, fast, portable, reference)
}

// negativeSerial returns an issuer and a certificate of it for loopback with the serial number
// -123. crypto/x509 makes none, so the number is changed and the certificate signed again.
func negativeSerial(t *testing.T) (issuer *x509.Certificate, _ tls.Certificate) {
	t.Helper()
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	issuerKey, key := newKey(), newKey()
	sign := func(template, parent *x509.Certificate, public any) *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, template, parent, public, issuerKey)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	from, until := time.Now().Add(-time.Hour), time.Now().AddDate(0, 3, 0)
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	issuer = sign(root, root, issuerKey.Public())
	leaf := sign(&x509.Certificate{SerialNumber: big.NewInt(5), NotBefore: from, NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, DNSNames: []string{"localhost"}}, issuer, key.Public())
	said := bytes.Replace(leaf.RawTBSCertificate, []byte{2, 1, 5}, []byte{2, 1, 0x85}, 1)
	digest := sha256.Sum256(said)
	signature, err := issuerKey.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(struct {
		Said      asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: said}, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}},
		asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	if err != nil {
		t.Fatal(err)
	}
	return issuer, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
