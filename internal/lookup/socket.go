package lookup

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// receiveBuffer is what the kernel is asked to hold for a socket: a burst of answers.
const receiveBuffer = 1 << 20

// socket is a UDP socket that is connected to one name server. Its reader runs while a
// question waits for an answer.
type socket struct {
	server *server
	conn   *net.UDPConn
	raw    syscall.RawConn
	born   time.Duration
	asked  atomic.Int32
	// single is true when the system has no calls for several datagrams.
	single atomic.Bool

	mu      sync.Mutex
	waiting map[uint16]*attempt
	// running is true while there is a reader, and poked when its deadline has passed so that
	// it looks whether anybody waits.
	running, poked bool
	// retired is true when the socket ends with its last question, and closed when it has.
	retired, closed bool
}

func newSocket(s *server, c *net.UDPConn, now time.Duration) *socket {
	k := &socket{server: s, conn: c, born: now, waiting: make(map[uint16]*attempt)}
	_ = c.SetReadBuffer(receiveBuffer) // as much as the system allows
	raw, err := c.SyscallConn()
	k.raw = raw
	k.single.Store(s.resolver.portable || err != nil)
	return k
}

func (k *socket) isWorn(now time.Duration) bool {
	return k.asked.Load() >= maxAsked || now-k.born >= maxAge
}

// ask sends attempts and waits for their answers.
func (k *socket) ask(out *outbox, attempts []*attempt) error {
	if err := k.expect(attempts); err != nil {
		return err
	}
	err := out.send(k, attempts)
	if errors.Is(err, syscall.ECONNREFUSED) {
		// The error came back from an earlier packet.
		k.fail(err, attempts)
		err = out.send(k, attempts)
	}
	if err != nil {
		for _, a := range attempts {
			k.drop(a)
		}
	}
	return err
}

// expect gives the attempts their ids and has the reader wait for them.
func (k *socket) expect(attempts []*attempt) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return errClosed
	}
	for _, a := range attempts {
		id := uint16(rand.Uint32())
		for k.waiting[id] != nil {
			id = uint16(rand.Uint32())
		}
		a.setID(id)
		a.socket = k
		k.waiting[id] = a
	}
	k.asked.Add(int32(len(attempts)))
	k.server.resolver.counts.questions.Add(int64(len(attempts)))
	if !k.running {
		k.running = true
		if k.poked {
			k.poked = false
			_ = k.conn.SetReadDeadline(time.Time{})
		}
		k.server.resolver.work.Go(k.read)
	}
	return nil
}

// drop forgets an attempt, if it still waits.
func (k *socket) drop(a *attempt) {
	k.mu.Lock()
	last := false
	if k.waiting[a.id] == a {
		delete(k.waiting, a.id)
		last = len(k.waiting) == 0
	}
	if last && k.running && !k.poked {
		k.poked = true
		_ = k.conn.SetReadDeadline(time.Unix(1, 0))
	}
	k.unlock(last && !k.running && k.retired)
}

// retire lets the socket end with its last question.
func (k *socket) retire() {
	k.mu.Lock()
	k.retired = true
	k.unlock(len(k.waiting) == 0 && !k.running)
}

// shut ends the socket at once, and with it the reader.
func (k *socket) shut() {
	k.mu.Lock()
	k.unlock(true)
}

// unlock gives the lock back, and ends the socket if it is over. Closing waits for the
// reader to leave the kernel, and the reader may be waiting for the lock.
func (k *socket) unlock(over bool) {
	over = over && !k.closed
	k.closed = k.closed || over
	k.mu.Unlock()
	if over {
		k.server.open.Add(-1)
		_ = k.conn.Close()
	}
}

// fail tells attempts that the server cannot be reached: all that wait, except some.
func (k *socket) fail(err error, except []*attempt) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, a := range k.waiting {
		spared := false
		for _, b := range except {
			spared = spared || a == b
		}
		if !spared {
			delete(k.waiting, id)
			a.question.inquiry.tell(a, newsError, err)
		}
	}
}

// read passes answers on until no attempt waits.
func (k *socket) read() {
	for {
		err := k.receive()
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			k.fail(err, nil)
		}
		if k.rest() {
			return
		}
	}
}

// rest ends the reader when no attempt waits.
func (k *socket) rest() (over bool) {
	k.mu.Lock()
	over = len(k.waiting) == 0 || k.closed
	switch {
	case over:
		k.running = false
	case k.poked:
		k.poked = false
		_ = k.conn.SetReadDeadline(time.Time{})
	}
	k.unlock(over && k.retired)
	return over
}

// take passes packets to the attempts that wait for them. It reports whether any attempt
// still waits.
func (k *socket) take(packets [][]byte) (more bool) {
	now := k.server.resolver.clock()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, packet := range packets {
		if !k.deliver(packet, now) {
			k.server.resolver.counts.passedOver.Add(1)
		}
	}
	return len(k.waiting) > 0
}

// deliver passes one packet on. It reports whether the packet was believed.
func (k *socket) deliver(packet []byte, now time.Duration) (believed bool) {
	if len(packet) < headerBytes {
		return false
	}
	id := binary.BigEndian.Uint16(packet)
	a := k.waiting[id]
	if a == nil {
		return false
	}
	defer func() {
		// A packet that we cannot read must not end the process.
		if v := recover(); v != nil {
			delete(k.waiting, id)
			a.question.inquiry.tell(a, newsError, bug{v})
		}
	}()
	if !a.hear(packet, now) {
		return false
	}
	delete(k.waiting, id)
	return true
}
