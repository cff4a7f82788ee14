package tls12

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
)

// The numbers of key exchange groups.
const (
	GroupP256   = 23
	GroupX25519 = 29
)

// Curve returns the curve of a key exchange group; nil for one that is not spoken.
func Curve(group uint16) ecdh.Curve {
	switch group {
	case GroupX25519:
		return ecdh.X25519()
	case GroupP256:
		return ecdh.P256()
	}
	return nil
}

// algorithm is a signature algorithm on offer.
type algorithm struct {
	id   uint16
	hash crypto.Hash
	kind kind
}

type kind uint8

const (
	ecdsaKey kind = iota
	ed25519Key
	rsaPSS
	rsaPKCS1
)

func algorithms() []algorithm {
	return []algorithm{
		{0x0403, crypto.SHA256, ecdsaKey}, {0x0804, crypto.SHA256, rsaPSS}, {0x0401, crypto.SHA256, rsaPKCS1}, {0x0807, 0, ed25519Key},
		{0x0503, crypto.SHA384, ecdsaKey}, {0x0805, crypto.SHA384, rsaPSS}, {0x0501, crypto.SHA384, rsaPKCS1},
		{0x0603, crypto.SHA512, ecdsaKey}, {0x0806, crypto.SHA512, rsaPSS}, {0x0601, crypto.SHA512, rsaPKCS1},
	}
}

var errSignature = errors.New("tls12: the server's signature is wrong")

// Verify verifies a server's signature, by the algorithm with a number, under what was said.
func Verify(key crypto.PublicKey, id uint16, said, signature []byte) error {
	for _, a := range algorithms() {
		if a.id != id {
			continue
		}
		digest := said
		if a.hash != 0 {
			h := a.hash.New()
			h.Write(said)
			digest = h.Sum(nil)
		}
		if a.verify(key, digest, signature) {
			return nil
		}
	}
	return errSignature
}

func (a algorithm) verify(key crypto.PublicKey, digest, signature []byte) bool {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return a.kind == ecdsaKey && ecdsa.VerifyASN1(key, digest, signature)
	case ed25519.PublicKey:
		return a.kind == ed25519Key && ed25519.Verify(key, digest, signature)
	case *rsa.PublicKey:
		switch a.kind {
		case rsaPSS:
			return rsa.VerifyPSS(key, a.hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		case rsaPKCS1:
			return rsa.VerifyPKCS1v15(key, a.hash, digest, signature) == nil
		}
	}
	return false
}
