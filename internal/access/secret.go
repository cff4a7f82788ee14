package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
)

// Hash returns what is kept of a secret.
func Hash(secret string) [sha256.Size]byte { return sha256.Sum256([]byte(secret)) }

// Index finds values by the secrets that they belong to, of which it has the hashes only. The
// time that Find takes tells nothing that helps to guess a secret: where it looks depends on a
// hash, and hashes are compared in constant time.
type Index[V any] struct{ byStart map[uint64][]indexed[V] }

type indexed[V any] struct {
	hash  [sha256.Size]byte
	value V
}

// Add adds the value of the secret with this hash.
func (x *Index[V]) Add(hash [sha256.Size]byte, value V) {
	if x.byStart == nil {
		x.byStart = map[uint64][]indexed[V]{}
	}
	start := binary.BigEndian.Uint64(hash[:])
	x.byStart[start] = append(x.byStart[start], indexed[V]{hash, value})
}

// Find returns the value of a secret.
func (x *Index[V]) Find(secret string) (value V, ok bool) {
	hash := Hash(secret)
	for _, one := range x.byStart[binary.BigEndian.Uint64(hash[:])] {
		if subtle.ConstantTimeCompare(hash[:], one.hash[:]) == 1 {
			return one.value, true
		}
	}
	return value, false
}
