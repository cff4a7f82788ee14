package probe

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"sync/atomic"
	"time"
)

// packed is a TLS session as bytes: its key, its ticket, its state. A session as crypto/tls
// has it takes about 10 KiB, most of them for the server's certificates.
type packed struct {
	data []byte
	// ticketAt and stateAt are where these begin.
	ticketAt, stateAt int32
}

func (p packed) key() []byte { return p.data[:p.ticketAt] }

// size is the memory that the session takes in the cache.
func (p packed) size() int64 {
	if p.data == nil {
		return 0
	}
	return int64(cap(p.data)) + sessionOverhead
}

func (p packed) unpack() (*tls.ClientSessionState, error) {
	state, err := tls.ParseSessionState(p.data[p.stateAt:])
	if err != nil {
		return nil, err
	}
	return tls.NewResumptionState(p.data[p.ticketAt:p.stateAt:p.stateAt], state)
}

// packer packs sessions. It puts a small certificate of its own into the place of a server's,
// which nobody needs: what was verified is that of the session's first handshake, and its
// result is kept with the session.
//
// crypto/tls calls its encoding opaque. So the packer does not trust what it has read of it:
// crypto/tls must read the changed session as well and write the same bytes. If a later
// version of Go encodes sessions in another way, they are kept whole.
type packer struct {
	// certificates is an encoded list of certificates with the packer's own; nil if there
	// is none.
	certificates []byte
	// parsed keeps that certificate in crypto/tls's cache of parsed ones.
	parsed atomic.Pointer[tls.SessionState]
}

func newPacker() *packer {
	der, err := placeholder()
	if err != nil {
		return &packer{} // sessions are kept whole
	}
	// A list is its length and its entries; an entry is a certificate and its extensions.
	entry := append(append(appendLength24(nil, len(der)), der...), 0, 0)
	return &packer{certificates: append(appendLength24(nil, len(entry)), entry...)}
}

// placeholder returns a certificate that signs nothing and never ends.
func placeholder() ([]byte, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}
	return x509.CreateCertificate(rand.Reader, c, c, public, private)
}

var errNoSession = errors.New("no session to pack")

func (p *packer) pack(key string, state *tls.ClientSessionState) (packed, error) {
	ticket, s, err := state.ResumptionState()
	if err != nil {
		return packed{}, err
	}
	if s == nil || len(ticket) == 0 {
		return packed{}, errNoSession
	}
	encoded, err := s.Bytes()
	if err != nil {
		return packed{}, err
	}
	encoded = p.lighten(encoded)
	data := make([]byte, 0, len(key)+len(ticket)+len(encoded))
	data = append(append(append(data, key...), ticket...), encoded...)
	return packed{data, int32(len(key)), int32(len(key) + len(ticket))}, nil
}

// lighten replaces the certificates in an encoded session, if it can.
func (p *packer) lighten(encoded []byte) []byte {
	from, to, ok := certificateList(encoded)
	if !ok || p.certificates == nil || bytes.Equal(encoded[from:to], p.certificates) {
		return encoded
	}
	light := bytes.Join([][]byte{encoded[:from], p.certificates, encoded[to:]}, nil)
	parsed, err := tls.ParseSessionState(light)
	if err != nil {
		return encoded
	}
	if again, err := parsed.Bytes(); err != nil || !bytes.Equal(again, light) {
		return encoded
	}
	p.parsed.CompareAndSwap(nil, parsed)
	return light
}

// certificateList finds the certificates in an encoded session. Before them are version,
// type, cipher suite and time; the secret; the extra data; two flags.
func certificateList(b []byte) (from, to int, ok bool) {
	const fixed, flags = 2 + 1 + 2 + 8, 2
	at := fixed
	for _, length := range []int{1, 3} {
		if at, ok = skip(b, at, length); !ok {
			return 0, 0, false
		}
	}
	from = at + flags
	to, ok = skip(b, from, 3)
	return from, to, ok
}

// skip returns where a field ends that begins at a place with its length in so many bytes.
func skip(b []byte, at, length int) (end int, ok bool) {
	if at+length > len(b) {
		return 0, false
	}
	size := 0
	for _, v := range b[at : at+length] {
		size = size<<8 | int(v)
	}
	end = at + length + size
	return end, end <= len(b)
}

func appendLength24(b []byte, n int) []byte { return append(b, byte(n>>16), byte(n>>8), byte(n)) }
