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

// The epoll events. A socket is registered once for its whole life: edge-triggered, for
// both directions.
const (
	epollIn    = syscall.EPOLLIN
	epollOut   = syscall.EPOLLOUT
	epollError = syscall.EPOLLERR | syscall.EPOLLHUP
	epollEnded = epollError | syscall.EPOLLRDHUP
	epollAll   = epollIn | epollOut | syscall.EPOLLRDHUP | 1<<31 // EPOLLET, which syscall has as a negative
)

const (
	// maxPollers limits the epoll descriptors and the goroutines that wait on them.
	maxPollers = 8
	// batch is the maximum number of events per call.
	batch = 256
	// scratchBytes is the size of the buffer that a poller shares among all its sockets.
	scratchBytes = 16 << 10
)

// pollers is the set of pollers, among which the sockets are spread. It opens them when
// the first socket needs one.
type pollers struct {
	// create opens an epoll descriptor.
	create func() (int, error)

	mu   sync.Mutex
	all  []*poller
	turn atomic.Uint32
}

// poller is one epoll descriptor and the goroutine that waits for it. The goroutine
// runs while there is a socket to watch. It is parked on Go's own poller, so it blocks
// no thread and needs no timer.
type poller struct {
	file *os.File
	raw  syscall.RawConn
	fd   int

	mu      sync.Mutex
	slots   []slot
	free    []int32
	live    int
	running bool

	// Only the poller's goroutine uses these.
	events  []syscall.EpollEvent
	ready   []*socket
	scratch []byte
	poll    func(fd uintptr) bool
	got     int
	err     error
}

// slot is the place under which an event finds its socket. The generation exposes an
// event of an earlier socket in the same slot.
type slot struct {
	socket     *socket
	generation int32
}

// ready opens the pollers if they are not open yet.
func (p *pollers) ready() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open()
}

func (p *pollers) open() error {
	if p.all != nil {
		return nil
	}
	for range min(runtime.GOMAXPROCS(0), maxPollers) {
		opened, err := newPoller(p.create)
		if err != nil {
			p.closeAll()
			return fmt.Errorf("open epoll: %w", err)
		}
		p.all = append(p.all, opened)
	}
	return nil
}

// next returns the pollers in turn.
func (p *pollers) next() (*poller, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.open(); err != nil {
		return nil, err
	}
	return p.all[int(p.turn.Add(1))%len(p.all)], nil
}

// close closes the descriptors. No socket may be open any more.
func (p *pollers) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeAll()
}

func (p *pollers) closeAll() {
	for _, s := range p.all {
		_ = s.file.Close()
	}
	p.all = nil
}

func createEpoll() (int, error) { return syscall.EpollCreate1(syscall.EPOLL_CLOEXEC) }

func newPoller(create func() (int, error)) (*poller, error) {
	fd, err := create()
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// os.NewFile hands only a non-blocking descriptor to Go's own poller.
	if err := syscall.SetNonblock(fd, true); err != nil {
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &poller{
		fd: fd, file: os.NewFile(uintptr(fd), "epoll"),
		events: make([]syscall.EpollEvent, batch), ready: make([]*socket, batch), scratch: make([]byte, scratchBytes),
	}
	p.poll = p.take
	if p.raw, err = p.file.SyscallConn(); err == nil {
		// This fails when Go's own poller did not accept the descriptor.
		err = p.file.SetReadDeadline(time.Time{})
	}
	if err != nil {
		_ = p.file.Close()
		return nil, fmt.Errorf("poll epoll: %w", err)
	}
	return p, nil
}

// watch registers a socket whose descriptor is open.
func (p *poller) watch(k *socket) error {
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		k.slot, p.free = p.free[n-1], p.free[:n-1]
	} else {
		k.slot, p.slots = int32(len(p.slots)), append(p.slots, slot{})
	}
	at := &p.slots[k.slot]
	at.socket = k
	event := syscall.EpollEvent{Events: epollAll, Fd: k.slot, Pad: at.generation}
	p.live++
	if !p.running {
		p.running = true
		_ = p.file.SetReadDeadline(time.Time{})
		go p.run()
	}
	p.mu.Unlock()
	if err := syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, k.fd, &event); err != nil {
		p.forget(k, false)
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

// forget frees a socket's slot; closing its descriptor ends the registration. inLoop is
// true for calls from the poller's own goroutine, which needs no waking to end.
func (p *poller) forget(k *socket, inLoop bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := &p.slots[k.slot]
	at.socket = nil
	at.generation++
	p.free = append(p.free, k.slot)
	if p.live--; p.live == 0 && !inLoop {
		_ = p.file.SetReadDeadline(time.Unix(1, 0))
	}
}

// run passes events to sockets until there are no sockets.
func (p *poller) run() {
	for {
		n, err := p.wait()
		p.find(n)
		for i := range n {
			if k := p.ready[i]; k != nil {
				k.notice(p.events[i].Events, p.scratch)
				p.ready[i] = nil
			}
		}
		switch {
		case p.idle(n == 0):
			return
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return // closed, or broken for good; open checks end by their own deadlines
		}
	}
}

// wait blocks until there are events, or forget wakes it.
func (p *poller) wait() (n int, err error) {
	p.got, p.err = 0, nil
	err = p.raw.Read(p.poll)
	if p.err != nil {
		err = p.err
	}
	return p.got, err
}

// take asks epoll for events, and reports whether there are events or an error.
func (p *poller) take(fd uintptr) bool {
	n, err := syscall.EpollWait(int(fd), p.events, 0)
	for err == syscall.EINTR {
		n, err = syscall.EpollWait(int(fd), p.events, 0)
	}
	p.got, p.err = max(n, 0), err
	return n > 0 || err != nil
}

// find looks up the sockets of the first n events.
func (p *poller) find(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, e := range p.events[:n] {
		if at := p.slots[e.Fd]; at.generation == e.Pad {
			p.ready[i] = at.socket
		}
	}
}

// idle ends the run when no socket is left, and reports that it did. A wake-up without
// events came from forget; meanwhile a new socket may have been registered.
func (p *poller) idle(woken bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live == 0 {
		p.running = false
		return true
	}
	if woken {
		_ = p.file.SetReadDeadline(time.Time{})
	}
	return false
}
