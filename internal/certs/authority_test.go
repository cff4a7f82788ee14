package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/certs"
)

func authority(t *testing.T, domain string) (*certs.Authority, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "certs")
	a, err := certs.Init(dir, domain, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a, dir
}

// requests has one request for each role.
func requests() []certs.Request {
	var all []certs.Request
	for _, role := range access.Roles() {
		r := certs.Request{Role: role, Name: string(role) + "-1"}
		if certs.Usages(role)[0] == x509.ExtKeyUsageServerAuth {
			r.Hosts = []string{"node.example.org", "127.0.0.1", "::1", "NODE.example.org", "::ffff:127.0.0.1"}
		}
		all = append(all, r)
	}
	return all
}

func TestARoleGetsACertificateThatProvesItAndNothingElse(t *testing.T) {
	t.Parallel()
	a, dir := authority(t, "fleet.example.org")
	pool := x509.NewCertPool()
	pool.AddCert(a.Certificate())
	serials := map[string]bool{}
	for _, r := range requests() {
		pair, err := a.Issue(r, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		c := pair.Certificate
		if role, name, err := certs.Identity(c); err != nil || role != r.Role || name != r.Name {
			t.Errorf("%s: proves %q %q %v", r.Role, role, name, err)
		}
		for usage, want := range map[x509.ExtKeyUsage]bool{
			x509.ExtKeyUsageServerAuth: slices.Contains([]access.Role{access.Coordinator, access.Veriflier, access.Gateway}, r.Role),
			x509.ExtKeyUsageClientAuth: r.Role != access.Veriflier,
		} {
			if _, err := c.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{usage}}); (err == nil) != want {
				t.Errorf("%s: usage %v: %v", r.Role, usage, err)
			}
		}
		if len(r.Hosts) > 0 {
			if len(c.DNSNames) != 1 || len(c.IPAddresses) != 2 || c.VerifyHostname("node.example.org") != nil || c.VerifyHostname("::1") != nil || c.VerifyHostname("localhost") == nil {
				t.Errorf("%s: hosts %v %v", r.Role, c.DNSNames, c.IPAddresses)
			}
		}
		if c.IsCA || !c.BasicConstraintsValid || c.KeyUsage != x509.KeyUsageDigitalSignature {
			t.Errorf("%s: CA %v, usage %b", r.Role, c.IsCA, c.KeyUsage)
		}
		if serials[c.SerialNumber.String()] || c.SerialNumber.BitLen() < 64 {
			t.Errorf("serial %x", c.SerialNumber)
		}
		serials[c.SerialNumber.String()] = true
		if _, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(pair.KeyFile); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// OpenSSL, which shares no code with Go, has the same opinion of what each role may be.
func TestOpenSSLAgrees(t *testing.T) {
	t.Parallel()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("openssl is missing: make programs installs it")
	}
	a, _ := authority(t, "")
	for _, r := range append(requests(), certs.Request{Role: access.Checker, Name: strings.Repeat("n", 128)}) {
		pair, err := a.Issue(r, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for purpose, usage := range map[string]x509.ExtKeyUsage{"sslserver": x509.ExtKeyUsageServerAuth, "sslclient": x509.ExtKeyUsageClientAuth} {
			out, err := exec.CommandContext(t.Context(), openssl, "verify", "-x509_strict", "-CAfile", a.File(), "-purpose", purpose, pair.CertFile).CombinedOutput()
			if want := slices.Contains(certs.Usages(r.Role), usage); (err == nil) != want {
				t.Errorf("%s as %s: %v\n%s", r.Role, purpose, err, out)
			}
		}
		out, err := exec.CommandContext(t.Context(), openssl, "x509", "-in", pair.CertFile, "-noout", "-text").CombinedOutput()
		if want := "URI:spiffe://jetmon/" + string(r.Role) + "/" + r.Name; err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v\n%s", want, err, out)
		}
	}
	out, err := exec.CommandContext(t.Context(), openssl, "x509", "-in", a.File(), "-noout", "-text").CombinedOutput()
	for _, want := range []string{"CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "URI:spiffe://jetmon\n"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("no %q: %v\n%s", want, err, out)
		}
	}
}

