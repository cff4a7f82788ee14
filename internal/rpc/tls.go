package rpc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
)

// LoadServerTLS reads a server's certificate chain and key (PEM files). With a
// clientCAFile, a certificate that a caller presents must be signed by one of its
// authorities; who presents none must prove in another way who they are.
func LoadServerTLS(certFile, keyFile, clientCAFile string) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("load the server's certificate %s and key %s: %w", certFile, keyFile, err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	if clientCAFile != "" {
		if c.ClientCAs, err = loadPool(clientCAFile); err != nil {
			return nil, err
		}
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return c, nil
}

// LoadClientTLS reads a client's TLS files: the authorities for the server's certificate in
// caFile ("" means the system's), and the client's own certificate and key for a server
// that requires them (both or neither).
func LoadClientTLS(caFile, certFile, keyFile string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pool, err := loadPool(caFile)
		if err != nil {
			return nil, err
		}
		c.RootCAs = pool
	}
	if (certFile == "") != (keyFile == "") {
		return nil, errors.New("a client's certificate and key must be given together")
	}
	if certFile != "" {
		cert, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("load the client's certificate %s and key %s: %w", certFile, keyFile, err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

func loadPool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("load certificate authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("load certificate authorities: %s holds no PEM certificate", file)
	}
	return pool, nil
}

// CheckExposure refuses a server that authenticates nobody and listens beyond loopback, where
// others can reach it. allowed is the operator's explicit permission to do that.
func CheckExposure(listenAddr string, allowed bool) error {
	if allowed || onLoopback(listenAddr) {
		return nil
	}
	return fmt.Errorf("refusing to listen on %s, where anyone who can reach it may call: listen on a loopback address, or allow it explicitly", listenAddr)
}

// onLoopback returns false for an empty host, which means every address of the machine,
// and for names other than localhost, which may resolve to anything.
func onLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && Loopback(host)
}

// Loopback reports whether a host is certainly this machine: localhost or an address of
// loopback.
func Loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
