package probe

import (
	"container/list"
	"crypto/tls"
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
	// sessionOverhead is the size of a session without its ticket and its certificates.
	sessionOverhead = 1 << 10
	// A certificate takes parsedCopies times its bytes, and parsedOverhead.
	parsedCopies, parsedOverhead = 3, 3 << 10
)

// sessions is a cache of TLS sessions by place, with the least recently used evicted
// first. A nil *sessions keeps none.
type sessions struct {
	limit int64
	now   func() time.Time

	mu    sync.Mutex
	bytes int64
	byKey map[string]*list.Element
	order list.List // of *session, most recent first
}

// session is a TLS session that can be resumed.
type session struct {
	key   string
	state *tls.ClientSessionState
	bytes int64
	// full is the time of the last full handshake; until is the end of its chain's validity.
	full, until time.Time
}

// newSessions makes the cache. A limit of 0 means the default size; below 0 there is none.
func newSessions(limit int64, now func() time.Time) *sessions {
	switch {
	case limit < 0:
		return nil
	case limit == 0:
		limit = defaultSessionBytes
	}
	return &sessions{limit: limit, now: now, byKey: make(map[string]*list.Element)}
}

// recall returns a place's session. It returns nil when there is none, or when it is time
// for a full handshake.
func (s *sessions) recall(key string) *session {
	if s == nil {
		return nil
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byKey[key]
	if e == nil {
		return nil
	}
	k := e.Value.(*session)
	if !now.Before(k.until) || now.Before(k.full) || now.Sub(k.full) >= fullAgainAfter {
		s.drop(e)
		return nil
	}
	s.order.MoveToFront(e)
	return k
}

// remember stores a session in place of an earlier one for the same key.
func (s *sessions) remember(k *session) {
	if s == nil || k.bytes > s.limit {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byKey[k.key]; e != nil {
		s.drop(e)
	}
	s.byKey[k.key] = s.order.PushFront(k)
	for s.bytes += k.bytes; s.bytes > s.limit; {
		s.drop(s.order.Back())
	}
}

// forget drops a place's session.
func (s *sessions) forget(key string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byKey[key]; e != nil {
		s.drop(e)
	}
}

func (s *sessions) drop(e *list.Element) {
	k := e.Value.(*session)
	s.order.Remove(e)
	delete(s.byKey, k.key)
	s.bytes -= k.bytes
}
