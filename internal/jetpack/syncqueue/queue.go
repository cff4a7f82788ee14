package syncqueue

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Jetpack's numbers.
const (
	// DefaultLease is how long a buffer stays checked out, to the whole second.
	DefaultLease = 120 * time.Second
	// DefaultBytes and DefaultRows limit a buffer of the sender.
	DefaultBytes = 500_000
	DefaultRows  = 500
	// A queue beyond both MaxItems and MaxLag accepts no more items.
	MaxItems = 5000
	MaxLag   = 7200 * time.Second
	// hardMax is the size at which a queue accepts no more items, however young they are.
	hardMax = 100_000
)

// lockName is the buffer id of a queue locked without a buffer.
const lockName = "lock"

// ItemID identifies an item. Ids sort by time.
type ItemID string

// Item is one change in the queue.
type Item struct {
	ID    ItemID
	Value []byte
	at    time.Time
}

// Buffer holds checked-out items. The zero value means that there was nothing to check out.
type Buffer struct {
	ID    string
	Items []Item
}

// IDs returns the ids of the buffer's items.
func (b Buffer) IDs() []ItemID {
	ids := make([]ItemID, len(b.Items))
	for i, item := range b.Items {
		ids[i] = item.ID
	}
	return ids
}

// Options for New.
type Options struct {
	// Name is the queue's name, "sync" or "full_sync".
	Name string
	// Lease is how long a buffer stays checked out, in whole seconds; 0 means DefaultLease.
	Lease time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// withDefaults returns o with a value for each field that has a default.
func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Lease <= 0 {
		o.Lease = DefaultLease
	}
	return o
}

// Queue is a sync queue. It is safe for concurrent use.
type Queue struct {
	name  string
	lease time.Duration
	now   func() time.Time
	// tag distinguishes the ids of this queue from those of another with the same name.
	tag string

	mu    sync.Mutex
	items []Item
	last  time.Time
	added int
	// owner is the buffer id that holds the lock until expires; "" means that it is free.
	owner   string
	expires time.Time
	// emptied is closed and replaced when the queue becomes empty.
	emptied chan struct{}
}

// New makes an empty queue.
func New(o Options) *Queue {
	o = o.withDefaults()
	return &Queue{name: o.Name, lease: o.Lease, now: o.Now, tag: random(), emptied: make(chan struct{})}
}

// Add appends an item. It refuses the item, and ok is false, when the value is empty or
// the queue is full and behind.
func (q *Queue) Add(value []byte) (id ItemID, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	if len(value) == 0 || len(q.items) >= hardMax || len(q.items) > MaxItems && now.Sub(q.items[0].at) > MaxLag {
		return "", false
	}
	// Ids contain microseconds; no two items share one, so order and ids agree.
	at := now.Truncate(time.Microsecond)
	if !at.After(q.last) {
		at = q.last.Add(time.Microsecond)
	}
	q.last = at
	q.added++
	id = ItemID(fmt.Sprintf("jpsq_%s-%d.%06d-%s-%d", q.name, at.Unix(), at.Nanosecond()/1000, q.tag, q.added))
	q.items = append(q.items, Item{ID: id, Value: slices.Clone(value), at: now})
	return id, true
}

// Size returns the number of items, including those checked out.
func (q *Queue) Size() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

// Lag returns the age of the oldest item, 0 when there is none.
func (q *Queue) Lag() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return 0
	}
	return max(0, q.now().Sub(q.items[0].at))
}

// IsLocked reports whether a buffer is checked out or the queue is locked.
func (q *Queue) IsLocked() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.locked()
}

// Checkout checks out up to n of the oldest items. Without items there is no buffer and no
// lock.
func (q *Queue) Checkout(n int) (Buffer, error) {
	return q.checkout(func() int { return min(n, len(q.items)) })
}

// CheckoutBytes checks out the oldest items, as many as fit into the given bytes and rows.
// It includes the first item even when that is larger.
func (q *Queue) CheckoutBytes(bytes, rows int) (Buffer, error) {
	return q.checkout(func() int {
		n, sum := 0, 0
		for n < min(rows, len(q.items)) {
			if sum += len(q.items[n].Value); sum > bytes && n > 0 {
				break
			}
			n++
		}
		return n
	})
}

func (q *Queue) checkout(count func() int) (Buffer, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.locked() {
		return Buffer{}, ErrUnclosedBuffer
	}
	n := count()
	if n <= 0 {
		return Buffer{}, nil
	}
	b := Buffer{ID: random(), Items: slices.Clone(q.items[:n])}
	q.hold(b.ID)
	return b, nil
}

// Checkin returns a buffer unprocessed: its items are the oldest again.
func (q *Queue) Checkin(b Buffer) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.validate(b); err != nil {
		return err
	}
	q.release()
	return nil
}

// Close ends a buffer and removes its items.
func (q *Queue) Close(b Buffer) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.validate(b); err != nil {
		return err
	}
	q.release()
	q.remove(b.IDs())
	return nil
}

// CloseItems ends a buffer and removes the given items. It removes them even when the
// buffer is no longer valid, because they were processed, and returns the error.
func (q *Queue) CloseItems(b Buffer, ids []ItemID) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.validate(b)
	if err == nil {
		q.release()
	}
	q.remove(ids)
	return err
}

// Lock waits up to timeout until the queue is empty, and then prevents checkouts. It does
// not wait for a buffer that is checked out.
func (q *Queue) Lock(ctx context.Context, timeout time.Duration) error {
	late := time.NewTimer(timeout)
	defer late.Stop()
	for {
		emptied, err := q.tryLock()
		if emptied == nil {
			return err
		}
		select {
		case <-emptied:
		case <-late.C:
			// The queue may have become empty in this moment.
			if emptied, err := q.tryLock(); emptied == nil {
				return err
			}
			return ErrLockTimeout
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryLock locks an empty queue; otherwise it returns the channel that is closed when the
// queue becomes empty.
func (q *Queue) tryLock() (<-chan struct{}, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case len(q.items) > 0:
		return q.emptied, nil
	case q.locked():
		return nil, ErrUnclosedBuffer
	}
	q.hold(lockName)
	return nil, nil
}

// Unlock clears the lock, whoever holds it.
func (q *Queue) Unlock() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.release()
}

// ForceCheckin clears the lock of the buffer that is checked out. Its holder can no longer
// close it, so items may be sent twice; nothing is lost.
func (q *Queue) ForceCheckin() { q.Unlock() }

func (q *Queue) locked() bool { return q.owner != "" && q.now().Before(q.expires) }

// hold takes the lock. Jetpack counts whole seconds, so a lock ends at one: up to a second
// before the lease is over.
func (q *Queue) hold(id string) {
	q.owner, q.expires = id, q.now().Truncate(time.Second).Add(q.lease)
}

func (q *Queue) release() { q.owner, q.expires = "", time.Time{} }

func (q *Queue) validate(b Buffer) error {
	switch {
	case b.ID == "":
		return ErrNotABuffer
	case !q.locked():
		return ErrNotCheckedOut
	case q.owner != b.ID:
		return ErrMismatch
	}
	return nil
}

func (q *Queue) remove(ids []ItemID) {
	if len(ids) == 0 || len(q.items) == 0 {
		return
	}
	gone := make(map[ItemID]struct{}, len(ids))
	for _, id := range ids {
		gone[id] = struct{}{}
	}
	q.items = slices.DeleteFunc(q.items, func(i Item) bool {
		_, ok := gone[i.ID]
		return ok
	})
	if len(q.items) == 0 {
		close(q.emptied)
		q.emptied = make(chan struct{})
	}
}

// random returns an unguessable id.
func random() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
