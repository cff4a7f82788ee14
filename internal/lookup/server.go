package lookup

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// socketsPerServer is the number of sockets among which questions are spread, and
	// maxSockets limits those that still wait for answers after they were replaced.
	socketsPerServer = 4
	maxSockets       = 64
	// maxAsked and maxAge limit the questions and the life of a socket, and so of its port.
	maxAsked = 1000
	maxAge   = time.Minute
	// believed is how long a server counts as one that knows no EDNS or repeats no case.
	believed = 10 * time.Minute
	// avoided is how long a server that kept silent is asked after the others.
	avoided = 30 * time.Second
	// wrongCases is how many times in a row a server must change the case before it counts as
	// one that does.
	wrongCases = 3
)

// server is one recursive name server: what is known about it, and the sockets to it.
type server struct {
	addr     netip.AddrPort
	resolver *Resolver

	// answered is the time of the last answer, and echoed that of the last one to a question
	// with EDNS; 0 is never. Until the other times, a rule holds; 0 is no rule. When a rule
	// ends, one question tries what it forbids.
	answered, echoed                    atomic.Int64
	plainUntil, lowerUntil, silentUntil atomic.Int64
	changedCase                         atomic.Int32

	mu      sync.Mutex
	sockets [socketsPerServer]*socket
	// open counts the open sockets.
	open atomic.Int32
}

// free reports whether a rule does not hold, or lets its caller try whether it still should.
func free(until *atomic.Int64, now, anew time.Duration) bool {
	end := until.Load()
	return end == 0 || int64(now) >= end && until.CompareAndSwap(end, int64(now+anew))
}

func (s *server) takesEDNS(now time.Duration) bool { return free(&s.plainUntil, now, believed) }
func (s *server) mixes(now time.Duration) bool     { return free(&s.lowerUntil, now, believed) }
func (s *server) answers(now time.Duration) bool   { return free(&s.silentUntil, now, avoided) }

// heard notes an answer.
func (s *server) heard(a *attempt, now time.Duration) {
	s.answered.Store(int64(now) + 1)
	end(&s.silentUntil)
	if a.edns {
		s.echoed.Store(int64(now) + 1)
		end(&s.plainUntil)
	}
	switch {
	case a.mixed:
		end(&s.lowerUntil)
		if s.changedCase.Load() != 0 {
			s.changedCase.Store(0)
		}
	case a.lowered && s.changedCase.Add(1) >= wrongCases:
		s.lowerUntil.Store(int64(now + believed))
	}
}

// end ends a rule. Readers call it for each answer, so it hardly ever writes.
func end(until *atomic.Int64) {
	if until.Load() != 0 {
		until.Store(0)
	}
}

// answeredSince reports whether the server has answered anything since then.
func (s *server) answeredSince(since time.Duration) bool {
	at := s.answered.Load()
	return at != 0 && at > int64(since)
}

// dislikesEDNS notes that the server refused a question with EDNS.
func (s *server) dislikesEDNS(now time.Duration) { s.plainUntil.Store(int64(now + believed)) }

// ignoresEDNS notes that the server answered without EDNS only. If it answered a question
// with EDNS not long ago, a packet was lost.
func (s *server) ignoresEDNS(now time.Duration) {
	if at := s.echoed.Load(); at == 0 || int64(now)-at > int64(lately) {
		s.dislikesEDNS(now)
	}
}

// wasSilent notes that the server did not answer a question that was sent at some time.
func (s *server) wasSilent(sent, now time.Duration) {
	if !s.answeredSince(sent) {
		s.silentUntil.Store(int64(now + avoided))
	}
}

// send sends attempts over one of the server's sockets.
func (s *server) send(out *outbox, attempts ...*attempt) error {
	err := errClosed
	// A socket may be closed between being chosen and being used.
	for range 3 {
		var k *socket
		if k, err = s.choose(attempts[0].sent); err != nil {
			return err
		}
		if err = k.ask(out, attempts); !errors.Is(err, errClosed) {
			return err
		}
	}
	return err
}

// choose returns one of the sockets at random, a new one in the place of a worn one.
func (s *server) choose(now time.Duration) (*socket, error) {
	at := rand.IntN(socketsPerServer)
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.sockets[at]; k != nil && (!k.isWorn(now) || s.open.Load() >= maxSockets) {
		return k, nil
	}
	return s.replace(at, now)
}

// replace opens a new socket. If that is not possible, the worn one must do.
func (s *server) replace(at int, now time.Duration) (*socket, error) {
	k := s.sockets[at]
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(s.addr)) // the kernel draws the port
	switch {
	case err != nil && k == nil:
		return nil, fmt.Errorf("open a socket to %s: %w", s.addr, err)
	case err != nil:
		return k, nil
	case k != nil:
		k.retire()
	}
	s.sockets[at] = newSocket(s, c, now)
	s.open.Add(1)
	return s.sockets[at], nil
}

// close closes the sockets, which ends their readers.
func (s *server) close() { s.drop((*socket).shut) }

// leave lets the sockets end with their last question.
func (s *server) leave() { s.drop((*socket).retire) }

// drop parts with all sockets, each by end.
func (s *server) drop(end func(*socket)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, k := range s.sockets {
		if k != nil {
			end(k)
		}
		s.sockets[at] = nil
	}
}
