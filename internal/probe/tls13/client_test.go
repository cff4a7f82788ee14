package tls13

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

	"github.com/Automattic/jetmon/internal/probe/tls12"
)

// serverOf returns the configuration of a server that speaks TLS 1.3 only, with a certificate
// that can be read before one that cannot.
func serverOf(t *testing.T, key crypto.Signer) *tls.Config {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "example.test"}, DNSNames: []string{"example.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"},
		Certificates: []tls.Certificate{{Certificate: [][]byte{der, []byte("no certificate")}, PrivateKey: key}},
	}
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
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	p256, err256 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, err384 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	rsa2048, errRSA := rsa.GenerateKey(rand.Reader, 2048)
	if err := errors.Join(err, err256, err384, errRSA); err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"P-256": p256, "P-384": p384, "RSA": rsa2048, "Ed25519": edwards}
}

func TestConversations(t *testing.T) {
	t.Parallel()
	for name, key := range keys(t) {
		for variant, change := range map[string]func(*tls.Config){
			"plain":       func(*tls.Config) {},
			"P-256":       func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP256} },
			"no tickets":  func(c *tls.Config) { c.SessionTicketsDisabled = true },
			"asks for us": func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert },
		} {
			t.Run(name+", "+variant, func(t *testing.T) {
				t.Parallel()
				var hello *tls.ClientHelloInfo
				config := serverOf(t, key)
				config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
					hello = h
					return nil, nil
				}
				change(config)
				c, err := Client(serve(t, config), tls12.Config{ServerName: "example.test", Protocol: "http/1.1", Verify: trusting})
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
		if _, err := Client(serve(t, serverOf(t, key)), tls12.Config{Verify: wrong}); err == nil {
			t.Errorf("%s: a signature by another key is good", name)
		}
	}
	refused := errors.New("refused")
	config := serverOf(t, all["P-256"])
	_, err := Client(serve(t, config), tls12.Config{Verify: func([][]byte) (crypto.PublicKey, error) { return nil, refused }})
	if !errors.Is(err, refused) {
		t.Errorf("a refused certificate: %v", err)
	}
	_, err = Client(serve(t, config), tls12.Config{Protocol: "h2", Verify: trusting})
	if _, ok := errors.AsType[tls12.Alert](err); !ok {
		t.Errorf("another protocol: %v", err)
	}
	config.CurvePreferences = []tls.CurveID{tls.CurveP384}
	_, err = Client(serve(t, config), tls12.Config{Verify: trusting})
	if _, ok := errors.AsType[tls12.Alert](err); !ok {
		t.Errorf("a group that is not on offer: %v", err)
	}
	config.MinVersion, config.MaxVersion = 0, tls.VersionTLS12
	_, err = Client(serve(t, config), tls12.Config{Verify: trusting})
	if _, ok := errors.AsType[tls12.Alert](err); !ok {
		t.Errorf("a server of TLS 1.2: %v", err)
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

// TestNoBitMayChange flips bits of what the server says in the handshake. Only some of the
// headers of records that are not encrypted, and what is for others on the way, mean nothing.
func TestNoBitMayChange(t *testing.T) {
	t.Parallel()
	key := keys(t)["P-256"]
	config := serverOf(t, key)
	known := key.Public()
	good, seen := 0, 0
	for n := 0; n < 1000; n += 7 {
		conn := &spoiled{serve(t, config), n}
		_ = conn.SetDeadline(time.Now().Add(500 * time.Millisecond)) // a longer record waits for bytes that never come
		// The certificate's own bytes are its verifier's business, but in the transcript.
		_, err := Client(conn, tls12.Config{Verify: func([][]byte) (crypto.PublicKey, error) { return known, nil }})
		switch {
		case conn.n >= 0: // the handshake was over before
		case err == nil:
			good++
		default:
			seen++
		}
	}
	if good > 2 || seen < 80 {
		t.Errorf("%d changes were seen and %d were not", seen, good)
	}
}

// TestKeysAreUpdated lets each side change its keys in the middle of a conversation.
func TestKeysAreUpdated(t *testing.T) {
	t.Parallel()
	a, b := connected(t) // a pipe has no room for what both send at once
	one, two := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	keyed := func(secret []byte) half {
		h, err := suites()[0].keyed(secret)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	client, server := &Conn{Conn: a, in: keyed(one), out: keyed(two)}, &Conn{Conn: b, in: keyed(two), out: keyed(one)}
	ended := make(chan error, 1)
	go func() {
		ended <- func() error {
			for range 3 {
				if err := server.writeRecord(recordHandshake, []byte{keyUpdate, 0, 0, 1, 1}); err != nil {
					return err
				}
				var err error
				if server.out, err = server.out.updated(); err != nil {
					return err
				}
				if _, err := server.Write([]byte("hello")); err != nil {
					return err
				}
				if _, err := io.ReadFull(server, make([]byte, 3)); err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	for range 3 {
		got := make([]byte, 5)
		if _, err := io.ReadFull(client, got); err != nil || string(got) != "hello" {
			t.Fatalf("got %q, %v", got, err)
		}
		if _, err := client.Write([]byte("bye")); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// connected returns the ends of a connection over loopback.
func connected(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{a, b} {
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		t.Cleanup(func() { _ = c.Close() })
	}
	return a, b
}

// FuzzServer lets a server say anything.
func FuzzServer(f *testing.F) {
	f.Add([]byte("\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + strings.Repeat("r", 32) + "\x00\x13\x01\x00"))
	f.Add([]byte("\x14\x03\x03\x00\x01\x01"))
	f.Add([]byte("\x15\x03\x03\x00\x02\x02\x28"))
	f.Add([]byte("\x15\x03\x03\x00\x02\x01\x00"))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		c, err := Client(&script{in: bytes.NewReader(said)}, tls12.Config{ServerName: "example.test", Protocol: "http/1.1", Verify: trusting})
		if err == nil {
			t.Fatalf("a handshake with %q: %v", said, c)
		}
	})
}

// FuzzAfter lets a server say anything under the right keys after the handshake.
func FuzzAfter(f *testing.F) {
	f.Add(byte(recordHandshake), []byte{newSessionTicket, 0, 0, 1, 0})
	f.Add(byte(recordHandshake), []byte{keyUpdate, 0, 0, 1, 1})
	f.Add(byte(recordAlert), []byte{1, 0})
	f.Add(byte(recordData), []byte("hello"))
	f.Fuzz(func(t *testing.T, kind byte, said []byte) {
		if len(said) > maxPlain {
			return
		}
		keys, err := suites()[0].keyed(make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		var wire bytes.Buffer
		peer := &Conn{Conn: &script{out: &wire}, out: keys}
		if err := peer.writeRecord(kind, said); err != nil {
			t.Fatal(err)
		}
		c := &Conn{Conn: &script{in: &wire, out: io.Discard}, in: keys, out: keys}
		got, _ := io.ReadAll(c)
		if kind == recordData && !bytes.Equal(got, said) {
			t.Errorf("got %q of %q", got, said)
		}
	})
}

// script is a connection whose other side has said everything already.
type script struct {
	net.Conn
	in  io.Reader
	out io.Writer
}

func (s *script) Read(p []byte) (int, error) { return s.in.Read(p) }

func (s *script) Write(p []byte) (int, error) {
	if s.out == nil {
		return len(p), nil
	}
	return s.out.Write(p)
}
