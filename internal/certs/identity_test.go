package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/certs"
)

// certificate makes a certificate with URIs, and reads it as a server does. It returns nil
// where no certificate can have them.
func certificate(t *testing.T, authority bool, uris ...string) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: authority, BasicConstraintsValid: true}
	for _, uri := range uris {
		u, err := url.Parse(uri)
		if err != nil {
			return nil
		}
		template.URIs = append(template.URIs, u)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	return cert
}

func TestACertificateProvesOneRoleAndOneName(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string][2]string{
		"spiffe://jetmon/checker/checker-1":              {"checker", "checker-1"},
		"spiffe://another.example.org/coordinator/C_1.a": {"coordinator", "C_1.a"},
		"SPIFFE://jetmon/veriflier/eu1":                  {"veriflier", "eu1"},
		"spiffe://jetmon/gateway/" + strings.Repeat("g", 128): {
			"gateway", strings.Repeat("g", 128)},
		"spiffe://jetmon/caller/...": {"caller", "..."},
	} {
		role, name, err := certs.Identity(certificate(t, false, uri))
		if err != nil || role != want[0] || name != want[1] {
			t.Errorf("%s: %q %q %v", uri, role, name, err)
		}
	}
}

func TestEverythingOddProvesNothing(t *testing.T) {
	t.Parallel()
	const good = "spiffe://jetmon/checker/a"
	for name, tt := range map[string]struct {
		uris []string
		want string
	}{
		"no URI":                    {nil, "one URI"},
		"two URIs":                  {[]string{good, "spiffe://jetmon/checker/b"}, "one URI"},
		"the same URI twice":        {[]string{good, good}, "one URI"},
		"another URI beside it":     {[]string{good, "https://example.org/"}, "one URI"},
		"another scheme":            {[]string{"https://jetmon/checker/a"}, "spiffe://"},
		"no authority":              {[]string{"spiffe:jetmon/checker/a"}, "//"},
		"an empty domain":           {[]string{"spiffe:///checker/a"}, "trust domain"},
		"a domain in upper case":    {[]string{"spiffe://Jetmon/checker/a"}, "trust domain"},
		"a port":                    {[]string{"spiffe://jetmon:80/checker/a"}, "trust domain"},
		"an empty port":             {[]string{"spiffe://jetmon:/checker/a"}, "trust domain"},
		"a user":                    {[]string{"spiffe://u@jetmon/checker/a"}, "user"},
		"an empty user":             {[]string{"spiffe://@jetmon/checker/a"}, "user"},
		"a query":                   {[]string{good + "?a=b"}, "query"},
		"an empty query":            {[]string{good + "?"}, "query"},
		"a fragment":                {[]string{good + "#f"}, "fragment"},
		"no path":                   {[]string{"spiffe://jetmon"}, "ROLE/NAME"},
		"a role alone":              {[]string{"spiffe://jetmon/checker"}, "ROLE/NAME"},
		"an empty name":             {[]string{"spiffe://jetmon/checker/"}, "name"},
		"an empty role":             {[]string{"spiffe://jetmon//a"}, "role"},
		"an empty segment before":   {[]string{"spiffe://jetmon//checker/a"}, "role"},
		"a slash after the name":    {[]string{good + "/"}, "name"},
		"a segment after the name":  {[]string{good + "/b"}, "name"},
		"an unknown role":           {[]string{"spiffe://jetmon/admin/a"}, "role"},
		"a role in upper case":      {[]string{"spiffe://jetmon/Checker/a"}, "role"},
		"an encoded letter":         {[]string{"spiffe://jetmon/checker/%61"}, "percent"},
		"an encoded slash":          {[]string{"spiffe://jetmon/checker%2Fa"}, "percent"},
		"an encoded space":          {[]string{"spiffe://jetmon/checker/a%20b"}, "name"},
		"an encoded percent":        {[]string{"spiffe://jetmon/checker/%25"}, "percent"},
		"a name beyond ASCII":       {[]string{"spiffe://jetmon/checker/caf%C3%A9"}, "name"},
		"a dot":                     {[]string{"spiffe://jetmon/checker/."}, "name"},
		"two dots":                  {[]string{"spiffe://jetmon/checker/.."}, "name"},
		"a colon in the name":       {[]string{"spiffe://jetmon/checker/a:b"}, "name"},
		"a name that is too long":   {[]string{"spiffe://jetmon/checker/" + strings.Repeat("a", 129)}, "name"},
		"a domain that is too long": {[]string{"spiffe://" + strings.Repeat("a", 256) + "/checker/a"}, "trust domain"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert := certificate(t, false, tt.uris...)
			if cert == nil { // some of it no certificate can have; the URL is judged all the same
				cert = &x509.Certificate{}
				for _, uri := range tt.uris {
					u, err := url.Parse(uri)
					if err != nil {
						t.Skipf("%v", err)
					}
					cert.URIs = append(cert.URIs, u)
				}
			}
			if role, name, err := certs.Identity(cert); err == nil || role != "" || name != "" || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q %q %v, want an error with %q", role, name, err, tt.want)
			}
		})
	}
	if _, _, err := certs.Identity(nil); err == nil {
		t.Error("no certificate proves something")
	}
	if _, _, err := certs.Identity(certificate(t, true, good)); err == nil {
		t.Error("an authority's certificate proves something")
	}
}

// FuzzIdentity checks that a URI proves only the role and the name that it spells.
func FuzzIdentity(f *testing.F) {
	for _, uri := range []string{
		"spiffe://jetmon/checker/a", "SPIFFE://jetmon/checker/a", "spiffe://jetmon/checker/%61", "spiffe://j:1/gateway/b", "spiffe:///caller/c?d#e", "spiffe:a", "%",
	} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		u, err := url.Parse(uri)
		if err != nil {
			return
		}
		role, name, err := certs.Identity(&x509.Certificate{URIs: []*url.URL{u}})
		if err != nil {
			if role != "" || name != "" {
				t.Errorf("an error and %q %q", role, name)
			}
			return
		}
		// The fragment's mark alone is all that url.Parse forgets.
		spelled := strings.TrimSuffix(uri, "#")
		if want := "://" + u.Host + "/" + role + "/" + name; !strings.EqualFold(spelled[:6], "spiffe") || spelled[6:] != want {
			t.Errorf("%q proves %q %q", uri, role, name)
		}
	})
}