func TestTheAuthorityRecordsItsDomainAndIsFoundAmongOthers(t *testing.T) {
	t.Parallel()
	old, oldDir := authority(t, "old.example.org")
	_, dir := authority(t, "new.example.org")
	// While one authority replaces another, ca.crt holds both.
	var both []byte
	for _, d := range []string{oldDir, dir} {
		text, err := os.ReadFile(filepath.Join(d, "ca.crt"))
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, text...)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), both, 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := certs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if a.Domain() != "new.example.org" || a.Certificate().Subject.CommonName == old.Certificate().Subject.CommonName {
		t.Errorf("%s, %s", a.Domain(), a.Certificate().Subject)
	}
	pair, err := a.Issue(certs.Request{Role: access.Checker, Name: "n"}, time.Now())
	if err != nil || pair.Certificate.CheckSignatureFrom(a.Certificate()) != nil || pair.Certificate.URIs[0].Host != "new.example.org" {
		t.Errorf("%v %v", pair.Certificate.URIs, err)
	}
	all, err := certs.ReadFile(a.File())
	if err != nil || len(all) != 2 || certs.Describe(all[0]).Domain != "old.example.org" || !certs.Describe(all[1]).Authority {
		t.Errorf("%d certificates, %v", len(all), err)
	}
}

