package probe

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"sync"
	"time"
)

// maxChains limits the verified chains in the cache, of about 50 bytes each: as many as the
// sites that one core checks in five minutes.
const maxChains = 500_000

// chains verifies certificates and caches the good results until a certificate of the
// chain expires. A bad chain is verified anew each time.
type chains struct {
	roots *x509.CertPool
	now   func() time.Time
	// secret makes the keys unpredictable, so that nobody can look for two chains with the
	// same key.
	secret [sha256.Size]byte

	mu   sync.Mutex
	good map[chainKey]validity
}

// chainKey identifies a result by everything it depends on, except the roots, which never
// change.
type chainKey [16]byte

// validity is the period in which a chain is valid, in unix seconds.
type validity struct{ from, until int64 }

func newChains(roots *x509.CertPool, now func() time.Time) *chains {
	c := &chains{roots: roots, now: now, good: make(map[chainKey]validity)}
	_, _ = rand.Read(c.secret[:]) // never fails
	return c
}

// verify verifies a server's certificates for a host, leaf first. It returns the time
// until which the result holds.
func (c *chains) verify(host string, shown []*x509.Certificate) (until time.Time, err error) {
	if len(shown) == 0 {
		return time.Time{}, x509.UnknownAuthorityError{}
	}
	now := c.now()
	key := c.key(host, shown)
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

func (c *chains) key(host string, shown []*x509.Certificate) (key chainKey) {
	h := sha256.New()
	h.Write(c.secret[:])
	h.Write([]byte(host))
	for _, shown := range shown {
		h.Write([]byte{0})
		h.Write(shown.Raw) // DER contains its own length
	}
	var sum [sha256.Size]byte
	copy(key[:], h.Sum(sum[:0]))
	return key
}

// longest returns the validity of the chain that ends last.
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

func (c *chains) recall(key chainKey, now time.Time) (validity, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.good[key]
	return v, ok && v.from <= now.Unix() && now.Unix() < v.until
}

// remember caches a result. It makes room by dropping an arbitrary one: the map only saves
// work.
func (c *chains) remember(key chainKey, v validity) {
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
