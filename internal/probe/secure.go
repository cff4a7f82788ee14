package probe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// secure makes TLS connections, all with the same base configuration.
type secure struct {
	base     tls.Config
	chains   *chains
	sessions *sessions
	now      func() time.Time
}

// newSecure sets what all handshakes have in common. It offers old versions and cipher
// suites because a site that speaks nothing newer is up; such a site gets an advisory.
// Of the curves it offers X25519 first and sends only that key share. The hybrid with
// ML-KEM would cost a quarter of a handshake to protect secrets that a check does not
// have. A server without X25519 asks for one of the others.
func newSecure(roots *x509.CertPool, now func() time.Time, sessionBytes int64) *secure {
	var suites []uint16
	for _, s := range tls.CipherSuites() {
		suites = append(suites, s.ID)
	}
	for _, s := range tls.InsecureCipherSuites() {
		suites = append(suites, s.ID)
	}
	return &secure{
		now: now, chains: newChains(roots, now), sessions: newSessions(sessionBytes, now),
		base: tls.Config{
			Time:             now,
			MinVersion:       tls.VersionTLS10,
			CipherSuites:     suites,
			CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
			NextProtos:       []string{protocolHTTP1},
			// Old servers renegotiate before they decide about client certificates.
			Renegotiation: tls.RenegotiateOnceAsClient,
			// handshake.verify verifies certificates instead, and remembers the results.
			InsecureSkipVerify: true,
		},
	}
}

// handshake is one TLS handshake with a server. It implements [tls.ClientSessionCache] for
// its one connection.
type handshake struct {
	*secure
	host, key string
	// full asks for a full handshake without resumption.
	full bool
	// offers are the protocols on offer; nil means HTTP/1.1.
	offers []string
	// agreed is the protocol that the server chose.
	agreed string
	// begun is true once there was a connection, badChain when the server's certificate is not
	// valid, and refused when crypto/tls ended the handshake for a reason without a type.
	begun, badChain, refused bool
	// offered is the session offered to the server, nil for none.
	offered *session
	resumed bool
	until   time.Time
	bytes   int64
}

// handshake prepares a handshake with a place.
func (s *secure) handshake(p *place, full bool) *handshake {
	return &handshake{secure: s, host: p.host, key: p.hostHeader(), full: full}
}

// config returns the configuration for the handshake.
func (e *handshake) config() *tls.Config {
	b := &e.secure.base
	c := &tls.Config{
		Time: b.Time, MinVersion: b.MinVersion, CipherSuites: b.CipherSuites, CurvePreferences: b.CurvePreferences,
		NextProtos: b.NextProtos, Renegotiation: b.Renegotiation, InsecureSkipVerify: b.InsecureSkipVerify,
		ServerName: e.host, VerifyConnection: e.verify,
	}
	if e.sessions != nil {
		c.ClientSessionCache = e
	}
	if e.offers != nil {
		c.NextProtos, c.ClientSessionCache = e.offers, nil
	}
	return c
}

// verify verifies the server's certificate, also that of a resumed session.
func (e *handshake) verify(state tls.ConnectionState) error {
	e.agreed = state.NegotiatedProtocol
	until, err := e.chains.verify(e.host, state.PeerCertificates)
	if err != nil {
		e.badChain = true
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	e.resumed, e.until = state.DidResume, until
	e.bytes = sessionOverhead + int64(len(e.host)+len(e.key))
	for _, c := range state.PeerCertificates {
		e.bytes += parsedCopies*int64(len(c.Raw)) + parsedOverhead
	}
	return nil
}

// Get implements [tls.ClientSessionCache].
func (e *handshake) Get(string) (*tls.ClientSessionState, bool) {
	if e.full {
		return nil, false
	}
	if e.offered = e.sessions.recall(e.key); e.offered == nil {
		return nil, false
	}
	return e.offered.state, true
}

// Put implements [tls.ClientSessionCache]. crypto/tls calls it after verify, or with nil.
func (e *handshake) Put(_ string, state *tls.ClientSessionState) {
	if state == nil {
		e.sessions.forget(e.key)
		return
	}
	ticket, _, err := state.ResumptionState()
	if err != nil || e.until.IsZero() {
		return
	}
	k := &session{key: e.key, state: state, bytes: e.bytes + int64(len(ticket)), full: e.now(), until: e.until}
	if e.resumed && e.offered != nil {
		k.full = e.offered.full
	}
	e.sessions.remember(k)
}

// failed drops the offered session and reports whether to try again with a full
// handshake: the resumption may have caused the failure.
func (e *handshake) failed(f *failure) (again bool) {
	if e == nil || e.offered == nil {
		return false
	}
	e.sessions.forget(e.key)
	return !f.timedOut
}

// leafEnd returns the end of the leaf's validity, even when the chain did not verify.
func leafEnd(state tls.ConnectionState, err error) time.Time {
	chain := state.PeerCertificates
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		chain = e.UnverifiedCertificates
	}
	if len(chain) == 0 {
		return time.Time{}
	}
	return chain[0].NotAfter.UTC()
}
