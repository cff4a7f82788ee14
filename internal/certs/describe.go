package certs

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"time"
)

// Description is what is told of a certificate.
type Description struct {
	// Authority says that the certificate signs others.
	Authority bool
	// Domain is the trust domain; Role and Name are what the certificate proves. Odd is why
	// it proves nothing. All are empty for an authority that records no domain.
	Domain, Role, Name, Odd string
	// Hosts are the names and addresses under which a server is dialled.
	Hosts []string
	// Usages are "server", "client".
	Usages []string
	// Issuer is the name of the authority that signed it, Serial and SHA256 are in hexadecimal.
	Issuer, Serial, SHA256 string
	From, Until            time.Time
}

// Describe tells what is in a certificate.
func Describe(c *x509.Certificate) Description {
	sum := sha256.Sum256(c.Raw)
	d := Description{
		Authority: c.IsCA, Hosts: c.DNSNames, Issuer: c.Issuer.CommonName, From: c.NotBefore, Until: c.NotAfter,
		Serial: hex.EncodeToString(c.SerialNumber.Bytes()), SHA256: hex.EncodeToString(sum[:]),
	}
	for _, ip := range c.IPAddresses {
		d.Hosts = append(d.Hosts, ip.String())
	}
	for _, usage := range c.ExtKeyUsage {
		switch usage {
		case x509.ExtKeyUsageServerAuth:
			d.Usages = append(d.Usages, "server")
		case x509.ExtKeyUsageClientAuth:
			d.Usages = append(d.Usages, "client")
		}
	}
	if c.IsCA {
		d.Domain, _ = authorityDomain(c) // another authority's certificate records none
		return d
	}
	var err error
	if d.Role, d.Name, err = Identity(c); err != nil {
		d.Odd = err.Error()
		return d
	}
	d.Domain = c.URIs[0].Host
	return d
}

// State says in a word how a certificate stands at a time: "not yet valid", "valid", "ends
// soon" or "expired".
func (d Description) State(now time.Time) string {
	switch {
	case now.Before(d.From):
		return "not yet valid"
	case now.After(d.Until):
		return "expired"
	case d.Until.Sub(now) < SoonLeft:
		return "ends soon"
	default:
		return "valid"
	}
}
