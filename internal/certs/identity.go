package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// The roles that a certificate can prove.
const (
	Coordinator = "coordinator"
	Checker     = "checker"
	Veriflier   = "veriflier"
	Gateway     = "gateway"
	// Caller is a person or a tool that calls Verify on a veriflier.
	Caller = "caller"
)

// scheme is that of an identity: spiffe://DOMAIN/ROLE/NAME.
const scheme = "spiffe"

// Bounds of an identity's parts, in bytes. A node's name has the same bound in Hello.
const (
	maxName   = 128
	maxDomain = 255
)

// Roles lists the roles that a certificate can prove.
func Roles() []string { return []string{Coordinator, Checker, Veriflier, Gateway, Caller} }

// Identity returns the role and the name that a verified certificate proves. The
// certificate must have one URI, of the form spiffe://DOMAIN/ROLE/NAME with one of Roles;
// that of an authority proves nothing. Which domains are trusted is the business of who
// chose the authorities: Identity takes any.
func Identity(cert *x509.Certificate) (role, name string, err error) {
	switch {
	case cert == nil:
		return "", "", errors.New("there is no certificate")
	case cert.IsCA:
		return "", "", errors.New("the certificate is that of an authority, which proves no role")
	case len(cert.URIs) != 1:
		return "", "", fmt.Errorf("the certificate must have one URI of the form spiffe://DOMAIN/ROLE/NAME, and has %d", len(cert.URIs))
	}
	_, path, err := readID(cert.URIs[0])
	if err != nil {
		return "", "", fmt.Errorf("the certificate's URI %w", err)
	}
	role, name, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok {
		return "", "", errors.New("the certificate's URI must be of the form spiffe://DOMAIN/ROLE/NAME")
	}
	if err := checkRole(role); err != nil {
		return "", "", fmt.Errorf("the certificate's URI: %w", err)
	}
	if err := CheckName(name); err != nil {
		return "", "", fmt.Errorf("the certificate's URI: %w", err)
	}
	return role, name, nil
}

// readID takes an identity's URI apart. Its errors continue "the URI ...".
func readID(u *url.URL) (domain, path string, err error) {
	switch {
	case u.Scheme != scheme: // url.Parse writes it in lower case
		return "", "", errors.New("must begin with spiffe://")
	case u.Opaque != "":
		return "", "", errors.New("must have // after its scheme")
	case u.User != nil:
		return "", "", errors.New("must have no user")
	case u.RawQuery != "" || u.ForceQuery:
		return "", "", errors.New("must have no query")
	case u.Fragment != "" || u.RawFragment != "":
		return "", "", errors.New("must have no fragment")
	case u.RawPath != "" || strings.Contains(u.Path, "%"):
		return "", "", errors.New("must have no percent-encoding")
	}
	if err := checkDomain(u.Host); err != nil {
		return "", "", fmt.Errorf("is no identity: %w", err)
	}
	return u.Host, u.Path, nil
}

// checkDomain checks the name of a trust domain. The standard allows no upper case and no
// port.
func checkDomain(domain string) error {
	if domain == "" || len(domain) > maxDomain {
		return fmt.Errorf("the trust domain must have 1 to %d bytes", maxDomain)
	}
	if strings.ContainsFunc(domain, func(r rune) bool { return !inName(r) || r >= 'A' && r <= 'Z' }) {
		return errors.New("the trust domain must consist of a-z, 0-9, dots, hyphens and underscores")
	}
	return nil
}

// checkRole checks that a role is one of Roles.
func checkRole(role string) error {
	if !slices.Contains(Roles(), role) {
		return fmt.Errorf("the role must be one of %s", strings.Join(Roles(), ", "))
	}
	return nil
}

// CheckName checks the name of a node, or of a caller, as a certificate can prove it. What
// is a host name is a name.
func CheckName(name string) error {
	switch {
	case name == "" || len(name) > maxName:
		return fmt.Errorf("the name must have 1 to %d bytes", maxName)
	case strings.ContainsFunc(name, func(r rune) bool { return !inName(r) }):
		return errors.New("the name must consist of letters, digits, dots, hyphens and underscores")
	case name == "." || name == "..":
		return errors.New("the name must not be one dot or two")
	}
	return nil
}

// inName reports whether the standard allows a character in a segment of an identity.
func inName(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_'
}
