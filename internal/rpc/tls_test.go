package rpc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/internal/rpc"
)

func TestTLSFromFilesOverTCP(t *testing.T) {
	t.Parallel()
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	server, stranger := ours.issue(t, "server"), theirs.issue(t, "stranger", "spiffe://jetmon/caller/x")
	client := ours.issue(t, "client", "spiffe://jetmon/caller/x")
	for name, c := range map[string]struct {
		mutual bool
		ca     string
		cert   keyPair
		plain  bool
		code   codes.Code
	}{
		"a client that trusts the server":            {ca: ours.file, code: codes.OK},
		"a client that trusts someone else":          {ca: theirs.file, code: codes.Unavailable},
		"a client that trusts the system's only":     {code: codes.Unavailable},
		"a plaintext client":                         {plain: true, code: codes.Unavailable},
		"mutual: a client with our certificate":      {mutual: true, ca: ours.file, cert: client, code: codes.OK},
		"mutual: a client with a stranger's":         {mutual: true, ca: ours.file, cert: stranger, code: codes.Unauthenticated},
		"mutual: a client without a certificate":     {mutual: true, ca: ours.file, code: codes.Unauthenticated},
		"a client's certificate that nobody asks of": {ca: ours.file, cert: client, code: codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clientCA := ""
			if c.mutual {
				clientCA = ours.file
			}
			so, err := rpc.LoadServerTLS(server.cert, server.key, clientCA)
			if err != nil {
				t.Fatal(err)
			}
			var co *tls.Config
			if !c.plain {
				if co, err = rpc.LoadClientTLS(c.ca, c.cert.cert, c.cert.key); err != nil {
					t.Fatal(err)
				}
			}
			l, err := rpc.TCP().Listen("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			conn, err := rpc.Dial(l.Addr().String(), rpc.ClientOptions{TLS: co})
			if err != nil {
				t.Fatal(err)
			}
			options := rpc.ServerOptions{TLS: so}
			if c.mutual {
				options.Access = rpc.NewAuthorizer(rpc.AuthorizerOptions{})
			}
			r := serve(t, &service{}, options, l)
			r.ClientConn = conn
			t.Cleanup(func() { _ = conn.Close() })
			if _, err := r.verify(t.Context()); status.Code(err) != c.code {
				t.Errorf("got %v, want %v", err, c.code)
			}
		})
	}
}

func TestTLSFilesThatAreNoGoodAreNamed(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	good := ca.issue(t, "good")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing.pem")
	for name, c := range map[string]struct {
		load func() (*tls.Config, error)
		says string
	}{
		"a server's key of another certificate": {func() (*tls.Config, error) { return rpc.LoadServerTLS(good.cert, ca.issue(t, "other").key, "") }, good.cert},
		"a server's certificate that is absent": {func() (*tls.Config, error) { return rpc.LoadServerTLS(missing, good.key, "") }, missing},
		"client authorities that are absent":    {func() (*tls.Config, error) { return rpc.LoadServerTLS(good.cert, good.key, missing) }, missing},
		"client authorities without a PEM":      {func() (*tls.Config, error) { return rpc.LoadServerTLS(good.cert, good.key, empty) }, empty},
		"authorities without a PEM":             {func() (*tls.Config, error) { return rpc.LoadClientTLS(empty, "", "") }, empty},
		"a client's certificate without a key":  {func() (*tls.Config, error) { return rpc.LoadClientTLS("", good.cert, "") }, "together"},
		"a client's key that is absent":         {func() (*tls.Config, error) { return rpc.LoadClientTLS("", good.cert, missing) }, missing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := c.load(); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an error about %s", err, c.says)
			}
		})
	}
}

func TestAListenerThatOthersReachMustAskWhoTheyAre(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		addr    string
		allowed bool
		ok      bool
	}{
		"loopback":                         {"127.0.0.1:7800", false, true},
		"another address of loopback":      {"127.8.0.9:7800", false, true},
		"loopback of IPv6":                 {"[::1]:7800", false, true},
		"loopback of IPv4 in IPv6":         {"[::ffff:127.0.0.1]:7800", false, true},
		"localhost":                        {"localhost:7800", false, true},
		"every address":                    {":7800", false, false},
		"every address of IPv4":            {"0.0.0.0:7800", false, false},
		"every address of IPv6":            {"[::]:7800", false, false},
		"a private address":                {"10.0.0.1:7800", false, false},
		"a name":                           {"node.internal:7800", false, false},
		"a name that looks like localhost": {"localhost.example:7800", false, false},
		"an address without a port":        {"127.0.0.1", false, false},
		"the operator's explicit wish":     {":7800", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := rpc.CheckExposure(c.addr, c.allowed)
			if c.ok != (err == nil) {
				t.Fatalf("got %v", err)
			}
			if err != nil && (!strings.Contains(err.Error(), c.addr) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("not one sentence about %s: %v", c.addr, err)
			}
		})
	}
}

type keyPair struct{ cert, key string }

// authority signs certificates for 127.0.0.1; its files last until the test ends.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
	dir  string
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	pair := sign(t, a.dir, name, template, template, nil)
	raw, err := tls.LoadX509KeyPair(pair.cert, pair.key)
	if err != nil {
		t.Fatal(err)
	}
	key, ok := raw.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatalf("key is %T", raw.PrivateKey)
	}
	a.cert, a.key, a.file = raw.Leaf, key, pair.cert
	return a
}

func (a *authority) issue(t *testing.T, name string, uri ...string) keyPair {
	t.Helper()
	return sign(t, a.dir, name, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, URIs: identity(t, strings.Join(uri, "")),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, a.key)
}

// sign makes a certificate from template and its key; without a parentKey it is self-signed.
func sign(t *testing.T, dir, name string, template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) keyPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if parentKey == nil {
		parentKey = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(suffix, kind string, der []byte) string {
		file := filepath.Join(dir, name+suffix)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return keyPair{cert: write(".crt", "CERTIFICATE", der), key: write(".key", "PRIVATE KEY", keyDER)}
}
