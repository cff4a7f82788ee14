package probe

import (
	"crypto/tls"
	"crypto/x509"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// secure makes TLS connections, all with the same base configuration.
type secure struct {
	base     tls.Config
	chains   *chains
	sessions *sessions
	now      func() time.Time
}

// The curves that a handshake offers. crypto/tls sends the key share of one: of X25519 if that
// is offered, or else of P-256, which costs a third less. So a handshake offers X25519 only
// to servers that do without the others. The hybrids with ML-KEM would cost more than all
// else to protect secrets that a check does not have.
func cheapCurves() []tls.CurveID { return []tls.CurveID{tls.CurveP256, tls.CurveP384, tls.CurveP521} }
func allCurves() []tls.CurveID   { return append(cheapCurves(), tls.X25519) }

// newSecure sets what all handshakes have in common. It offers old versions and cipher
// suites because a site that speaks nothing newer is up; such a site gets an advisory.
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
			CurvePreferences: cheapCurves(),
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
	// lenient goes on with a certificate that does not verify, and keeps why in distrust.
	lenient  bool
	distrust error
	// full asks for a full handshake without resumption, which offers all curves.
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
	// shown is true once the server has shown its certificates, or resumed the session.
	shown, resumed bool
	// until is the end of the verified chain's validity, and leafEnd that of the leaf's,
	// verified or not.
	until, leafEnd time.Time
	// kept is true once a session of this connection was remembered.
	kept bool
}

// handshake prepares the handshake of a request.
func (s *secure) handshake(r *request, full bool) *handshake {
	return &handshake{secure: s, host: r.place.host, key: r.place.hostHeader(), full: full, lenient: r.lenient}
}

// config returns the configuration for the handshake.
func (e *handshake) config() *tls.Config {
	b := &e.secure.base
	c := &tls.Config{
		Time: b.Time, MinVersion: b.MinVersion, CipherSuites: b.CipherSuites, CurvePreferences: b.CurvePreferences,
		NextProtos: b.NextProtos, Renegotiation: b.Renegotiation, InsecureSkipVerify: b.InsecureSkipVerify,
		ServerName: e.host, VerifyConnection: e.verify,
	}
	if e.full {
		c.CurvePreferences = allCurves()
	}
	if e.sessions != nil {
		c.ClientSessionCache = e
	}
	if e.offers != nil {
		c.NextProtos, c.ClientSessionCache = e.offers, nil
	}
	return c
}

// verify verifies the server's certificate. A session stands for those of its own first
// handshake, whose result holds until the first of them ends.
func (e *handshake) verify(state tls.ConnectionState) error {
	e.agreed = state.NegotiatedProtocol
	e.shown = true
	if state.DidResume && e.offered != nil {
		e.resumed, e.until, e.leafEnd = true, e.offered.until, e.offered.leafEnd
		return nil
	}
	if len(state.PeerCertificates) > 0 {
		e.leafEnd = state.PeerCertificates[0].NotAfter.UTC()
	}
	until, err := e.chains.verify(e.host, state.PeerCertificates)
	if err != nil {
		err = &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
		if e.lenient {
			e.distrust = err
			return nil
		}
		e.badChain = true
		return err
	}
	e.until = until
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

// Put implements [tls.ClientSessionCache]. crypto/tls calls it after verify, or with nil. It
// keeps the first session of a full handshake. Those of a resumed one are not worth their
// cost: a ticket that is used again lets others recognise the client, and a check does not
// hide who it is. A server that takes each ticket once answers with a full handshake.
func (e *handshake) Put(_ string, state *tls.ClientSessionState) {
	switch {
	case state == nil:
		e.sessions.forget(e.key)
	case e.resumed || e.kept || e.until.IsZero():
	default:
		e.kept = true
		e.sessions.remember(&session{key: e.key, state: state, full: e.now(), until: e.until, leafEnd: e.leafEnd})
	}
}

// failed drops the offered session and reports whether to try again with a full
// handshake and all curves: the resumption, or the lack of a common curve, may have caused
// the failure.
func (e *handshake) failed(f *failure) (again bool) {
	switch {
	case e == nil || e.full:
		return false
	case e.offered != nil:
		e.sessions.forget(e.key)
		return !f.timedOut
	}
	return f.kind == check.FailureTLS && !e.shown && f.reason != "not_tls"
}
