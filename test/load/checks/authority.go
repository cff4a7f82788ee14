//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// authority issues certificates, all ECDSA P-256.
type authority struct {
	root    *tls.Certificate
	issuers []*tls.Certificate
}

// newAuthority makes a root and its issuers.
func newAuthority(issuers int) (*authority, error) {
	root, err := issue(nil, caTemplate())
	if err != nil {
		return nil, err
	}
	a := &authority{root: root}
	for range issuers {
		issuer, err := issue(root, caTemplate())
		if err != nil {
			return nil, err
		}
		a.issuers = append(a.issuers, issuer)
	}
	return a, nil
}

// pem returns the root.
func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Leaf.Raw}))
}

// leaf issues a certificate by one of the issuers, with the chain that a server shows.
func (a *authority) leaf(number int, c *x509.Certificate) (*tls.Certificate, error) {
	issuer := a.issuers[number%len(a.issuers)]
	made, err := issue(issuer, c)
	if err != nil {
		return nil, err
	}
	made.Certificate = append(made.Certificate, issuer.Certificate[0])
	return made, nil
}

func caTemplate() *x509.Certificate {
	return &x509.Certificate{
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(5, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

// leafTemplate resembles the certificate of a usual site, in size, too: the extension takes
// the place of two signed timestamps.
func leafTemplate(names ...string) *x509.Certificate {
	stamps := make([]byte, 240)
	_, _ = rand.Read(stamps)
	return &x509.Certificate{
		NotBefore: time.Now().AddDate(0, 0, -30), NotAfter: time.Now().AddDate(0, 0, 60),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: names,
		OCSPServer: []string{"http://ocsp.issuer.test"}, IssuingCertificateURL: []string{"http://issuer.test/issuer.cer"},
		CRLDistributionPoints: []string{"http://crl.issuer.test/1.crl"},
		ExtraExtensions:       []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: stamps}},
	}
}

// addressTemplate is a certificate for the target's addresses.
func addressTemplate() *x509.Certificate {
	c := leafTemplate()
	for i := range addresses {
		c.IPAddresses = append(c.IPAddresses, net.IP(address(i).AsSlice()))
	}
	return c
}

// issue makes a key and its certificate; without an issuer it signs itself.
func issue(issuer *tls.Certificate, c *x509.Certificate) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	if c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	c.Subject = pkix.Name{CommonName: "target " + c.SerialNumber.String()}
	parent, signer := c, any(key)
	if issuer != nil {
		parent, signer = issuer.Leaf, issuer.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read a certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: made}, nil
}
