package dispatch

import (
	"maps"
	"slices"
	"time"
)

// Session is one connected checker, for as long as it is connected. It alone keeps the name
// of the checker and whether that is leaving. Only a Core changes it.
type Session struct {
	id               SessionID
	hello            Hello
	joined, lastSeen time.Time
	draining         bool
	// seed is the hash of the node's name.
	seed uint64
	// grown means that the slow start is over, or that there was none.
	grown bool
	// credit is granted and unspent; out is how many checks of live batches are unanswered.
	// Invariant: neither is negative, and together they are at most hello.MaxInFlight.
	credit, out int
	// batches holds the live batches of the session. Invariant: out is the sum of their left.
	batches map[BatchID]*batch
	// picked is scratch of Assign: the checks that the session gets. Invariant: it is empty
	// between calls.
	picked []*entry
	rival  Rival
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

func (s *Session) info(now time.Time) SessionInfo {
	rival := s.rival
	if now.Sub(rival.Last) >= rivalFor {
		rival = Rival{}
	}
	return SessionInfo{
		ID: s.id, Hello: s.hello, Open: s.out, Credit: s.credit, Draining: s.draining,
		JoinedAt: s.joined, LastSeen: s.lastSeen, Rival: rival,
	}
}

// canTake reports whether checks can go to the session, once it has credit.
func (s *Session) canTake() bool { return !s.draining && s.hello.MaxInFlight > 0 }

// grant adds n credits, and returns how many of them are over what MaxInFlight allows.
func (s *Session) grant(n int) (over int) {
	granted := min(n, s.hello.MaxInFlight-s.credit-s.out)
	s.credit += granted
	return n - granted
}

// hold notes a live batch that has n checks out.
func (s *Session) hold(b *batch, n int) {
	s.batches[b.ref.Batch] = b
	s.out += n
}

// drop forgets a batch that ends.
func (s *Session) drop(b *batch) {
	s.out -= b.left
	delete(s.batches, b.ref.Batch)
}

// held lists the batches of the session, the oldest first.
func (s *Session) held() []*batch {
	held := make([]*batch, 0, len(s.batches))
	for _, id := range slices.Sorted(maps.Keys(s.batches)) {
		held = append(held, s.batches[id])
	}
	return held
}

// compare compares the batches that the checker says it holds with those of the session. It
// returns the references to others, and the batches that were not named.
func (s *Session) compare(open []Ref) (unknown []Ref, unnamed []*batch) {
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
	return unknown, slices.DeleteFunc(s.held(), func(b *batch) bool { return named[b.ref.Batch] })
}
