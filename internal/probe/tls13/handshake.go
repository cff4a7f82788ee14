package tls13

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"net"
	"strings"

	"github.com/Automattic/jetmon/internal/probe/tls12"
)

// The types of handshake messages.
const (
	clientHello         = 1
	serverHello         = 2
	newSessionTicket    = 4
	encryptedExtensions = 8
	certificate         = 11
	certificateWanted   = 13
	certificateVerify   = 15
	finished            = 20
	keyUpdate           = 24
)

// The numbers of extensions.
const (
	extVersions = 43
	extShare    = 51
	version13   = 0x0304
)

func suites() []suite { return []suite{{0x1301, 16, sha256.New}, {0x1302, 32, sha512.New384}} }

// groups lists the groups of which a share is sent.
func groups() []uint16 { return []uint16{tls12.GroupX25519, tls12.GroupP256} }

// session is a handshake under way.
type session struct {
	*Conn
	config tls12.Config

	id     []byte // of a session that nobody resumes, for what stands on the way
	shares map[uint16]*ecdh.PrivateKey
	suite  suite
	// secret is that of the handshake, and client and server are of its two directions.
	secret, client, server []byte
	// wanted is the context of the server's question for a certificate; nil without one.
	wanted []byte
	key    crypto.PublicKey
}

// Client does the handshake over a connection, which the caller closes. Its errors are those
// of tls12.
func Client(conn net.Conn, config tls12.Config) (*Conn, error) {
	s := &session{Conn: &Conn{Conn: conn}, config: config, shares: map[uint16]*ecdh.PrivateKey{}}
	for _, step := range []func() error{s.hello, s.readHello, s.readFlight, s.answer} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	s.log = nil
	return s.Conn, nil
}

// hello sends the ClientHello.
func (s *session) hello() error {
	random := make([]byte, 64)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	s.id = random[32:]
	for _, group := range groups() {
		key, err := tls12.Curve(group).GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		s.shares[group] = key
	}
	var b tls12.Builder
	b.U16(version)
	b.Raw(random[:32])
	b.U8(byte(len(s.id)))
	b.Raw(s.id)
	b.Sized16(func() {
		for _, suite := range suites() {
			b.U16(suite.id)
		}
	})
	b.Raw([]byte{1, 0}) // no compression
	b.Sized16(func() { s.extensions(&b) })
	return s.send(clientHello, b.B)
}

func (s *session) extensions(b *tls12.Builder) {
	b.Offer(s.config)
	b.U16(extVersions)
	b.Sized16(func() {
		b.U8(2)
		b.U16(version13)
	})
	b.U16(extShare)
	b.Sized16(func() {
		b.Sized16(func() {
			for _, group := range groups() {
				b.U16(group)
				b.Sized16(func() { b.Raw(s.shares[group].PublicKey().Bytes()) })
			}
		})
	})
}

// readHello reads the ServerHello and turns the keys of the handshake on.
func (s *session) readHello() error {
	body, err := s.receive(serverHello)
	if err != nil {
		return err
	}
	in := &tls12.Reader{B: body}
	legacy, random := in.U16(), in.Take(32)
	id, chosen, compression := in.Take(int(in.U8())), in.U16(), in.U8()
	extensions := &tls12.Reader{B: in.Take(int(in.U16()))}
	var spoken, group uint16
	var point []byte
	for len(extensions.B) > 0 {
		kind := extensions.U16()
		content := &tls12.Reader{B: extensions.Take(int(extensions.U16()))}
		switch kind {
		case extVersions:
			spoken = content.U16()
		case extShare:
			group = content.U16()
			point = content.Take(int(content.U16()))
		}
	}
	retry := sha256.Sum256([]byte("HelloRetryRequest"))
	ours := s.shares[group]
	switch {
	case in.Bad || extensions.Bad || legacy != version || compression != 0:
		return tls12.ErrMalformed
	case spoken != version13, bytes.Equal(random, retry[:]), ours == nil:
		return tls12.ErrNotSpoken
	case !bytes.Equal(id, s.id):
		return tls12.ErrMalformed
	}
	for _, known := range suites() {
		if known.id == chosen {
			s.suite = known
			return s.agree(ours, point)
		}
	}
	return tls12.ErrNotSpoken
}

// agree works out the secrets of the handshake.
func (s *session) agree(ours *ecdh.PrivateKey, point []byte) error {
	theirs, err := ours.Curve().NewPublicKey(point)
	if err != nil {
		return tls12.ErrMalformed
	}
	shared, err := ours.ECDH(theirs)
	if err != nil {
		return tls12.ErrMalformed
	}
	early, err := hkdf.Extract(s.suite.hash, make([]byte, s.suite.hash().Size()), nil)
	if err != nil {
		return err
	}
	if s.secret, err = s.suite.next(early, shared); err != nil {
		return err
	}
	if s.client, err = s.suite.derive(s.secret, "c hs traffic", s.transcript()); err != nil {
		return err
	}
	if s.server, err = s.suite.derive(s.secret, "s hs traffic", s.transcript()); err != nil {
		return err
	}
	if len(s.messages) > 0 {
		return tls12.ErrMalformed // under no key
	}
	s.in, err = s.suite.keyed(s.server)
	return err
}

