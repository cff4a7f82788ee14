package probe

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// What epoll tells. The registration of a socket is one for its whole life:
// edge-triggered, for both directions.
const (
	epollIn    = syscall.EPOLLIN
	epollOut   = syscall.EPOLLOUT
	epollError = syscall.EPOLLERR | syscall.EPOLLHUP
	epollEnded = epollError | syscall.EPOLLRDHUP
	epollAll   = epollIn | epollOut | syscall.EPOLLRDHUP | 1<<31 // EPOLLET, which syscall has as a negative
)

const (
	// maxShards bounds the descriptors and goroutines that wait.
	maxShards = 8
	// batch is how many events one call takes.
	batch = 256
	// scratchBytes is the buffer that a shard reads into, one for all its sockets.
	scratchBytes = 16 << 10
)

// poller watches sockets. It opens itself when it is first needed.
type poller struct {
	mu     sync.Mutex
	shards []*shard
	turn   atomic.Uint32
}

// shard is one epoll descriptor and the goroutine that waits for it. The goroutine
// runs while there is a socket to watch. It is parked on Go's own poller, so it blocks
// no thread and needs no timer.
type shard struct {
	file *os.File
	raw  syscall.RawConn
	fd   int

	mu      sync.Mutex
	slots   []slot
	free    []int32
	live    int
	running bool

	// Of the goroutine that runs.
	events  []syscall.EpollEvent
	ready   []*socket
	scratch []byte
	poll    func(fd uintptr) bool
	got     int
	err     error
}

// slot is where a watched socket is found by an event. The generation tells an event of
// an earlier socket in the same slot.
type slot struct {
	socket     *socket
	generation int32
}

// shard gives one of the shards in turn.
func (p *poller) shard() (*shard, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shards == nil {
		for range min(runtime.GOMAXPROCS(0), maxShards) {
			s, err := newShard()
			if err != nil {
				p.closeAll()
				return nil, fmt.Errorf("open epoll: %w", err)
			}
			p.shards = append(p.shards, s)
		}
	}
	return p.shards[int(p.turn.Add(1))%len(p.shards)], nil
}

// close gives the descriptors up. No socket may be watched any more.
func (p *poller) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeAll()
}

func (p *poller) closeAll() {
	for _, s := range p.shards {
		_ = s.file.Close()
	}
	p.shards = nil
}

func newShard() (*shard, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// Non-blocking is what makes os.NewFile hand it to Go's poller.
	if err := syscall.SetNonblock(fd, true); err != nil {
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	s := &shard{
		fd: fd, file: os.NewFile(uintptr(fd), "epoll"),
		events: make([]syscall.EpollEvent, batch), ready: make([]*socket, batch), scratch: make([]byte, scratchBytes),
	}
	s.poll = s.take
	if s.raw, err = s.file.SyscallConn(); err == nil {
		// Fails when Go's poller did not take it.
		err = s.file.SetReadDeadline(time.Time{})
	}
	if err != nil {
		_ = s.file.Close()
		return nil, fmt.Errorf("poll epoll: %w", err)
	}
	return s, nil
}

// watch registers a socket whose descriptor is open.
func (s *shard) watch(k *socket) error {
	s.mu.Lock()
	if n := len(s.free); n > 0 {
		k.slot, s.free = s.free[n-1], s.free[:n-1]
	} else {
		k.slot, s.slots = int32(len(s.slots)), append(s.slots, slot{})
	}
	at := &s.slots[k.slot]
	at.socket = k
	event := syscall.EpollEvent{Events: epollAll, Fd: k.slot, Pad: at.generation}
	s.live++
	if !s.running {
		s.running = true
		_ = s.file.SetReadDeadline(time.Time{})
		go s.run()
	}
	s.mu.Unlock()
	if err := syscall.EpollCtl(s.fd, syscall.EPOLL_CTL_ADD, k.fd, &event); err != nil {
		s.forget(k, false)
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

// forget takes a socket's slot back; closing its descriptor ends the registration.
// inLoop says that the shard's goroutine asks, which then needs no waking to end.
func (s *shard) forget(k *socket, inLoop bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := &s.slots[k.slot]
	at.socket = nil
	at.generation++
	s.free = append(s.free, k.slot)
	if s.live--; s.live == 0 && !inLoop {
		_ = s.file.SetReadDeadline(time.Unix(1, 0))
	}
}

// run hands events to sockets until there are no sockets.
func (s *shard) run() {
	for {
		n, err := s.wait()
		s.find(n)
		for i := range n {
			if k := s.ready[i]; k != nil {
				k.notice(s.events[i].Events, s.scratch)
				s.ready[i] = nil
			}
		}
		switch {
		case s.idle(n == 0):
			return
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return // closed, or broken for good; checks end by their own time
		}
	}
}

// wait blocks until there are events, or forget wakes it.
func (s *shard) wait() (n int, err error) {
	s.got, s.err = 0, nil
	err = s.raw.Read(s.poll)
	if s.err != nil {
		err = s.err
	}
	return s.got, err
}

// take asks for events, and says whether there is anything to do.
func (s *shard) take(fd uintptr) bool {
	n, err := syscall.EpollWait(int(fd), s.events, 0)
	for err == syscall.EINTR {
		n, err = syscall.EpollWait(int(fd), s.events, 0)
	}
	s.got, s.err = max(n, 0), err
	return n > 0 || err != nil
}

// find puts sockets to the first n events.
func (s *shard) find(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range s.events[:n] {
		if at := s.slots[e.Fd]; at.generation == e.Pad {
			s.ready[i] = at.socket
		}
	}
}

// idle ends the run, and says so, when no socket is left. A wake-up without events was
// forget's, which may have been overtaken by a new socket.
func (s *shard) idle(woken bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == 0 {
		s.running = false
		return true
	}
	if woken {
		_ = s.file.SetReadDeadline(time.Time{})
	}
	return false
}
