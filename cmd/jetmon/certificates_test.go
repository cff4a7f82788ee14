package main

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
	"strings"
	"testing"
	"time"
)

// writeCertificate makes a certificate for 127.0.0.1 that signs itself.
func writeCertificate(t *testing.T, certFile, keyFile, name string, until time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// shownBy returns the name in the certificate that a server shows.
func shownBy(t *testing.T, addr string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Errorf("the protocol is %q", got)
	}
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestAServerShowsItsNewCertificateAfterAReload(t *testing.T) {
	t.Parallel()
	cert, key := write(t, "crt", ""), write(t, "key", "")
	writeCertificate(t, cert, key, "old", time.Now().Add(time.Hour))
	text := "listen: 127.0.0.1:0\ntls-cert: " + cert + "\ntls-key: " + key + "\n"
	v := startDaemon(t, "veriflier", text)
	addr := v.errs.find(t, `msg=started.* address=(\S+)`)
	if got := shownBy(t, addr); got != "old" {
		t.Fatalf("shows %s", got)
	}
	writeCertificate(t, cert, key, "new", time.Now().Add(time.Hour))
	v.reload(t, text, reloaded)
	if got := shownBy(t, addr); got != "new" {
		t.Errorf("after the reload it shows %s", got)
	}
	if err := os.WriteFile(key, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	v.reload(t, text, `level=ERROR .*nothing changed.*--tls-cert`)
	if got := shownBy(t, addr); got != "new" {
		t.Errorf("a broken key changed it to %s", got)
	}
}

func TestCheckConfigNamesAnExpiredCertificate(t *testing.T) {
	t.Parallel()
	server, client := t.TempDir(), t.TempDir()
	writeCertificate(t, server+"/crt", server+"/key", "wpcom", time.Now().Add(time.Hour))
	writeCertificate(t, client+"/crt", client+"/key", "jetmon", time.Now().Add(-24*time.Hour))
	pair, err := tls.LoadX509KeyPair(server+"/crt", server+"/key")
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if n, _ := conn.Read(make([]byte, 1)); n > 0 {
				t.Error("a request was sent")
			}
			conn.Close()
		}
	}()
	url := "--wpcom-url=https://" + l.Addr().String() + "/jetmon/"
	ca := "--wpcom-ca=" + server + "/crt"
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"a CA of one's own": {[]string{url, ca}, "ok    wordpress.com"},
		"the system's CAs":  {[]string{url}, "FAIL  wordpress.com"},
		"an old certificate of the client": {
			[]string{url, ca, "--wpcom-cert=" + client + "/crt", "--wpcom-key=" + client + "/key"}, "the client's certificate expired on "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"coordinator", "--check-config", "--db=sqlite:x", "--veriflier=name=v,region=eu,addr=127.0.0.1:1",
				"--wpcom-token-file=" + write(t, "token", "x\n")}, tt.args...)
			if _, stdout, _ := run(t, nil, args...); !strings.Contains(stdout, tt.want) {
				t.Errorf("does not say %q:\n%s", tt.want, stdout)
			}
		})
	}
}
