package signature

import (
	"sync"
	"time"
)

// NonceStore remembers the used pairs of timestamp and nonce.
type NonceStore interface {
	// Use reports whether the pair is new, and remembers it. A store that cannot tell must
	// return false: refusing a good call is better than accepting a replay.
	Use(timestamp int64, nonce string) bool
}

// nonceLife is how long a nonce is remembered; calls are valid for 15 minutes at most.
const nonceLife = time.Hour

// Nonces is a NonceStore in memory, safe for concurrent use. It holds at most a given
// number of nonces of the last hour; a full store refuses further calls.
type Nonces struct {
	most int
	now  func() time.Time

	mu   sync.Mutex
	used map[noncePair]struct{}
	// order has the pairs in order of arrival, from position head on.
	order []usedNonce
	head  int
}

type noncePair struct {
	timestamp int64
	nonce     string
}

type usedNonce struct {
	noncePair
	at time.Time
}

// NewNonces makes a store for at most so many nonces per hour.
func NewNonces(most int, now func() time.Time) *Nonces {
	return &Nonces{most: most, now: now, used: make(map[noncePair]struct{})}
}

// Use implements NonceStore.
func (n *Nonces) Use(timestamp int64, nonce string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	n.forget(now.Add(-nonceLife))
	pair := noncePair{timestamp, nonce}
	if _, again := n.used[pair]; again || len(n.used) >= n.most {
		return false
	}
	n.used[pair] = struct{}{}
	n.order = append(n.order, usedNonce{pair, now})
	return true
}

// Len returns the number of remembered nonces.
func (n *Nonces) Len() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.used)
}

func (n *Nonces) forget(before time.Time) {
	for n.head < len(n.order) && n.order[n.head].at.Before(before) {
		delete(n.used, n.order[n.head].noncePair)
		n.head++
	}
	if n.head > 64 && n.head > len(n.order)/2 {
		n.order = append(n.order[:0], n.order[n.head:]...)
		n.head = 0
	}
}
