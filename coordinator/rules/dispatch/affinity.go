package dispatch

import (
	"hash/fnv"
	"math"
	"math/bits"
)

// Affinity: a site stays with its node, whose caches know it, by rendezvous hashing. Of all
// nodes it goes to that of the highest hash of site and node, so that when a node comes or
// goes only its own sites move.

// The multiplier of the hashes: 2^64 over the golden ratio.
const golden = 0x9e3779b97f4a7c15

// nodeSeed hashes the name of a node, by FNV-1a.
func nodeSeed(node string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(node))
	return scatter(h.Sum64())
}

// scatter spreads numbers that lie close together over all 64 bits.
func scatter(x uint64) uint64 {
	x *= golden
	x ^= x >> 32
	x *= golden
	return x ^ x>>29
}

// hash hashes a key, of a site or a check, and a node.
func hash(key, node uint64) uint64 {
	high, low := bits.Mul64(key^node, golden)
	return high ^ low
}

// remoteness is the negative logarithm of a hash: the node of the highest hash is the
// nearest, and a division by the size of the nodes gives each sites in proportion to it.
// Of the logarithm the bits of a float are a good likeness.
func remoteness(hash uint64) float64 {
	return float64(int64(oneBits - math.Float64bits(float64(int64(hash>>11|1)))))
}

// oneBits are the bits of 2^53, which no hash reaches.
const oneBits = (1023 + 53) << 52
