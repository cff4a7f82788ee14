package sqlstore

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/test/mariadb"
)

func TestADSNMayNameServersAndFiles(t *testing.T) {
	t.Parallel()
	d, err := ParseDSN("mysql://u:p,w@tcp(a, b:3307,[::1],2001:db8::1)/jetmon?timeout=1s&tls-ca=/etc/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a:3306", "b:3307", "[::1]:3306", "[2001:db8::1]:3306"}; !slices.Equal(d.hosts, want) || d.ca != "/etc/ca.pem" {
		t.Errorf("servers %v, CA %q", d.hosts, d.ca)
	}
	if _, there := d.mysql.Params["tls-ca"]; there {
		t.Error("the driver would set tls-ca as a variable of the session")
	}
	for _, bad := range []string{"mysql://u@tcp(a,,b)/d", "mysql://u@tcp(a:1)/d?tls-cert=/x"} {
		if _, err := ParseDSN(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	for _, bad := range []string{"tls-ca=/absent.pem", "tls-ca=/dev/null", "tls-cert=/absent&tls-key=/absent"} {
		if _, err := Open(t.Context(), "mysql://u@tcp(127.0.0.1:1)/d?"+bad, Options{}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// Of several servers the one that answers and accepts writes is used, also when that
// changes while the store is open.
func TestTheServerThatAcceptsWritesIsUsed(t *testing.T) {
	t.Parallel()
	a, b := mariadb.NewServer(t), mariadb.NewServer(t)
	for _, s := range []*mariadb.Server{a, b} {
		if _, err := Migrate(t.Context(), s.DSN()); err != nil {
			t.Fatal(err)
		}
	}
	a.Query(t, "SET GLOBAL read_only = 1")
	s := open(t, b.PlainDSN("127.0.0.1:1,"+a.Address()+","+b.Address()), Options{})
	count := func(s *mariadb.Server) string {
		return strings.TrimSpace(s.Query(t, "SELECT COUNT(*) FROM jetmon_schema WHERE version_id = 999999"))
	}
	write := func() {
		t.Helper()
		if _, err := s.writer.ExecContext(t.Context(), "INSERT INTO jetmon_schema (version_id, is_applied) VALUES (999999, 1)"); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if count(a) != "0" || count(b) != "1" {
		t.Fatalf("a has %s, b has %s", count(a), count(b))
	}
	b.Query(t, "SET GLOBAL read_only = 1")
	a.Query(t, "SET GLOBAL read_only = 0")
	write()
	if count(a) != "1" || count(b) != "1" {
		t.Errorf("after the failover a has %s, b has %s", count(a), count(b))
	}
}

func TestADatabaseWithAnotherCAIsNotTrusted(t *testing.T) {
	t.Parallel()
	ours, certificate := selfSigned(t)
	theirs, _ := selfSigned(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	handshakes := make(chan error, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			err = greetOverTLS(conn, certificate)
			select {
			case handshakes <- err:
			default: // the test looks at one of them
			}
		}
	}()
	open := func(ctx context.Context, ca string) error {
		_, err := Open(ctx, "mysql://u:p@tcp("+l.Addr().String()+")/d?tls-ca="+ca, Options{})
		return err
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](open(t.Context(), theirs)); !ok {
		t.Error("a certificate of another CA is accepted")
	}
	<-handshakes
	ctx, cancel := context.WithCancel(t.Context())
	opened := make(chan error, 1)
	go func() { opened <- open(ctx, ours) }()
	answers, deadline := opened, time.After(10*time.Second)
	var answer error
	for done := false; !done; {
		select {
		case err := <-handshakes: // that of the other CA may still come
			done = err == nil
		case answer = <-answers: // the server hung up after the handshake, which it reports now
			answers = nil
		case <-deadline:
			t.Fatalf("no handshake with the right CA: %v", answer)
		}
	}
	cancel()
	if answers != nil {
		answer = <-answers
	}
	if answer == nil {
		t.Error("a server that says nothing was opened")
	}
}

// greetOverTLS plays a MySQL server until the end of the TLS handshake.
func greetOverTLS(conn net.Conn, certificate tls.Certificate) error {
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	body := []byte("\x0a8.0.0\x00\x01\x00\x00\x00abcdefgh\x00\xff\xff\x2d\x02\x00\xff\xff\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00ijklmnopqrst\x00mysql_native_password\x00")
	if _, err := conn.Write(append([]byte{byte(len(body)), 0, 0, 0}, body...)); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, make([]byte, 36)); err != nil { // the request for TLS
		return err
	}
	return tls.Server(conn, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}).Handshake()
}

func selfSigned(t *testing.T) (file string, certificate tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "database"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