func TestNothingIsOverwrittenByAccident(t *testing.T) {
	t.Parallel()
	a, dir := authority(t, "")
	before := a.Certificate().SerialNumber
	if _, err := certs.Init(dir, "", time.Now()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second init: %v", err)
	}
	if err := os.Remove(a.File()); err != nil {
		t.Fatal(err)
	}
	if _, err := certs.Init(dir, "", time.Now()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("an init beside a key: %v", err)
	}
	if _, err := os.Stat(a.File()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a certificate without its key was left: %v", err)
	}
	r := certs.Request{Role: access.Checker, Name: "n"}
	first, err := a.Issue(r, time.Now())
	if err != nil || first.Certificate.SerialNumber.Cmp(before) == 0 {
		t.Fatal(err)
	}
	if _, err := a.Issue(r, time.Now()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second certificate: %v", err)
	}
	r.Replace = true
	second, err := a.Issue(r, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if pair, err := tls.LoadX509KeyPair(second.CertFile, second.KeyFile); err != nil || pair.Leaf.SerialNumber.Cmp(second.Certificate.SerialNumber) != 0 {
		t.Errorf("the file has %v, %v", pair.Leaf.SerialNumber, err)
	}
	if _, err := a.Issue(certs.Request{Role: access.Asker, Name: "n", Replace: true}, time.Now()); err == nil {
		t.Error("another role's certificate is replaced")
	}
}

func TestWhatIsNotIssued(t *testing.T) {
	t.Parallel()
	a, _ := authority(t, "")
	for name, tt := range map[string]struct {
		r    certs.Request
		want string
	}{
		"an unknown role":           {certs.Request{Role: "admin", Name: "n"}, "there is no role"},
		"no name":                   {certs.Request{Role: access.Checker}, "name must have 1 to 128"},
		"a path as a name":          {certs.Request{Role: access.Checker, Name: "../n"}, "name must consist of"},
		"the authority's files":     {certs.Request{Role: access.Checker, Name: "CA"}, "authority's files"},
		"a server without a host":   {certs.Request{Role: access.Veriflier, Name: "n"}, "--host localhost"},
		"a client with a host":      {certs.Request{Role: access.Checker, Name: "n", Hosts: []string{"localhost"}}, "nobody dials it"},
		"a host with a port":        {certs.Request{Role: access.Gateway, Name: "n", Hosts: []string{"a:80"}}, "neither a host name"},
		"a host that is a wildcard": {certs.Request{Role: access.Gateway, Name: "n", Hosts: []string{"*.a.org"}}, "neither a host name"},
		"half an address":           {certs.Request{Role: access.Gateway, Name: "n", Hosts: []string{"10.0.1"}}, "neither a host name"},
		"an address with a zone":    {certs.Request{Role: access.Gateway, Name: "n", Hosts: []string{"fe80::1%eth0"}}, "neither a host name"},
		"an international name":     {certs.Request{Role: access.Gateway, Name: "n", Hosts: []string{"caf\u00e9.org"}}, "xn--"},
		"a life of no length":       {certs.Request{Role: access.Checker, Name: "n", Life: time.Second}, "at least 1m"},
		"a life of a century":       {certs.Request{Role: access.Checker, Name: "n", Life: 100 * 365 * 24 * time.Hour}, "authority itself ends"},
	} {
		if pair, err := a.Issue(tt.r, time.Now()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v", name, pair.Certificate, err)
		}
	}
	for _, domain := range []string{"Upper", "a/b", "a:1", strings.Repeat("a", 256), "sp ace"} {
		if _, err := certs.Init(t.TempDir(), domain, time.Now()); err == nil {
			t.Errorf("domain %q", domain)
		}
	}
}

func TestAnAuthorityThatOthersCanUseIsRefused(t *testing.T) {
	t.Parallel()
	_, dir := authority(t, "")
	if err := os.Chmod(filepath.Join(dir, "ca.key"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := certs.Open(dir); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
	if _, err := certs.Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "jetmon certs init --dir") {
		t.Error(err)
	}
	// An authority of somebody else has no place for the domain.
	_, other := authority(t, "")
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "ca.key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := certs.Open(dir); err == nil || !strings.Contains(err.Error(), "holds no certificate") {
		t.Error(err)
	}
	text, err := os.ReadFile(filepath.Join(other, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := certs.Open(dir); err == nil || !strings.Contains(err.Error(), "no certificate of the key") {
		t.Error(err)
	}
}

// Two nodes of one authority talk to each other, and turn others away.
func TestTheCertificatesWorkInAHandshake(t *testing.T) {
	t.Parallel()
	a, _ := authority(t, "")
	b, _ := authority(t, "")
	pool := func(a *certs.Authority) *x509.CertPool {
		p := x509.NewCertPool()
		p.AddCert(a.Certificate())
		return p
	}
	pair := func(a *certs.Authority, r certs.Request) []tls.Certificate {
		p, err := a.Issue(r, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		c, err := tls.LoadX509KeyPair(p.CertFile, p.KeyFile)
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{c}
	}
	server := &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool(a),
		Certificates: pair(a, certs.Request{Role: access.Coordinator, Name: "c", Hosts: []string{"localhost"}})}
	for name, tt := range map[string]struct {
		certificates []tls.Certificate
		good         bool
	}{
		"a checker of the fleet":    {pair(a, certs.Request{Role: access.Checker, Name: "n"}), true},
		"nobody":                    {nil, false},
		"a checker of another":      {pair(b, certs.Request{Role: access.Checker, Name: "n"}), false},
		"a veriflier, which serves": {pair(a, certs.Request{Role: access.Veriflier, Name: "v", Hosts: []string{"localhost"}}), false},
	} {
		left, right := net.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- errors.Join(tls.Server(left, server).HandshakeContext(t.Context()), left.Close()) }()
		client := tls.Client(right, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool(a), ServerName: "localhost", Certificates: tt.certificates})
		_ = client.HandshakeContext(t.Context()) // the server's word counts
		_, _ = client.Read(make([]byte, 1))
		if err := <-ended; (err == nil) != tt.good {
			t.Errorf("%s: %v", name, err)
		}
		right.Close()
	}
}
