package certs

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// The files of a node, in a folder of its own.
const (
	nodeCert = "node.crt"
	nodeKey  = "node.key"
)

// Provide makes sure that a folder holds what a node needs: ca.crt, node.crt and node.key. A
// certificate that proves what is asked for, at those hosts, and lives for another spare time
// stays; fresh reports that there is a new one. The certificate of another node is never
// replaced.
func (a *Authority) Provide(dir string, r Request, spare time.Duration, now time.Time) (p Pair, fresh bool, err error) {
	p = Pair{CertFile: filepath.Join(dir, nodeCert), KeyFile: filepath.Join(dir, nodeKey)}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return p, false, err
	}
	if err := a.hand(filepath.Join(dir, authorityCert)); err != nil {
		return p, false, err
	}
	template, err := a.template(r, now)
	if err != nil {
		return p, false, err
	}
	if err := replaceable(p.CertFile, r); err != nil {
		return p, false, err
	}
	if p.Certificate = a.good(p, template, now.Add(spare)); p.Certificate != nil {
		return p, false, nil
	}
	err = a.make(&p, template, true)
	return p, err == nil, err
}

// hand gives a node the certificates of ca.crt, all that the authority's folder has.
func (a *Authority) hand(path string) error {
	text, err := readBounded(a.File())
	if err != nil {
		return err
	}
	if old, err := readBounded(path); err == nil && string(old) == string(text) {
		return nil
	}
	all, err := Parse(text)
	if err != nil {
		return fmt.Errorf("%s %w", a.File(), err)
	}
	blocks := make([]*pem.Block, len(all))
	for i, c := range all {
		blocks[i] = &pem.Block{Type: certBlock, Bytes: c.Raw}
	}
	return writeBlocks(path, blocks, 0o644, true)
}

// good returns the certificate of a pair that can stay until a time, or nil.
func (a *Authority) good(p Pair, template *x509.Certificate, until time.Time) *x509.Certificate {
	all, err := ReadFile(p.CertFile)
	if err != nil {
		return nil
	}
	if _, err := os.Stat(p.KeyFile); err != nil {
		return nil
	}
	c := all[0]
	same := slices.Equal(c.DNSNames, template.DNSNames) && slices.EqualFunc(c.IPAddresses, template.IPAddresses, net.IP.Equal) &&
		len(c.URIs) == 1 && c.URIs[0].String() == template.URIs[0].String()
	if !same || c.NotAfter.Before(until) || c.CheckSignatureFrom(a.cert) != nil {
		return nil
	}
	return c
}

// OpenOrInit opens the authority of a folder, or makes it where there is none.
func OpenOrInit(dir, domain string, now time.Time) (a *Authority, fresh bool, err error) {
	_, keyErr := os.Lstat(filepath.Join(dir, authorityKey))
	_, certErr := os.Lstat(filepath.Join(dir, authorityCert))
	if errors.Is(keyErr, fs.ErrNotExist) && errors.Is(certErr, fs.ErrNotExist) {
		a, err = Init(dir, domain, now)
		return a, err == nil, err
	}
	if a, err = Open(dir); err == nil && domain != "" && a.domain != domain {
		return nil, false, fmt.Errorf("the authority in %s is that of %s, not of %s", dir, a.domain, domain)
	}
	return a, false, err
}
