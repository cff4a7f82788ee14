package tls12

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net"

	_ "crypto/sha256" // the hashes of the suites
	_ "crypto/sha512"
)

// suite is a cipher suite; both kinds of certificate have one with each key length.
type suite struct {
	id     uint16
	keyLen int
	hash   crypto.Hash
}

func suites() []suite {
	return []suite{
		{0xc02b, 16, crypto.SHA256}, {0xc02f, 16, crypto.SHA256},
		{0xc02c, 32, crypto.SHA384}, {0xc030, 32, crypto.SHA384},
	}
}

// ErrNotSpoken means that the server wants something that this package does not speak.
var ErrNotSpoken = errors.New("tls: nothing in common with the server")

// Config is what a handshake needs.
type Config struct {
	// ServerName is the host for SNI; an IP address is not sent.
	ServerName string
	// Protocol is the protocol to offer by ALPN; "" for none.
	Protocol string
	// Verify judges the server's certificates, leaf first, and returns the leaf's public key.
	// Its error ends the handshake.
	Verify func(certificates [][]byte) (crypto.PublicKey, error)
}

// session is a handshake under way.
type session struct {
	*Conn
	config Config

	clientRandom, serverRandom []byte
	suite                      suite
	// extended is true when the server binds the keys to the whole handshake (RFC 7627).
	extended                 bool
	wanted                   bool
	key                      crypto.PublicKey
	premaster, share, master []byte
	// next are the server's keys, in use once it says so.
	next half
}

// Client does the handshake over a connection. The caller closes the connection.
func Client(conn net.Conn, config Config) (*Conn, error) {
	s := &session{Conn: &Conn{Conn: conn}, config: config, clientRandom: make([]byte, 32)}
	if _, err := rand.Read(s.clientRandom); err != nil {
		return nil, err
	}
	for _, step := range []func() error{s.hello, s.readFlight, s.answer, s.readFinished} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	s.log = nil
	return s.Conn, nil
}

// hello sends the ClientHello.
func (s *session) hello() error {
	var b Builder
	b.U16(version)
	b.Raw(s.clientRandom)
	b.U8(0) // no session
	b.Sized16(func() {
		for _, suite := range suites() {
			b.U16(suite.id)
		}
	})
	b.Raw([]byte{1, 0}) // no compression
	b.Sized16(func() { s.extensions(&b) })
	return s.send(clientHello, b.B)
}

func (s *session) extensions(b *Builder) {
	b.Offer(s.config)
	b.U16(extPoints)
	b.Sized16(func() { b.Raw([]byte{1, 0}) })
	b.U16(extExtended)
	b.U16(0)
	b.U16(extRenegotiation)
	b.Sized16(func() { b.U8(0) })
}

// Offer adds the extensions of a ClientHello that all versions of TLS have: the name of the
// server, groups, signature algorithms and the protocol.
func (b *Builder) Offer(c Config) {
	if name := c.ServerName; name != "" && !isAddress(name) {
		b.U16(extServerName)
		b.Sized16(func() {
			b.Sized16(func() {
				b.U8(0)
				b.Sized16(func() { b.Raw([]byte(name)) })
			})
		})
	}
	b.U16(extGroups)
	b.Sized16(func() {
		b.Sized16(func() {
			b.U16(GroupX25519)
			b.U16(GroupP256)
		})
	})
	b.U16(extSignatures)
	b.Sized16(func() {
		b.Sized16(func() {
			for _, a := range algorithms() {
				b.U16(a.id)
			}
		})
	})
	if c.Protocol != "" {
		b.U16(ExtProtocols)
		b.Sized16(func() {
			b.Sized16(func() {
				b.U8(byte(len(c.Protocol)))
				b.Raw([]byte(c.Protocol))
			})
		})
	}
}

func isAddress(name string) bool { return net.ParseIP(name) != nil }

