package dispatch

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Session is one connected checker, for as long as it is connected. What it is called and
// whether it is leaving is said here alone; a Core changes it in its own calls.
type Session struct {
	id               SessionID
	hello            Hello
	joined, lastSeen time.Time
	draining         bool
	// seed is the hash of the node's name.
	seed uint64
	// grown: a slow start is over, or was none.
	grown bool
	// credit is granted and unspent; out is how many checks of live batches are
	// unanswered. Together they are at most hello.MaxInFlight.
	credit, out int
	batches     map[BatchID]*batch
	picked      []*entry // scratch of Assign
	rival       Rival
}

// Rival is another process that asked for the name of a session and was refused.
type Rival struct {
	// Hello is what the last of them said of itself.
	Hello Hello
	// Since is when the first was refused, Last when the last was. They are zero when none
	// was of late.
	Since, Last time.Time
}

// rivalFor is how long a rival is remembered that does not ask again.
const rivalFor = 30 * time.Second

// ID is the session's number.
func (s *Session) ID() SessionID { return s.id }

// Hello is what the checker said of itself.
func (s *Session) Hello() Hello { return s.hello }

// Node is the name of the checker.
func (s *Session) Node() string { return s.hello.Node }

// Joined is when it was opened.
func (s *Session) Joined() time.Time { return s.joined }

// Draining reports whether the checker is leaving: it gets no more checks.
func (s *Session) Draining() bool { return s.draining }

// Open returns how many checks the session has out.
func (s *Session) Open() int { return s.out }

// SessionInfo describes a session.
type SessionInfo struct {
	ID    SessionID
	Hello Hello
	// Open is how many checks are out, Credit how many more may be handed out.
	Open, Credit int
	Draining     bool
	// LastSeen is when it last sent a heartbeat, results or a release.
	JoinedAt, LastSeen time.Time
	Rival              Rival
}

// Join opens a session without credit. A node has one session. An older one of the same
// process is superseded: it ends as by Leave. So is one of another process that has said
// that it leaves, or was not heard for YieldAfter; while that one is heard, the answer is
// *NameTaken.
//
// Then what resume names of the batches of an earlier session of the same node and instance
// is checked out to the new one, under its old lease, as far as its checks are open, not
// handed out elsewhere and fit into MaxInFlight; the next Heartbeat answers the rest as
// unknown.
func (c *Core) Join(now time.Time, h Hello, resume []Ref) (SessionID, []SessionID, error) {
	c.tick(now)
	var superseded []SessionID
	var rival Rival
	if old := c.byNode[h.Node]; old != nil {
		if left := c.holds(now, old, h); left > 0 {
			return 0, nil, c.refuse(now, old, h, left)
		}
		if old.hello.Instance == h.Instance {
			rival = old.rival // they want the name as before
		}
		superseded = append(superseded, old.id)
		c.end(now, old)
	}
	h.MaxInFlight = max(0, h.MaxInFlight)
	c.lastSession++
	s := &Session{
		id: c.lastSession, hello: h, joined: now, lastSeen: now, seed: nodeSeed(h.Node), batches: map[BatchID]*batch{},
		rival: rival,
	}
	c.sessions = append(c.sessions, s)
	c.byNode[h.Node] = s
	c.growAlone()
	c.forget(now)
	c.resume(now, s, resume)
	return s.id, superseded, nil
}

// holds returns for how long a session keeps its name from who says h, unless it is heard
// meanwhile; 0 when it does not.
func (c *Core) holds(now time.Time, s *Session, h Hello) time.Duration {
	if s.hello.Instance == h.Instance || s.draining {
		return 0
	}
	return max(0, c.config.YieldAfter-now.Sub(s.lastSeen))
}

func (c *Core) refuse(now time.Time, s *Session, h Hello, left time.Duration) error {
	if now.Sub(s.rival.Last) >= rivalFor {
		s.rival.Since = now
	}
	s.rival.Hello, s.rival.Last = h, now
	return &NameTaken{Holder: s.id, Left: left}
}

// Leave ends a session; what it had out is queued again. A session that is not there
// is no error.
func (c *Core) Leave(now time.Time, id SessionID) {
	c.tick(now)
	if s := c.Session(id); s != nil {
		c.end(now, s)
	}
}

