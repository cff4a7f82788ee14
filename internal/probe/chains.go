package probe

import (
	"crypto/sha256"
	"crypto/x509"
	"sync"
	"time"
)

// maxChains bounds how many verified chains are remembered, about 100 bytes each.
const maxChains = 50_000

// chains verifies certificates and remembers which were found good, until one of their
// chain ends. What was found bad is verified anew each time.
type chains struct {
	roots *x509.CertPool
	now   func() time.Time

	mu   sync.Mutex
	good map[[sha256.Size]byte]validity
}

// validity is when a chain is good, both ends in unix seconds.
type validity struct{ from, until int64 }

func newChains(roots *x509.CertPool, now func() time.Time) *chains {
	return &chains{roots: roots, now: now, good: make(map[[sha256.Size]byte]validity)}
}

// verify judges what a server showed, leaf first, for a host. It gives the time until
// which the verdict holds.
func (c *chains) verify(host string, shown []*x509.Certificate) (until time.Time, err error) {
	if len(shown) == 0 {
		return time.Time{}, x509.UnknownAuthorityError{}
	}
	now := c.now()
	key := chainKey(host, shown)
	if v, ok := c.recall(key, now); ok {
		return time.Unix(v.until, 0), nil
	}
	options := x509.VerifyOptions{
		Roots: c.roots, CurrentTime: now, DNSName: host, Intermediates: x509.NewCertPool(),
	}
	for _, between := range shown[1:] {
		options.Intermediates.AddCert(between)
	}
	found, err := shown[0].Verify(options)
	if err != nil {
		return time.Time{}, err
	}
	v := longest(found)
	c.remember(key, v)
	return time.Unix(v.until, 0), nil
}

// chainKey names a verdict by all it rests on, but for the roots, which never change.
func chainKey(host string, shown []*x509.Certificate) (key [sha256.Size]byte) {
	h := sha256.New()
	h.Write([]byte(host))
	for _, c := range shown {
		h.Write([]byte{0})
		h.Write(c.Raw) // DER says its own length
	}
	h.Sum(key[:0])
	return key
}

// longest is the validity of that chain which ends last.
func longest(found [][]*x509.Certificate) (best validity) {
	for _, chain := range found {
		v := validity{chain[0].NotBefore.Unix(), chain[0].NotAfter.Unix()}
		for _, c := range chain {
			v.from, v.until = max(v.from, c.NotBefore.Unix()), min(v.until, c.NotAfter.Unix())
		}
		if v.until > best.until {
			best = v
		}
	}
	return best
}

func (c *chains) recall(key [sha256.Size]byte, now time.Time) (validity, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.good[key]
	return v, ok && v.from <= now.Unix() && now.Unix() < v.until
}

// remember makes room by dropping any other: the map only saves work.
func (c *chains) remember(key [sha256.Size]byte, v validity) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.good) >= maxChains {
		for other := range c.good {
			delete(c.good, other)
			break
		}
	}
	c.good[key] = v
}