// readFlight reads the server's messages up to ServerHelloDone.
func (s *session) readFlight() error {
	expected := byte(serverHello)
	for {
		kind, body, err := s.receive()
		if err != nil {
			return err
		}
		in := &Reader{B: body}
		switch {
		case kind == certificateWanted && expected == serverHelloDone && !s.wanted:
			s.wanted = true
			continue
		case kind != expected:
			return ErrMalformed
		case kind == serverHello:
			err, expected = s.takeHello(in), certificate
		case kind == certificate:
			err, expected = s.takeCertificates(in), serverKeyExchange
		case kind == serverKeyExchange:
			err, expected = s.takeKeyExchange(body), serverHelloDone
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *session) takeHello(in *Reader) error {
	chosen := in.U16()
	s.serverRandom = in.Take(32)
	in.Take(int(in.U8()))
	id := in.U16()
	compression := in.U8()
	extensions := &Reader{B: in.Take(int(in.U16()))}
	protocol := s.config.Protocol
	for len(extensions.B) > 0 {
		kind := extensions.U16()
		content := &Reader{B: extensions.Take(int(extensions.U16()))}
		switch kind {
		case extExtended:
			s.extended = true
		case ExtProtocols:
			content.U16()
			protocol = string(content.Take(int(content.U8())))
		}
	}
	if in.Bad || extensions.Bad || compression != 0 {
		return ErrMalformed
	}
	for _, known := range suites() {
		if known.id == id && chosen == version && protocol == s.config.Protocol {
			s.suite = known
			return nil
		}
	}
	return ErrNotSpoken
}

func (s *session) takeCertificates(in *Reader) (err error) {
	list := &Reader{B: in.Take(in.U24())}
	var all [][]byte
	for len(list.B) > 0 {
		all = append(all, list.Take(list.U24()))
	}
	if in.Bad || list.Bad || len(all) == 0 {
		return ErrMalformed
	}
	s.key, err = s.config.Verify(all)
	return err
}

// takeKeyExchange reads the server's share and verifies its signature.
func (s *session) takeKeyExchange(body []byte) error {
	in := &Reader{B: body}
	kind, group := in.U8(), in.U16()
	point := in.Take(int(in.U8()))
	signed := body[:len(body)-len(in.B)]
	algorithm := in.U16()
	signature := in.Take(int(in.U16()))
	if in.Bad || kind != 3 {
		return ErrMalformed
	}
	said := append(append(append([]byte{}, s.clientRandom...), s.serverRandom...), signed...)
	if err := Verify(s.key, algorithm, said, signature); err != nil {
		return err
	}
	curve := Curve(group)
	if curve == nil {
		return ErrNotSpoken
	}
	theirs, err := curve.NewPublicKey(point)
	if err != nil {
		return ErrMalformed
	}
	ours, err := curve.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	s.share = ours.PublicKey().Bytes()
	if s.premaster, err = ours.ECDH(theirs); err != nil {
		return ErrMalformed
	}
	return nil
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

// compose writes the client's messages and turns the keys on.
func (s *session) compose() error {
	if s.wanted {
		if err := s.send(certificate, []byte{0, 0, 0}); err != nil {
			return err
		}
	}
	if err := s.send(clientKeyExchange, append([]byte{byte(len(s.share))}, s.share...)); err != nil {
		return err
	}
	label, seed := "master secret", append(append([]byte{}, s.clientRandom...), s.serverRandom...)
	if s.extended {
		label, seed = "extended master secret", s.transcript()
	}
	s.master = s.prf(s.premaster, label, seed, 48)
	if err := s.writeRecord(recordChangeCipher, []byte{1}); err != nil {
		return err
	}
	keys := s.prf(s.master, "key expansion", append(append([]byte{}, s.serverRandom...), s.clientRandom...), 2*s.suite.keyLen+8)
	cut := func(n int) (k []byte) {
		k, keys = keys[:n], keys[n:]
		return k
	}
	clientKey, serverKey := cut(s.suite.keyLen), cut(s.suite.keyLen)
	var err error
	if s.out, err = newHalf(clientKey, cut(4)); err != nil {
		return err
	}
	pending, err := newHalf(serverKey, cut(4))
	if err != nil {
		return err
	}
	s.next = pending
	return s.send(finished, s.prf(s.master, "client finished", s.transcript(), 12))
}

func newHalf(key, salt []byte) (half, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return half{}, err
	}
	aead, err := cipher.NewGCM(block)
	return half{aead: aead, salt: salt}, err
}

// readFinished reads the server's last messages, which prove that it has the same keys and
// heard the same.
func (s *session) readFinished() error {
	for tickets := 0; ; tickets++ {
		want := s.prf(s.master, "server finished", s.transcript(), 12)
		kind, body, err := s.receive()
		switch {
		case err != nil:
			return err
		case kind == newSessionTicket && s.in.aead == nil && tickets == 0:
			continue
		case kind != finished || s.in.aead == nil || subtle.ConstantTimeCompare(body, want) != 1:
			return ErrMalformed
		}
		return nil
	}
}

// send sends a handshake message and notes it.
func (s *session) send(kind byte, body []byte) error {
	m := append([]byte{kind, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
	s.log = append(s.log, m...)
	return s.writeRecord(recordHandshake, m)
}

// receive returns the next handshake message and notes it.
func (s *session) receive() (kind byte, body []byte, err error) {
	for empty := 0; ; {
		if len(s.messages) >= 4 {
			n := int(s.messages[1])<<16 | int(s.messages[2])<<8 | int(s.messages[3])
			if n > maxHandshake {
				return 0, nil, ErrMalformed
			}
			if m := s.messages; len(m) >= 4+n {
				s.messages = m[4+n:]
				if m[0] == helloRequest {
					continue
				}
				s.log = append(s.log, m[:4+n]...)
				return m[0], m[4 : 4+n], nil
			}
		}
		record, piece, err := s.readRecord()
		switch {
		case err != nil:
			return 0, nil, err
		case record == recordChangeCipher && s.next.aead != nil && len(s.messages) == 0:
			s.in, s.next = s.next, half{}
		case record != recordHandshake:
			return 0, nil, ErrMalformed
		default:
			s.messages = append(s.messages, piece...)
			if empty++; len(piece) > 0 {
				empty = 0
			}
			if empty > maxEmpty {
				return 0, nil, ErrMalformed
			}
		}
	}
}

// transcript is the hash of all that was said.
func (s *session) transcript() []byte {
	h := s.suite.hash.New()
	h.Write(s.log)
	return h.Sum(nil)
}

// prf is the pseudorandom function of RFC 5246, section 5.
func (s *session) prf(secret []byte, label string, seed []byte, n int) []byte {
	mac := func(parts ...[]byte) []byte {
		h := hmac.New(s.suite.hash.New, secret)
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	seed = append([]byte(label), seed...)
	var out []byte
	for a := mac(seed); len(out) < n; a = mac(a) {
		out = append(out, mac(a, seed)...)
	}
	return out[:n]
}
