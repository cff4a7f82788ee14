//go:build linux

package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"time"
)

// answer resembles the answer of a small site.
const answer = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n" +
	"Content-Type: text/html; charset=UTF-8\r\nConnection: close\r\nVary: Accept-Encoding\r\n" +
	"X-Powered-By: PHP/8.3\r\nLink: <https://example.com/wp-json/>; rel=\"https://api.w.org/\"\r\n\r\n"

// slowness is how long the slow sites take to answer: long enough for a client to have all
// its checks in flight.
const slowness = 12 * time.Second

// addresses is the number of addresses: enough that the client never needs a port twice at
// once.
const addresses = 16

// serveTargets serves until in ends.
func serveTargets(in io.Reader, out io.Writer) error {
	config, root, err := certificates()
	if err != nil {
		return err
	}
	at := target{Root: root}
	if at.Names, err = serveNames(); err != nil {
		return err
	}
	slow := func(c net.Conn) { talkTo(c, slowness) }
	fast := func(c net.Conn) { talkTo(c, 0) }
	for i := range addresses {
		host := fmt.Sprintf("127.0.0.%d:0", i+2)
		for _, s := range []struct {
			scheme string
			serve  func(net.Conn)
			urls   *[]string
		}{{"http", nil, &at.Plain}, {"https", fast, &at.TLS}, {"http", slow, &at.Slow}, {"https", slow, &at.SlowTLS}} {
			l, err := net.Listen("tcp", host)
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}
			*s.urls = append(*s.urls, s.scheme+"://"+l.Addr().String()+"/")
			switch {
			case s.serve == nil:
				err = serveRaw(l)
			case s.scheme == "https":
				go accept(tls.NewListener(l, config), s.serve)
			default:
				go accept(l, s.serve)
			}
			if err != nil {
				return err
			}
		}
	}
	if err := json.NewEncoder(out).Encode(at); err != nil {
		return fmt.Errorf("tell where: %w", err)
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

func accept(l net.Listener, serve func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go serve(c)
	}
}

// talkTo answers one request.
func talkTo(c net.Conn, wait time.Duration) {
	defer c.Close()
	r := bufio.NewReaderSize(c, 512)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if strings.TrimSpace(line) == "" {
			break
		}
	}
	time.Sleep(wait)
	_, _ = io.WriteString(c, answer)
}

// certificates makes the certificates of a usual site: ECDSA P-256, a root, an intermediate,
// a leaf.
func certificates() (*tls.Config, string, error) {
	root, rootKey, err := issue(nil, nil, true)
	if err != nil {
		return nil, "", err
	}
	between, betweenKey, err := issue(root, rootKey, true)
	if err != nil {
		return nil, "", err
	}
	leaf, leafKey, err := issue(between, betweenKey, false)
	if err != nil {
		return nil, "", err
	}
	config := &tls.Config{Certificates: []tls.Certificate{{
		Certificate: [][]byte{leaf.Raw, between.Raw}, PrivateKey: leafKey, Leaf: leaf,
	}}}
	return config, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})), nil
}

func issue(parent *x509.Certificate, signer *ecdsa.PrivateKey, isCA bool) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, nil, fmt.Errorf("make a serial number: %w", err)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "target " + serial.String()},
		NotBefore: time.Now().AddDate(0, 0, -30), NotAfter: time.Now().AddDate(0, 0, 60),
		IsCA: isCA, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if isCA {
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageCertSign, nil
	}
	for i := range addresses {
		c.IPAddresses = append(c.IPAddresses, net.IPv4(127, 0, 0, byte(i+2)))
	}
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, nil, fmt.Errorf("make a certificate: %w", err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("read a certificate: %w", err)
	}
	return made, key, nil
}
