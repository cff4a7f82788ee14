package dispatch

import (
	"cmp"
	"slices"
	"time"
)

// sessions knows the connected checkers, and who may have which name.
type sessions struct {
	// list is sorted by id. Invariant: byNode holds the same sessions, one a node.
	list   []*Session
	byNode map[string]*Session
	// last is the id of the newest session.
	last SessionID
	// The times are those of Config.
	timeout, yieldAfter, slowStart time.Duration
}

func newSessions(config *Config) sessions {
	return sessions{
		byNode:  map[string]*Session{},
		timeout: config.SessionTimeout, yieldAfter: config.YieldAfter, slowStart: config.SlowStart,
	}
}

// find returns a session; nil when there is no such one, or no more.
func (s *sessions) find(id SessionID) *Session {
	i, found := slices.BinarySearchFunc(s.list, id, func(s *Session, id SessionID) int {
		return cmp.Compare(s.id, id)
	})
	if !found {
		return nil
	}
	return s.list[i]
}

// claim asks for the name of a node for the process that says h. It returns the session that
// has to end first, nil when there is none. While that one keeps the name, it remembers its
// rival, and the error is a *NameTaken.
func (s *sessions) claim(now time.Time, h *Hello) (*Session, error) {
	old := s.byNode[h.Node]
	if old == nil || old.hello.Instance == h.Instance || old.draining {
		return old, nil
	}
	left := s.yieldAfter - now.Sub(old.lastSeen)
	if left <= 0 {
		return old, nil
	}
	if now.Sub(old.rival.Last) >= rivalFor {
		old.rival.Since = now
	}
	old.rival.Hello, old.rival.Last = *h, now
	return nil, &NameTaken{Holder: old.id, Left: left}
}

// add opens a session without credit. Its node has none. old is the one that it supersedes,
// if there was one: the rivals of the same process want its name as before.
func (s *sessions) add(now time.Time, h *Hello, old *Session) *Session {
	s.last++
	joined := &Session{
		id: s.last, hello: *h, joined: now, lastSeen: now, seed: nodeSeed(h.Node), batches: map[BatchID]*batch{},
	}
	joined.hello.MaxInFlight = max(0, h.MaxInFlight)
	if old != nil && old.hello.Instance == h.Instance {
		joined.rival = old.rival
	}
	s.list = append(s.list, joined)
	s.byNode[h.Node] = joined
	s.growAlone()
	return joined
}

// remove closes a session that has no batches any more.
func (s *sessions) remove(gone *Session) {
	s.list = slices.DeleteFunc(s.list, func(o *Session) bool { return o == gone })
	delete(s.byNode, gone.hello.Node)
	s.growAlone()
}

// drain has a session get no more checks.
func (s *sessions) drain(leaving *Session) {
	leaving.draining = true
	s.growAlone()
}

// silent lists the sessions that were not heard for the timeout, the oldest first.
func (s *sessions) silent(now time.Time) []*Session {
	var silent []*Session
	for _, o := range s.list {
		if now.Sub(o.lastSeen) >= s.timeout {
			silent = append(silent, o)
		}
	}
	return silent
}

// describe describes all sessions, the oldest first.
func (s *sessions) describe(now time.Time) []SessionInfo {
	infos := make([]SessionInfo, len(s.list))
	for i, o := range s.list {
		infos[i] = o.info(now)
	}
	return infos
}

// taker returns the session of a node; nil when checks cannot go to it.
func (s *sessions) taker(node string) *Session {
	if node == "" {
		return nil
	}
	if o := s.byNode[node]; o != nil && o.canTake() {
		return o
	}
	return nil
}

// takers counts the nodes that checks can go to.
func (s *sessions) takers() int {
	n := 0
	for _, o := range s.list {
		if o.canTake() {
			n++
		}
	}
	return n
}

// slowStartLeast is what a session may have out at the least when it is new.
const slowStartLeast = 100

// allowance is how many checks a session may have out now.
func (s *sessions) allowance(now time.Time, o *Session) int {
	most := o.hello.MaxInFlight
	if o.grown {
		return most
	}
	age := max(0, now.Sub(o.joined))
	if age >= s.slowStart {
		o.grown = true
		return most
	}
	first := min(most, max(slowStartLeast, most/10))
	return first + int(float64(most-first)*float64(age)/float64(s.slowStart))
}

// growAlone lets a session that is alone have all of its allowance: there is nobody who
// could spare it the load.
func (s *sessions) growAlone() {
	if s.takers() != 1 {
		return
	}
	for _, o := range s.list {
		if o.canTake() {
			o.grown = true
		}
	}
}
