package certs

import (
	"crypto/x509"
	"time"
)

// SoonLeft is how long before its end a certificate needs attention.
const SoonLeft = 14 * 24 * time.Hour

// ChainEnd returns when a certificate with its chain ends: when the first of them does.
func ChainEnd(chain []*x509.Certificate) time.Time {
	end := chain[0].NotAfter
	for _, c := range chain {
		if c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return end
}

// AuthoritiesEnd returns when the last of several authorities ends: while one is replaced,
// the old one and the new one are trusted.
func AuthoritiesEnd(all []*x509.Certificate) time.Time {
	end := all[0].NotAfter
	for _, c := range all {
		if c.NotAfter.After(end) {
			end = c.NotAfter
		}
	}
	return end
}
