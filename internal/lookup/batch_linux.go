package lookup

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// batch is the number of datagrams received in one call.
	batch = 16
	// sendBatch is the number of datagrams sent in one call: A and AAAA.
	sendBatch = 2
)

// mmsghdr is the kernel's struct mmsghdr.
type mmsghdr struct {
	hdr syscall.Msghdr
	n   uint32
}

// point makes the header describe one buffer.
func (m *mmsghdr) point(at *syscall.Iovec, b []byte) {
	at.Base = unsafe.SliceData(b)
	at.SetLen(len(b))
	m.hdr.Iov, m.hdr.Iovlen = at, 1
}

// mmsg calls recvmmsg or sendmmsg. A call that would block returns EAGAIN.
func mmsg(call, fd uintptr, hdrs []mmsghdr) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.Syscall6(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(hdrs))), uintptr(len(hdrs)),
			syscall.MSG_DONTWAIT, 0, 0)
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}

// unknownCall reports whether the system does not know the call, or forbids it.
func unknownCall(errno syscall.Errno) bool { return errno == syscall.ENOSYS || errno == syscall.EPERM }

// outbox sends the packets of one inquiry. It must not be copied.
type outbox struct {
	hdrs  [sendBatch]mmsghdr
	at    [sendBatch]syscall.Iovec
	n     int
	errno syscall.Errno
	write func(fd uintptr) bool
}

func (o *outbox) open() { o.write = o.transmit }

// transmit sends what is in the outbox. A packet for which there is no room counts as lost.
func (o *outbox) transmit(fd uintptr) bool {
	o.errno = 0
	for sent := 0; sent < o.n; {
		n, errno := mmsg(unix.SYS_SENDMMSG, fd, o.hdrs[sent:o.n])
		if errno != 0 {
			if errno != syscall.EAGAIN {
				o.errno = errno
			}
			break
		}
		sent += n
	}
	return true
}

// send sends one or two attempts in one call.
func (o *outbox) send(k *socket, attempts []*attempt) error {
	if k.single.Load() || len(attempts) > sendBatch {
		return sendEach(k, attempts)
	}
	for i, a := range attempts {
		o.hdrs[i].point(&o.at[i], a.packet)
	}
	o.n = len(attempts)
	if err := k.raw.Write(o.write); err != nil {
		return err
	}
	switch {
	case unknownCall(o.errno):
		k.single.Store(true)
		return sendEach(k, attempts)
	case o.errno != 0:
		return os.NewSyscallError("sendmmsg", o.errno)
	}
	return nil
}

// inbox holds the packets received in one call.
type inbox struct {
	hdrs    [batch]mmsghdr
	at      [batch]syscall.Iovec
	packets [batch][]byte
	buffers [batch][udpBuffer]byte
}

// receive passes packets to the socket until nobody waits.
func (k *socket) receive() error {
	if k.single.Load() {
		return receiveEach(k)
	}
	pool := &k.server.resolver.inboxes
	in, _ := pool.Get().(*inbox)
	if in == nil {
		in = new(inbox)
		for i := range in.hdrs {
			in.hdrs[i].point(&in.at[i], in.buffers[i][:])
		}
	}
	defer pool.Put(in)
	var failed syscall.Errno
	err := k.raw.Read(func(fd uintptr) bool {
		for {
			n, errno := mmsg(unix.SYS_RECVMMSG, fd, in.hdrs[:])
			switch {
			case errno == syscall.EAGAIN:
				return false
			case errno != 0:
				failed = errno
				return true
			}
			for i := range n {
				in.packets[i] = in.buffers[i][:in.hdrs[i].n]
			}
			if !k.take(in.packets[:n]) {
				return true
			}
			if n < batch {
				return false // drained: what comes next makes the socket ready anew
			}
		}
	})
	switch {
	case err != nil:
		return err
	case unknownCall(failed):
		k.single.Store(true)
		return receiveEach(k)
	case failed != 0:
		return os.NewSyscallError("recvmmsg", failed)
	}
	return nil
}
