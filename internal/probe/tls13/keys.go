package tls13

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"encoding/binary"
	"hash"

	"github.com/Automattic/jetmon/internal/probe/tls12"
)

// suite is a cipher suite.
type suite struct {
	id     uint16
	keyLen int
	hash   func() hash.Hash
}

// expand is HKDF-Expand-Label of RFC 8446, section 7.1.
func (s suite) expand(secret []byte, label string, context []byte, n int) ([]byte, error) {
	var b tls12.Builder
	b.U16(uint16(n))
	label = "tls13 " + label
	b.U8(byte(len(label)))
	b.Raw([]byte(label))
	b.U8(byte(len(context)))
	b.Raw(context)
	return hkdf.Expand(s.hash, secret, string(b.B), n)
}

// derive is Derive-Secret; said is the hash of the transcript.
func (s suite) derive(secret []byte, label string, said []byte) ([]byte, error) {
	return s.expand(secret, label, said, s.hash().Size())
}

// next extracts the secret that follows another in the schedule.
func (s suite) next(secret, input []byte) ([]byte, error) {
	salt, err := s.derive(secret, "derived", s.hash().Sum(nil))
	if err != nil {
		return nil, err
	}
	return hkdf.Extract(s.hash, input, salt)
}

// finished returns what a Finished message says.
func (s suite) finished(secret, said []byte) ([]byte, error) {
	key, err := s.expand(secret, "finished", nil, s.hash().Size())
	if err != nil {
		return nil, err
	}
	mac := hmac.New(s.hash, key)
	mac.Write(said)
	return mac.Sum(nil), nil
}

// half is one direction: before the keys are in use, its cipher is nil.
type half struct {
	suite  suite
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

// keyed returns a direction with the keys of a secret.
func (s suite) keyed(secret []byte) (half, error) {
	key, err := s.expand(secret, "key", nil, s.keyLen)
	if err != nil {
		return half{}, err
	}
	h := half{suite: s, secret: secret}
	if h.iv, err = s.expand(secret, "iv", nil, 12); err != nil {
		return half{}, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return half{}, err
	}
	h.aead, err = cipher.NewGCM(block)
	return h, err
}

// updated returns the direction after an update of its keys.
func (h half) updated() (half, error) {
	secret, err := h.suite.expand(h.secret, "traffic upd", nil, len(h.secret))
	if err != nil {
		return half{}, err
	}
	return h.suite.keyed(secret)
}

// nonce returns the nonce of the next record.
func (h *half) nonce() []byte {
	n := append([]byte{}, h.iv...)
	binary.BigEndian.PutUint64(n[4:], binary.BigEndian.Uint64(n[4:])^h.seq)
	h.seq++
	return n
}
