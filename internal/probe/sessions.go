package probe

import (
	"container/list"
	"crypto/tls"
	"sync"
	"time"
)

const (
	// defaultSessionBytes is how much TLS sessions take at most when nothing is said.
	defaultSessionBytes = 64 << 20
	// fullAgainAfter is how long a site's session is resumed until a full handshake shows
	// its certificate again: one that was changed is seen no later.
	fullAgainAfter = time.Hour
	// sessionOverhead is what a session takes beside its ticket and its certificates.
	sessionOverhead = 1 << 10
	// A certificate is kept parsed, twice as bytes, and this much more.
	parsedCopies, parsedOverhead = 3, 3 << 10
)

// sessions keeps TLS sessions by place; the least recently used go first. The nil
// *sessions keeps none.
type sessions struct {
	limit int64
	now   func() time.Time

	mu    sync.Mutex
	bytes int64
	byKey map[string]*list.Element
	order list.List // of *session, most recent first
}

// session is one that can be resumed.
type session struct {
	key   string
	state *tls.ClientSessionState
	bytes int64
	// full is when the certificate was last shown, until when its chain ends.
	full, until time.Time
}

// newSessions makes the cache; 0 is the default size, and less is none.
func newSessions(limit int64, now func() time.Time) *sessions {
	switch {
	case limit < 0:
		return nil
	case limit == 0:
		limit = defaultSessionBytes
	}
	return &sessions{limit: limit, now: now, byKey: make(map[string]*list.Element)}
}

// recall gives a place's session; nil when there is none, or when its certificate should
// be shown again.
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

// remember keeps a session instead of an earlier one of its place.
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
