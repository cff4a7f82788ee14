package probe

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe/tls12"
	"github.com/Automattic/jetmon/internal/probe/tls13"
)

// maxRSABits is the largest RSA key of a certificate that crypto/tls accepts.
const maxRSABits = 8192

// refusedByClient reports whether crypto/tls itself ended a handshake, for a reason without
// a type: among them is a certificate that crypto/x509 cannot parse.
func refusedByClient(err error, f *failure) bool {
	_, alert := alertOf(err)
	return f.kind == check.FailureTLS && f.reason == "handshake_failure" && !alert
}

// errNoStray means that every certificate can be read, or that the leaf cannot.
var errNoStray = errors.New("no stray certificate")

// tryWithoutStray repeats an exchange, which failed with f in the handshake, in case that the
// server shows a certificate that cannot be read and that no chain needs. Browsers leave it
// alone; crypto/tls cannot. The first result stands unless that is so. It tries TLS 1.2, which
// most servers speak, and then TLS 1.3.
func (e *netEngine) tryWithoutStray(ctx context.Context, r *request, t *trace, f *failure) (*response, *failure) {
	for _, v := range []lax{{tls.VersionTLS12, onTLS12}, {tls.VersionTLS13, onTLS13}} {
		resp, second, judged := e.tryLax(ctx, r, t, v)
		if judged {
			return resp, second
		}
	}
	return nil, f
}

// lax is a version of TLS, and its client that leaves the certificates to us.
type lax struct {
	version uint16
	client  func(net.Conn, tls12.Config) (net.Conn, error)
}

func onTLS12(raw net.Conn, c tls12.Config) (net.Conn, error) { return tls12.Client(raw, c) }
func onTLS13(raw net.Conn, c tls12.Config) (net.Conn, error) { return tls13.Client(raw, c) }

// tryLax makes one such attempt. judged is true when the server showed a stray certificate, so
// that the attempt decides.
func (e *netEngine) tryLax(ctx context.Context, r *request, t *trace, v lax) (resp *response, f *failure, judged bool) {
	var second trace
	raw, refused := e.connector.connect(ctx, r, &second)
	if refused != nil {
		return nil, nil, false
	}
	giveUp := hold(ctx, raw)
	second.reach(check.PhaseTLS)
	start := time.Now()
	conn, err := v.client(raw, tls12.Config{
		ServerName: r.place.host, Protocol: protocolHTTP1,
		Verify: func(shown [][]byte) (crypto.PublicKey, error) {
			key, err := e.secure.readable(r, shown, v.version, &second)
			judged = err != errNoStray
			return key, err
		},
	})
	second.timing.TLS += since(start)
	switch {
	case err == nil:
		resp, f = converse(conn, nil, r, &second)
	case judged:
		f = handshakeFailure(err, e.secure.now())
	}
	if judged {
		t.adopt(&second)
	} else {
		second.dropIPv6()
	}
	if resp == nil {
		giveUp()
		return nil, f, judged
	}
	resp.close = giveUp
	return resp, nil, judged
}

// readable verifies a server's certificates without those that cannot be read, and returns
// the leaf's key.
func (s *secure) readable(r *request, shown [][]byte, version uint16, t *trace) (crypto.PublicKey, error) {
	var chain []*x509.Certificate
	stray := false
	for i, der := range shown {
		c, err := x509.ParseCertificate(der)
		if err == nil {
			key, isRSA := c.PublicKey.(*rsa.PublicKey)
			if !isRSA || key.N.BitLen() <= maxRSABits {
				chain = append(chain, c)
				continue
			}
		}
		if i == 0 {
			return nil, errNoStray
		}
		stray = true
	}
	if !stray {
		return nil, errNoStray
	}
	_, err := s.chains.verify(r.place.host, chain)
	t.secured(chain[0].NotAfter.UTC(), version, err == nil || r.lenient)
	if err != nil {
		err = &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
		if !r.lenient {
			return nil, err
		}
		t.distrust = handshakeFailure(err, s.now())
	}
	return chain[0].PublicKey, nil
}
