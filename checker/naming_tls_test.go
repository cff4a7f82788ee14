package checker_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/checker"
	"github.com/Automattic/jetmon/internal/rpc"
)

// certificate makes a self-signed certificate for one name.
func certificate(t *testing.T, host string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// logged collects the log of a checker.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) await(t *testing.T, want string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		l.mu.Lock()
		text := l.text.String()
		l.mu.Unlock()
		if strings.Contains(text, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing of %q in the log:\n%s", want, text)
		}
	}
}

func TestTheCertificateOfAnAddressMustBeForTheName(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, host      string
		identity, right bool
	}{
		{"the name", "coordinators.internal", false, true},
		{"another name", "others.internal", false, false},
		{"the name, and an identity that may change", "coordinators.internal", true, true},
		{"another name, and an identity that may change", "others.internal", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			_, port, err := net.SplitHostPort(l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			cert, roots := certificate(t, tt.host)
			c := &coordinator{sessions: make(chan *session, 16)}
			c.stop = serveWith(t, l, c, rpc.ServerOptions{Access: rpc.Open(), TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
			log := &logged{}
			start(t, rpc.TCP(), &sites{answer: up}, func(o *checker.Options) {
				o.Resolver = &book{hosts: []string{"127.0.0.1"}}
				o.Client.TLS = &tls.Config{RootCAs: roots}
				if tt.identity {
					o.Client.Identity = rpc.NewIdentity(o.Client)
				}
				o.Log = slog.New(slog.NewTextHandler(log, nil))
			}, "dns:///coordinators.internal:"+port)
			if tt.right {
				c.accept(t)
				return
			}
			log.await(t, "valid for others.internal, not coordinators.internal")
			if len(c.sessions) != 0 {
				t.Error("a coordinator with the wrong certificate is served")
			}
		})
	}
}
