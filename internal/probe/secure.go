package probe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// secure makes TLS connections of one kind.
type secure struct {
	base     tls.Config
	chains   *chains
	sessions *sessions
	now      func() time.Time
}

// newSecure sets what all handshakes have in common. Old versions and cipher suites
// are offered because a site that speaks nothing newer is up; it gets an advisory.
// Curves: X25519 is offered first, and alone has its share sent along. The hybrid
// with ML-KEM costs a quarter of a handshake and keeps secrets, of which a check has none.
// A server without X25519 asks for one of the others.
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
			NextProtos:       []string{"http/1.1"},
			// Old servers ask for it before they decide about client certificates.
			Renegotiation: tls.RenegotiateOnceAsClient,
			// Verified all the same, in encounter.verify, which remembers what was verified.
			InsecureSkipVerify: true,
		},
	}
}

// encounter is one handshake with a server. It implements [tls.ClientSessionCache] for
// the one connection that it is made for.
type encounter struct {
	*secure
	host, key string
	// afresh asks for a full handshake.
	afresh bool
	// offered is the session that was offered, nil for none.
	offered *session
	resumed bool
	until   time.Time
	bytes   int64
}

// meet prepares a handshake with a place.
func (s *secure) meet(p *place, afresh bool) *encounter {
	return &encounter{secure: s, host: p.host, key: p.hostHeader(), afresh: afresh}
}

// config is the configuration of the handshake.
func (e *encounter) config() *tls.Config {
	b := &e.secure.base
	c := &tls.Config{
		Time: b.Time, MinVersion: b.MinVersion, CipherSuites: b.CipherSuites, CurvePreferences: b.CurvePreferences,
		NextProtos: b.NextProtos, Renegotiation: b.Renegotiation, InsecureSkipVerify: b.InsecureSkipVerify,
		ServerName: e.host, VerifyConnection: e.verify,
	}
	if e.sessions != nil {
		c.ClientSessionCache = e
	}
	return c
}

// verify judges the certificate, of a resumed session as well.
func (e *encounter) verify(state tls.ConnectionState) error {
	until, err := e.chains.verify(e.host, state.PeerCertificates)
	if err != nil {
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
func (e *encounter) Get(string) (*tls.ClientSessionState, bool) {
	if e.afresh {
		return nil, false
	}
	if e.offered = e.sessions.recall(e.key); e.offered == nil {
		return nil, false
	}
	return e.offered.state, true
}

// Put implements [tls.ClientSessionCache]. It is called after verify, or with nil.
func (e *encounter) Put(_ string, state *tls.ClientSessionState) {
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

// failed drops the session that was offered and says whether a full handshake is worth a
// try: what went wrong may be the resumption's fault.
func (e *encounter) failed(f *failure) (again bool) {
	if e == nil || e.offered == nil {
		return false
	}
	e.sessions.forget(e.key)
	return !f.timedOut
}

// leafEnd is the end of the leaf's validity, known also when the chain did not verify.
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
