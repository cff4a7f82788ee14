package certs

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/access"
)

// Bounds of a request.
const (
	// DefaultLife is how long a certificate lives that is asked for without an end, LeastLife
	// the least that can be asked for.
	DefaultLife = 90 * 24 * time.Hour
	LeastLife   = time.Minute
	maxHosts    = 100
	// maxCommonName bounds a subject's common name (RFC 5280, ub-common-name).
	maxCommonName = 64
)

// Request asks an authority for a certificate.
type Request struct {
	// Role is what the certificate proves, Name the name of the node or caller.
	Role access.Role
	Name string
	// Hosts are the names and addresses by which clients dial a server.
	Hosts []string
	// Life is how long the certificate lives; 0 stands for DefaultLife.
	Life time.Duration
	// Replace allows overwriting the certificate and key of that name.
	Replace bool
}

// Pair is an issued certificate with its files.
type Pair struct {
	Certificate       *x509.Certificate
	CertFile, KeyFile string
}

// Usages returns what the certificates of a role are good for: to serve, to dial.
func Usages(role access.Role) []x509.ExtKeyUsage {
	switch role {
	case access.Coordinator, access.Gateway:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	case access.Veriflier:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	default:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
}

// serves reports whether a role is a server.
func serves(role access.Role) bool { return Usages(role)[0] == x509.ExtKeyUsageServerAuth }

// Issue makes a key and a certificate for it, NAME.key and NAME.crt in the authority's
// folder.
func (a *Authority) Issue(r Request, now time.Time) (Pair, error) {
	template, err := a.template(r, now)
	if err != nil {
		return Pair{}, err
	}
	p := Pair{CertFile: filepath.Join(a.dir, r.Name+".crt"), KeyFile: filepath.Join(a.dir, r.Name+".key")}
	if r.Replace {
		if err := replaceable(p.CertFile, r); err != nil {
			return Pair{}, err
		}
	}
	if err := a.make(&p, template, r.Replace); err != nil {
		return Pair{}, err
	}
	return p, nil
}

// make makes a key and a certificate for it, and writes both into the files of p.
func (a *Authority) make(p *Pair, template *x509.Certificate, replace bool) (err error) {
	if template.SerialNumber, err = newSerial(); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if p.Certificate, err = sign(template, a.cert, key, a.key); err != nil {
		return err
	}
	return writePair(*p, key, replace)
}

// replaceable checks that a file may be overwritten: it is not there, or proves what is
// asked for.
func replaceable(file string, r Request) error {
	old, err := ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if role, name, err := Identity(old[0]); err != nil || role != r.Role || name != r.Name {
		return fmt.Errorf("%s is no certificate of the %s %s, and is not replaced", file, r.Role, r.Name)
	}
	return nil
}

// Validate checks what a request asks for, as far as that can be said without an authority.
func (r Request) Validate() error {
	_, unknown := access.ParseRole(string(r.Role))
	if err := errors.Join(unknown, CheckName(r.Name)); err != nil {
		return err
	}
	switch {
	case strings.EqualFold(r.Name+".crt", authorityCert):
		return fmt.Errorf("the name %s would have the authority's files", r.Name)
	case r.Life != 0 && r.Life < LeastLife:
		return fmt.Errorf("a certificate must live for at least %s", LeastLife)
	case serves(r.Role) && len(r.Hosts) == 0:
		return fmt.Errorf("a %s is a server: name each host name and address by which clients dial it, for example --host %s.example.org; for one on this machine --host localhost --host 127.0.0.1", r.Role, r.Role)
	case !serves(r.Role) && len(r.Hosts) > 0:
		return fmt.Errorf("a %s only dials, nobody dials it: its certificate has no hosts", r.Role)
	case len(r.Hosts) > maxHosts:
		return fmt.Errorf("a certificate has at most %d hosts", maxHosts)
	}
	return addHosts(&x509.Certificate{}, r.Hosts)
}

// template returns the certificate that a request asks for, without its serial number.
func (a *Authority) template(r Request, now time.Time) (*x509.Certificate, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	end := now.Add(cmp.Or(r.Life, DefaultLife))
	if end.After(a.cert.NotAfter) {
		return nil, fmt.Errorf("the authority itself ends on %s, before the certificate: ask for less, or make a new authority", a.cert.NotAfter.UTC().Format(time.DateOnly))
	}
	begin := now.Add(-backdated)
	if begin.Before(a.cert.NotBefore) {
		begin = a.cert.NotBefore
	}
	c := &x509.Certificate{
		NotBefore: begin, NotAfter: end, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: Usages(r.Role),
		URIs: []*url.URL{{Scheme: scheme, Host: a.domain, Path: "/" + string(r.Role) + "/" + r.Name}},
	}
	if len(r.Name) <= maxCommonName {
		c.Subject = pkix.Name{CommonName: r.Name}
	}
	return c, addHosts(c, r.Hosts)
}

// addHosts adds hosts to a certificate, each once.
func addHosts(c *x509.Certificate, hosts []string) error {
	seen := map[string]bool{}
	for _, host := range hosts {
		addr, err := netip.ParseAddr(host)
		isAddr := err == nil && addr.Zone() == ""
		if isAddr {
			host = addr.Unmap().String()
		} else if host = strings.ToLower(host); !hostName(host) {
			return fmt.Errorf("%q is neither a host name (international names in their xn-- form) nor an IP address", host)
		}
		switch {
		case seen[host]:
		case isAddr:
			c.IPAddresses = append(c.IPAddresses, net.IP(addr.Unmap().AsSlice()))
		default:
			c.DNSNames = append(c.DNSNames, host)
		}
		seen[host] = true
	}
	return nil
}

// hostName reports whether a text is a host name by RFC 1123 that cannot be taken for an
// address.
func hostName(s string) bool {
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool { return !inName(r) || r == '.' || r == '_' }) {
			return false
		}
	}
	last := labels[len(labels)-1]
	return len(s) <= 253 && strings.ContainsFunc(last, func(r rune) bool { return r < '0' || r > '9' })
}
