package probe

import (
	"crypto/tls"
	"hash/maphash"
	"sync"
	"time"
)

const (
	// defaultSessionBytes is the default limit for the memory of TLS sessions.
	defaultSessionBytes = 64 << 20
	// fullAgainAfter is how long a site's session is resumed before a full handshake fetches
	// the certificate again. A changed certificate shall be seen within ten minutes; the
	// ninth makes sure that of checks five minutes apart, a little more or less, each second
	// one is full.
	fullAgainAfter = 9 * time.Minute
	// sessionOverhead is the size of a session's slot and of its share of the index.
	sessionOverhead = 120
)

// session is a TLS session that can be resumed. It stands for the certificates that were
// verified when it began: they are not kept.
type session struct {
	key   string
	state *tls.ClientSessionState
	// full is the time of the last full handshake; until is the end of its chain's validity,
	// and leafEnd that of its leaf's.
	full, until, leafEnd time.Time
}

// sessions is a cache of TLS sessions by place. When it is full it takes no new session
// before an old one is too old to be resumed. A cache that dropped the least recently used
// would be of no use to sites that are visited in turn: it would drop each session shortly
// before its site's turn comes. A nil *sessions keeps none.
//
// Most of its memory holds no pointers, so that it costs the collector nothing.
type sessions struct {
	limit  int64
	now    func() time.Time
	packer *packer
	seed   maphash.Seed

	mu    sync.Mutex
	bytes int64
	// byKey finds the slot of a hash of a key.
	byKey map[uint64]int32
	// slots are sessions, in a list by the time of their full handshakes, and free slots. Slot 0
	// is no session: it begins and ends the list.
	slots []sessionSlot
	free  []int32
}

// sessionSlot is a session in the cache. Times are in nanoseconds since 1970.
type sessionSlot struct {
	packed               packed
	full, until, leafEnd int64
	earlier, later       int32
}

// newSessions makes the cache. A limit of 0 means the default size; below 0 there is none.
func newSessions(limit int64, now func() time.Time) *sessions {
	switch {
	case limit < 0:
		return nil
	case limit == 0:
		limit = defaultSessionBytes
	}
	return &sessions{
		limit: limit, now: now, packer: newPacker(), seed: maphash.MakeSeed(),
		byKey: make(map[uint64]int32), slots: make([]sessionSlot, 1),
	}
}

// recall returns a place's session. It returns nil when there is none, or when it is time
// for a full handshake.
func (s *sessions) recall(key string) *session {
	if s == nil {
		return nil
	}
	found, ok := s.find(key)
	if !ok {
		return nil
	}
	state, err := found.packed.unpack()
	if err != nil {
		s.forget(key)
		return nil
	}
	return &session{
		key: key, state: state,
		full: time.Unix(0, found.full), until: time.Unix(0, found.until), leafEnd: time.Unix(0, found.leafEnd).UTC(),
	}
}

// find returns a copy of a place's slot, whose session may be resumed now.
func (s *sessions) find(key string) (found sessionSlot, ok bool) {
	now := s.now().UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.slot(key)
	if at == 0 {
		return found, false
	}
	found = s.slots[at]
	if now >= found.until || now < found.full || now-found.full >= int64(fullAgainAfter) {
		s.drop(at)
		return found, false
	}
	return found, true
}

// remember stores a session in place of an earlier one for the same key.
func (s *sessions) remember(k *session) {
	if s == nil {
		return
	}
	p, err := s.packer.pack(k.key, k.state)
	if err != nil {
		return
	}
	kept := sessionSlot{packed: p, full: k.full.UnixNano(), until: k.until.UnixNano(), leafEnd: k.leafEnd.UnixNano()}
	now := s.now().UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.slot(k.key); at != 0 {
		s.drop(at)
	}
	for first := s.slots[0].later; first != 0 && now-s.slots[first].full >= int64(fullAgainAfter); first = s.slots[0].later {
		s.drop(first)
	}
	if s.bytes+p.size() <= s.limit {
		s.insert(kept)
	}
}

// forget drops a place's session.
func (s *sessions) forget(key string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.slot(key); at != 0 {
		s.drop(at)
	}
}

// slot returns the slot of a key, 0 when there is none.
func (s *sessions) slot(key string) int32 {
	at := s.byKey[maphash.String(s.seed, key)]
	if at != 0 && string(s.slots[at].packed.key()) != key {
		return 0 // another key with the same hash
	}
	return at
}

// insert adds a session at the end of the list.
func (s *sessions) insert(k sessionSlot) {
	hash := maphash.Bytes(s.seed, k.packed.key())
	if other := s.byKey[hash]; other != 0 {
		s.drop(other)
	}
	var at int32
	if n := len(s.free); n > 0 {
		at, s.free = s.free[n-1], s.free[:n-1]
	} else {
		at, s.slots = int32(len(s.slots)), append(s.slots, sessionSlot{})
	}
	k.earlier, k.later = s.slots[0].earlier, 0
	s.slots[at] = k
	s.slots[k.earlier].later, s.slots[0].earlier = at, at
	s.byKey[hash] = at
	s.bytes += k.packed.size()
}

func (s *sessions) drop(at int32) {
	k := s.slots[at]
	s.slots[k.earlier].later, s.slots[k.later].earlier = k.later, k.earlier
	delete(s.byKey, maphash.Bytes(s.seed, k.packed.key()))
	s.slots[at] = sessionSlot{}
	s.free = append(s.free, at)
	s.bytes -= k.packed.size()
}
