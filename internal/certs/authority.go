package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// The files of an authority, in its folder.
const (
	authorityCert = "ca.crt"
	authorityKey  = "ca.key"
)

const (
	// DefaultDomain is the trust domain of an authority that is given none.
	DefaultDomain = "jetmon"
	// authorityYears is how long an authority lives.
	authorityYears = 10
	// backdated is how long ago certificates begin, so that a clock that is a little slow
	// takes them.
	backdated = 5 * time.Minute
	// serialBits is the length of the random serial numbers.
	serialBits = 128
)

// Authority signs certificates. Its key lies in a file, and no longer than needed in memory.
type Authority struct {
	dir    string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	domain string
}

// Init makes an authority: its certificate ca.crt and its key ca.key in a folder, which it
// makes where there is none. An empty domain stands for DefaultDomain. It overwrites nothing.
func Init(dir, domain string, now time.Time) (*Authority, error) {
	if domain == "" {
		domain = DefaultDomain
	}
	if err := checkDomain(domain); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		// Two authorities of one domain have different names, for programs that find an
		// issuer by its name alone.
		Subject:               pkix.Name{CommonName: fmt.Sprintf("Jetmon CA %s %.8x", domain[:min(len(domain), 32)], serial.Bytes())},
		NotBefore:             now.Add(-backdated),
		NotAfter:              now.AddDate(authorityYears, 0, 0),
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		URIs:                  []*url.URL{{Scheme: scheme, Host: domain}},
	}
	cert, err := sign(template, template, key, key)
	if err != nil {
		return nil, err
	}
	a := &Authority{dir: dir, cert: cert, key: key, domain: domain}
	return a, writePair(Pair{Certificate: cert, CertFile: a.File(), KeyFile: a.KeyFile()}, key, false)
}

// Open reads the authority of a folder. Its ca.crt may hold more certificates: that of ca.key
// counts.
func Open(dir string) (*Authority, error) {
	key, err := readKey(filepath.Join(dir, authorityKey))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w (`jetmon certs init --dir %s` makes an authority)", err, dir)
	}
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, authorityCert)
	all, err := ReadFile(file)
	if err != nil {
		return nil, err
	}
	for _, cert := range all {
		if !key.PublicKey.Equal(cert.PublicKey) {
			continue
		}
		domain, err := authorityDomain(cert)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		return &Authority{dir: dir, cert: cert, key: key, domain: domain}, nil
	}
	return nil, fmt.Errorf("%s holds no certificate of the key %s", file, authorityKey)
}

// authorityDomain returns the trust domain that an authority's certificate records.
func authorityDomain(cert *x509.Certificate) (string, error) {
	if !cert.IsCA || len(cert.URIs) != 1 {
		return "", errors.New("is not an authority's certificate that `jetmon certs init` made")
	}
	domain, path, err := readID(cert.URIs[0])
	if err == nil && path != "" {
		err = errors.New("must end with the trust domain")
	}
	if err != nil {
		return "", fmt.Errorf("the authority's URI %w", err)
	}
	return domain, nil
}

// Domain returns the trust domain of the authority.
func (a *Authority) Domain() string { return a.domain }

// Certificate returns the authority's certificate.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// File returns the file of the authority's certificate, which every role gets.
func (a *Authority) File() string { return filepath.Join(a.dir, authorityCert) }

// KeyFile returns the file of the authority's key, which stays where it is.
func (a *Authority) KeyFile() string { return filepath.Join(a.dir, authorityKey) }

func newSerial() (*big.Int, error) {
	limit := new(big.Int).Lsh(big.NewInt(1), serialBits)
	return rand.Int(rand.Reader, limit.Sub(limit, big.NewInt(1)))
}

// sign makes a certificate of key, signed by the issuer, and reads it again.
func sign(template, issuer *x509.Certificate, key, issuerKey *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return x509.ParseCertificate(der)
}