// readFlight reads the server's messages from EncryptedExtensions to Finished.
func (s *session) readFlight() error {
	body, err := s.receive(encryptedExtensions)
	if err != nil {
		return err
	}
	if err := s.takeExtensions(&tls12.Reader{B: body}); err != nil {
		return err
	}
	kind, body, err := s.next()
	if err == nil && kind == certificateWanted {
		in := &tls12.Reader{B: body}
		if s.wanted = append([]byte{}, in.Take(int(in.U8()))...); in.Bad {
			return tls12.ErrMalformed
		}
		kind, body, err = s.next()
	}
	switch {
	case err != nil:
		return err
	case kind != certificate:
		return tls12.ErrMalformed
	}
	if err := s.takeCertificates(&tls12.Reader{B: body}); err != nil {
		return err
	}
	said := s.transcript()
	if body, err = s.receive(certificateVerify); err != nil {
		return err
	}
	if err := s.takeProof(&tls12.Reader{B: body}, said); err != nil {
		return err
	}
	want, err := s.suite.finished(s.server, s.transcript())
	if err != nil {
		return err
	}
	if body, err = s.receive(finished); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(body, want) != 1 || len(s.messages) > 0 {
		return tls12.ErrMalformed
	}
	return nil
}

// takeExtensions reads the protocol that the server has chosen.
func (s *session) takeExtensions(in *tls12.Reader) error {
	extensions := &tls12.Reader{B: in.Take(int(in.U16()))}
	protocol := s.config.Protocol
	for len(extensions.B) > 0 {
		kind := extensions.U16()
		content := &tls12.Reader{B: extensions.Take(int(extensions.U16()))}
		if kind == tls12.ExtProtocols {
			content.U16()
			protocol = string(content.Take(int(content.U8())))
		}
	}
	switch {
	case in.Bad || extensions.Bad:
		return tls12.ErrMalformed
	case protocol != s.config.Protocol:
		return tls12.ErrNotSpoken
	}
	return nil
}

func (s *session) takeCertificates(in *tls12.Reader) (err error) {
	context := in.U8()
	list := &tls12.Reader{B: in.Take(in.U24())}
	var all [][]byte
	for len(list.B) > 0 {
		all = append(all, list.Take(list.U24()))
		list.Take(int(list.U16())) // its extensions
	}
	if in.Bad || list.Bad || context != 0 || len(all) == 0 {
		return tls12.ErrMalformed
	}
	s.key, err = s.config.Verify(all)
	return err
}

// takeProof verifies the server's signature under what was said before it. TLS 1.3 has no
// signatures by PKCS #1.
func (s *session) takeProof(in *tls12.Reader, said []byte) error {
	algorithm := in.U16()
	signature := in.Take(int(in.U16()))
	if in.Bad || algorithm&0xff == 1 {
		return tls12.ErrMalformed
	}
	content := append([]byte(strings.Repeat(" ", 64)+"TLS 1.3, server CertificateVerify\x00"), said...)
	return tls12.Verify(s.key, algorithm, content, signature)
}

// answer sends the client's messages, all at once: a server that refuses the first of them
// would close the connection before the rest, and its alert could get lost.
func (s *session) answer() error {
	s.held = []byte{}
	if err := s.compose(); err != nil {
		return err
	}
	_, err := s.Conn.Conn.Write(s.held)
	s.held = nil
	return err
}

// compose writes the client's messages and turns the keys of the connection on.
func (s *session) compose() error {
	secret, err := s.suite.next(s.secret, make([]byte, s.suite.hash().Size()))
	if err != nil {
		return err
	}
	said := s.transcript() // up to the server's Finished
	if err := s.writeRecord(recordChangeCipher, []byte{1}); err != nil {
		return err
	}
	if s.out, err = s.suite.keyed(s.client); err != nil {
		return err
	}
	if s.wanted != nil {
		none := append(append([]byte{byte(len(s.wanted))}, s.wanted...), 0, 0, 0)
		if err := s.send(certificate, none); err != nil {
			return err
		}
	}
	proof, err := s.suite.finished(s.client, s.transcript())
	if err != nil {
		return err
	}
	if err := s.send(finished, proof); err != nil {
		return err
	}
	for label, half := range map[string]*half{"c ap traffic": &s.out, "s ap traffic": &s.in} {
		traffic, err := s.suite.derive(secret, label, said)
		if err != nil {
			return err
		}
		if *half, err = s.suite.keyed(traffic); err != nil {
			return err
		}
	}
	return nil
}

// send sends a handshake message and notes it.
func (s *session) send(kind byte, body []byte) error {
	m := append([]byte{kind, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
	s.log = append(s.log, m...)
	return s.writeRecord(recordHandshake, m)
}

// receive returns the body of the next message, which must be of a kind.
func (s *session) receive(want byte) ([]byte, error) {
	kind, body, err := s.next()
	if err == nil && kind != want {
		err = tls12.ErrMalformed
	}
	return body, err
}

// next returns the next handshake message and notes it.
func (s *session) next() (kind byte, body []byte, err error) {
	for range maxHandshake {
		m, err := s.message()
		if err != nil {
			return 0, nil, err
		}
		if m != nil {
			s.log = append(s.log, m...)
			return m[0], m[4:], nil
		}
		record, piece, err := s.readRecord()
		switch {
		case err != nil:
			return 0, nil, err
		case record == recordChangeCipher && len(s.messages) == 0: // for what stands on the way
		case record != recordHandshake || len(piece) == 0:
			return 0, nil, tls12.ErrMalformed
		default:
			s.messages = append(s.messages, piece...)
		}
	}
	return 0, nil, tls12.ErrMalformed
}

// transcript is the hash of all that was said.
func (s *session) transcript() []byte {
	h := s.suite.hash()
	h.Write(s.log)
	return h.Sum(nil)
}
