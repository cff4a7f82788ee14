package signature

import (
	"sync"
	"time"
)

// NonceStore remembers which (timestamp, nonce) were used.
type NonceStore interface {
	// Use says whether the pair is new, and remembers it. A store that cannot tell must
	// answer false: a call too few is better than a replay.
	Use(timestamp int64, nonce string) bool
}

// nonceLife is how long a nonce is remembered; calls are accepted for 15 minutes at most.
const nonceLife = time.Hour

// Nonces is a NonceStore in memory, safe for concurrent use. It holds at most a given
// number of nonces of the last hour; when it is full, further calls are refused.
type Nonces struct {
	most int
	now  func() time.Time

	mu   sync.Mutex
	used map[noncePair]struct{}
	// order has the pairs as they came, from position head on.
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

// NewNonces makes a store for at most so many nonces an hour.
func NewNonces(most int, now func() time.Time) *Nonces {
	return &Nonces{most: most, now: now, used: make(map[noncePair]struct{})}
}

// Use is NonceStore's.
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

// Len is how many nonces are remembered.
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
