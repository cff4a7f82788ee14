package tls12

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// certificateOf returns a certificate for a key.
func certificateOf(t *testing.T, key crypto.Signer) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "example.test"}, DNSNames: []string{"example.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der, []byte("no certificate")}, PrivateKey: key}
}

// serve runs one connection of a server of crypto/tls, which sends back what it reads.
func serve(t *testing.T, config *tls.Config) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	deadline := time.Now().Add(20 * time.Second)
	_ = ours.SetDeadline(deadline)
	_ = theirs.SetDeadline(deadline)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer theirs.Close()
		c := tls.Server(theirs, config)
		_, _ = io.Copy(c, c)
		_ = c.Close()
	}()
	t.Cleanup(func() {
		_ = ours.Close()
		<-done
	})
	return ours
}

// trusting takes any leaf.
func trusting(shown [][]byte) (crypto.PublicKey, error) {
	leaf, err := x509.ParseCertificate(shown[0])
	if err != nil {
		return nil, err
	}
	return leaf.PublicKey, nil
}

func keys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	must := func(key crypto.Signer, err error) crypto.Signer {
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256, err256 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, err384 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	rsa2048, errRSA := rsa.GenerateKey(rand.Reader, 2048)
	return map[string]crypto.Signer{
		"P-256": must(p256, err256), "P-384": must(p384, err384), "RSA": must(rsa2048, errRSA), "Ed25519": edwards,
	}
}

func TestConversations(t *testing.T) {
	t.Parallel()
	for name, key := range keys(t) {
		for variant, change := range map[string]func(*tls.Config){
			"plain":       func(*tls.Config) {},
			"P-256":       func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP256} },
			"no tickets":  func(c *tls.Config) { c.SessionTicketsDisabled = true },
			"asks for us": func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert },
			"AES-256": func(c *tls.Config) {
				c.CipherSuites = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}
			},
		} {
			t.Run(name+", "+variant, func(t *testing.T) {
				t.Parallel()
				var hello *tls.ClientHelloInfo
				config := &tls.Config{Certificates: []tls.Certificate{certificateOf(t, key)}, NextProtos: []string{"http/1.1"}}
				config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
					hello = h
					return nil, nil
				}
				change(config)
				c, err := Client(serve(t, config), Config{ServerName: "example.test", Protocol: "http/1.1", Verify: trusting})
				if err != nil {
					t.Fatal(err)
				}
				if hello.ServerName != "example.test" || strings.Join(hello.SupportedProtos, "") != "http/1.1" {
					t.Errorf("hello %+v", hello)
				}
				sent := bytes.Repeat([]byte("0123456789"), 5000) // more than one record
				go func() { _, _ = c.Write(sent) }()
				got := make([]byte, len(sent))
				if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
					t.Errorf("got %d bytes, %v", len(got), err)
				}
			})
		}
	}
}

func TestServersThatProveNothing(t *testing.T) {
	t.Parallel()
	all := keys(t)
	for name, key := range all {
		other := keys(t)[name].Public()
		wrong := func([][]byte) (crypto.PublicKey, error) { return other, nil }
		_, err := Client(serve(t, &tls.Config{Certificates: []tls.Certificate{certificateOf(t, key)}}), Config{Verify: wrong})
		if !errors.Is(err, errSignature) {
			t.Errorf("%s: a signature by another key: %v", name, err)
		}
	}
	refused := errors.New("refused")
	config := &tls.Config{Certificates: []tls.Certificate{certificateOf(t, all["P-256"])}}
	_, err := Client(serve(t, config), Config{Verify: func([][]byte) (crypto.PublicKey, error) { return nil, refused }})
	if !errors.Is(err, refused) {
		t.Errorf("a refused certificate: %v", err)
	}
	config.MinVersion = tls.VersionTLS13
	_, err = Client(serve(t, config), Config{Verify: trusting})
	if _, ok := errors.AsType[Alert](err); !ok {
		t.Errorf("a server of TLS 1.3: %v", err)
	}
}

// spoiled flips a bit of the n-th byte that is read.
type spoiled struct {
	net.Conn
	n int
}

func (s *spoiled) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if s.n >= 0 && s.n < n {
		p[s.n] ^= 1
	}
	s.n -= n
	return n, err
}

// TestNoBitMayChange flips bits of what the server says in the handshake. Only the headers
// of records have bits that mean nothing.
func TestNoBitMayChange(t *testing.T) {
	t.Parallel()
	key := keys(t)["P-256"]
	config := &tls.Config{Certificates: []tls.Certificate{certificateOf(t, key)}, MaxVersion: tls.VersionTLS12, SessionTicketsDisabled: true}
	known := key.Public()
	good, seen := 0, 0
	for n := 0; n < 800; n += 7 {
		conn := &spoiled{serve(t, config), n}
		_ = conn.SetDeadline(time.Now().Add(500 * time.Millisecond)) // a longer record waits for bytes that never come
		// The certificate's own bytes are its verifier's business, but in the transcript.
		_, err := Client(conn, Config{Verify: func([][]byte) (crypto.PublicKey, error) { return known, nil }})
		switch {
		case conn.n >= 0: // the handshake was over before
		case err == nil:
			good++
		default:
			seen++
		}
	}
	if good > 7 || seen < 50 { // the minor version in the header of each record
		t.Errorf("%d changes were seen and %d were not", seen, good)
	}
}

// FuzzServer lets a server say anything.
func FuzzServer(f *testing.F) {
	f.Add([]byte("\x16\x03\x03\x00\x04\x0e\x00\x00\x00"))
	f.Add([]byte("\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + strings.Repeat("r", 32) + "\x00\xc0\x2b\x00"))
	f.Add([]byte("\x15\x03\x03\x00\x02\x02\x28"))
	f.Add([]byte("\x15\x03\x03\x00\x02\x01\x00"))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		c, err := Client(&script{in: bytes.NewReader(said)}, Config{ServerName: "example.test", Protocol: "http/1.1", Verify: trusting})
		if err == nil {
			t.Fatalf("a handshake with %q: %v", said, c)
		}
	})
}

// script is a connection whose other side has said everything already.
type script struct {
	net.Conn
	in io.Reader
}

func (s *script) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *script) Write(p []byte) (int, error) { return len(p), nil }
