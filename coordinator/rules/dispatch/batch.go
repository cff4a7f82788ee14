package dispatch

import (
	"time"

	"github.com/Automattic/jetmon/internal/list"
)

// answer is what became of one check of a batch.
type answer uint8

const (
	unanswered answer = iota
	counted           // its result closed the check
	tooLate           // its result came when the check was closed
	wasFenced         // its result came when the check was fenced
)

// again returns the class of a result that is not the first of its slot.
func (a answer) again() Class {
	switch a {
	case counted:
		return Duplicate
	case wasFenced:
		return Stale
	}
	return Late
}

// slot is one check of a batch. The check is open as long as its entry has the serial.
type slot struct {
	key    Key
	entry  *entry
	serial uint64
	host   uint32
	answer answer
	// out means that the batch is live and the check unanswered. It takes its room in the
	// session and, open or not, its place on the host.
	out bool
}

func (s *slot) isOpen() bool { return s.entry.serial == s.serial }

// isQueued reports whether the check waits in the queue and has no result from this batch.
func (s *slot) isQueued() bool {
	return s.answer == unanswered && s.isOpen() && s.entry.isQueued()
}

// batch is what one session has, or had, checked out.
type batch struct {
	ref            Ref
	session        SessionID
	node, instance string
	// live means that the batch is checked out. An ended one is remembered for a while.
	live            bool
	handed, expires time.Time
	ended           time.Time
	slots           []slot
	// left is how many slots are out, open how many of the checks are open in this batch.
	// Invariant: open is at most left while the batch is live; both are 0 when it is not.
	left, open int

	// list is the one that has the batch, by onList.
	list   *batchList
	onList list.Hook[batch]
}

// find returns the position of a check; -1 when the batch has none such.
func (b *batch) find(k Key) int {
	for i := range b.slots {
		if b.slots[i].key == k {
			return i
		}
	}
	return -1
}

// queued counts the checks of an ended batch that wait in the queue.
func (b *batch) queued() int {
	n := 0
	for i := range b.slots {
		if b.slots[i].isQueued() {
			n++
		}
	}
	return n
}

// lend puts the check at a position out with this batch.
func (b *batch) lend(position int) {
	t := &b.slots[position]
	t.out = true
	t.entry.batch, t.entry.position = b, int32(position)
}

// batchList is a list of batches, oldest first.
type batchList struct {
	batches list.List[batch]
	// checks is how many checks the batches have.
	checks int
}

func (l *batchList) oldest() *batch { return l.batches.Front() }

// insert puts a batch where it belongs by its expiry, which is near the end.
func (l *batchList) insert(b *batch) {
	var next *batch
	for o := l.batches.Back(); o != nil && o.expires.After(b.expires); o = o.onList.Prev() {
		next = o
	}
	if next == nil {
		l.push(b)
		return
	}
	l.batches.InsertBefore(&b.onList, b, &next.onList)
	l.took(b)
}

// push puts a batch at the end.
func (l *batchList) push(b *batch) {
	l.batches.PushBack(&b.onList, b)
	l.took(b)
}

func (l *batchList) took(b *batch) {
	b.list = l
	l.checks += len(b.slots)
}

// leave takes a batch off its list, if it is on one.
func (b *batch) leave() {
	if b.list == nil {
		return
	}
	b.list.batches.Remove(&b.onList)
	b.list.checks -= len(b.slots)
	b.list = nil
}
