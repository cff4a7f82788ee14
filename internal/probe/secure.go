package probe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// secure makes TLS client configurations.
type secure struct {
	base *tls.Config
	now  func() time.Time
}

// newSecure sets what all handshakes have in common. Old versions and cipher suites
// are offered because a site that speaks nothing newer is up; it gets an advisory.
// X25519 alone is offered first: it is what a handshake costs least with, and servers
// that lack it ask for another curve of the list.
func newSecure(roots *x509.CertPool, now func() time.Time) *secure {
	var suites []uint16
	for _, s := range tls.CipherSuites() {
		suites = append(suites, s.ID)
	}
	for _, s := range tls.InsecureCipherSuites() {
		suites = append(suites, s.ID)
	}
	return &secure{now: now, base: &tls.Config{
		RootCAs:          roots,
		Time:             now,
		MinVersion:       tls.VersionTLS10,
		CipherSuites:     suites,
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
		NextProtos:       []string{"http/1.1"},
		// Old servers ask for it before they decide about client certificates.
		Renegotiation: tls.RenegotiateOnceAsClient,
	}}
}

// config is the configuration for one host.
func (s *secure) config(host string) *tls.Config {
	c := s.base.Clone()
	c.ServerName = host
	return c
}

// leafEnd is the end of the leaf's validity, known also when the chain did not verify.
func leafEnd(state tls.ConnectionState, err error) time.Time {
	chain := state.PeerCertificates
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		chain = e.UnverifiedCertificates
	}
	if len(chain) == 0 {
		return time.Time{}
	}
	return chain[0].NotAfter.UTC()
}
