package secondopinion

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe/tls12"
	"github.com/Automattic/jetmon/internal/probe/tls13"
)

// open connects to a location, with a TLS session where it needs one. lax means that
// crypto/tls could not read what the server showed: then TLS 1.2 is tried by a client that
// leaves the certificates to us, and TLS 1.3 if the server shows none to that one.
func (a *asking) open(ctx context.Context, to location, lax bool) (net.Conn, error) {
	if !lax || to.scheme != "https" {
		return a.session(ctx, to, func(ctx context.Context, raw net.Conn) (net.Conn, error) {
			config := a.tls.Clone()
			config.ServerName, config.NextProtos = to.host, []string{"http/1.1"}
			c := tls.Client(raw, config)
			return c, c.HandshakeContext(ctx)
		})
	}
	shown := false
	conn, err := a.session(ctx, to, func(_ context.Context, raw net.Conn) (net.Conn, error) {
		return tls12.Client(raw, a.laxly(to, &shown))
	})
	if err == nil || shown {
		return conn, err
	}
	return a.session(ctx, to, func(_ context.Context, raw net.Conn) (net.Conn, error) {
		return tls13.Client(raw, a.laxly(to, &shown))
	})
}

// laxly configures such a client. shown becomes true when the server shows certificates.
func (a *asking) laxly(to location, shown *bool) tls12.Config {
	return tls12.Config{ServerName: to.host, Protocol: "http/1.1", Verify: func(certificates [][]byte) (crypto.PublicKey, error) {
		*shown = true
		return a.readable(to.host, certificates)
	}}
}

// session connects to a location, and does a handshake where it needs one.
func (a *asking) session(ctx context.Context, to location, handshake func(context.Context, net.Conn) (net.Conn, error)) (net.Conn, error) {
	raw, err := a.dialer(ctx)(ctx, "tcp", net.JoinHostPort(to.host, strconv.Itoa(int(to.port))))
	if err != nil || to.scheme != "https" {
		return raw, err
	}
	a.reach(check.PhaseTLS)
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	conn, err := handshake(ctx, raw)
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return conn, nil
}

// readable verifies the certificates that a server shows without those behind the leaf that
// cannot be read, and returns the leaf's key. No path may need them: browsers do not even
// look at them.
func (a *asking) readable(host string, shown [][]byte) (crypto.PublicKey, error) {
	if len(shown) == 0 {
		return nil, errors.New("the server shows no certificate")
	}
	leaf, err := x509.ParseCertificate(shown[0])
	if err != nil {
		return nil, err
	}
	others := x509.NewCertPool()
	for _, der := range shown[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			others.AddCert(c)
		}
	}
	now := time.Now
	if a.tls.Time != nil {
		now = a.tls.Time
	}
	_, err = leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: a.tls.RootCAs, Intermediates: others, CurrentTime: now()})
	if err != nil {
		return nil, &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{leaf}, Err: err}
	}
	a.note(func(s *seen) { s.leafEnd = leaf.NotAfter.UTC() })
	return leaf.PublicKey, nil
}