// Drain says that a session gets no more checks. It may finish what it has.
func (c *Core) Drain(id SessionID) {
	if s := c.Session(id); s != nil {
		s.draining = true
		c.growAlone()
	}
}

// Grant adds n credits. Over what MaxInFlight allows it grants that and answers
// ErrOverCredit. What a new session may not have out yet stays unspent until it may.
func (c *Core) Grant(id SessionID, n int) error {
	s := c.Session(id)
	switch {
	case s == nil:
		return ErrNoSession
	case n < 0:
		return ErrInvalid
	}
	room := s.hello.MaxInFlight - s.credit - s.out
	s.credit += min(n, room)
	if n > room {
		return ErrOverCredit
	}
	return nil
}

// Heartbeat says that a session lives and which batches it holds. It returns those
// that are not checked out to it. Batches that are, and that it does not name, are
// queued again, unless they are so new that they may still be on their way.
func (c *Core) Heartbeat(now time.Time, id SessionID, open []Ref) ([]Ref, error) {
	c.tick(now)
	s := c.Session(id)
	if s == nil {
		return nil, ErrNoSession
	}
	s.lastSeen = now
	var unknown []Ref
	named := make(map[BatchID]bool, len(open))
	for _, ref := range open {
		if b := s.batches[ref.Batch]; b != nil && b.ref == ref {
			named[ref.Batch] = true
		} else {
			unknown = append(unknown, ref)
		}
	}
	if len(named) == len(s.batches) {
		return unknown, nil
	}
	for _, batchID := range slices.Sorted(maps.Keys(s.batches)) {
		if b := s.batches[batchID]; !named[batchID] && now.Sub(b.handed) > c.config.SessionTimeout/3 {
			c.endBatch(now, b)
		}
	}
	return unknown, nil
}

// Expire ends the sessions that were silent for SessionTimeout and the batches whose
// lease is over; their checks are queued again. It says which. The batches of lost
// sessions are not listed.
func (c *Core) Expire(now time.Time) (lost []SessionID, expired []Expired) {
	c.tick(now)
	for _, s := range slices.Clone(c.sessions) {
		if now.Sub(s.lastSeen) >= c.config.SessionTimeout {
			lost = append(lost, s.id)
			c.end(now, s)
		}
	}
	end := func(b *batch) {
		expired = append(expired, Expired{Session: b.session, Ref: b.ref})
		c.endBatch(now, b)
	}
	for b := c.live.head; b != nil && !now.Before(b.expires); b = c.live.head {
		end(b)
	}
	// These are not in the order of their leases, but few.
	for b, next := c.void.head, (*batch)(nil); b != nil; b = next {
		if next = b.next; !now.Before(b.expires) {
			end(b)
		}
	}
	c.forget(now)
	return lost, expired
}

// Sessions describes all sessions, the oldest first.
func (c *Core) Sessions() []SessionInfo {
	infos := make([]SessionInfo, len(c.sessions))
	for i, s := range c.sessions {
		rival := s.rival
		if c.now.Sub(rival.Last) >= rivalFor {
			rival = Rival{}
		}
		infos[i] = SessionInfo{
			ID: s.id, Hello: s.hello, Open: s.out, Credit: s.credit, Draining: s.draining,
			JoinedAt: s.joined, LastSeen: s.lastSeen, Rival: rival,
		}
	}
	return infos
}

func (c *Core) end(now time.Time, s *Session) {
	for _, id := range slices.Sorted(maps.Keys(s.batches)) {
		c.endBatch(now, s.batches[id])
	}
	c.sessions = slices.DeleteFunc(c.sessions, func(o *Session) bool { return o == s })
	delete(c.byNode, s.hello.Node)
	c.growAlone()
}

// Session finds a session; nil when there is no such one, or no more.
func (c *Core) Session(id SessionID) *Session {
	i, found := slices.BinarySearchFunc(c.sessions, id, func(s *Session, id SessionID) int {
		return cmp.Compare(s.id, id)
	})
	if !found {
		return nil
	}
	return c.sessions[i]
}
