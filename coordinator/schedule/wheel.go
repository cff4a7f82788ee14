package schedule

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"time"
)

// Slot is an index into the caller's compact array of sites, at most MaxSlot.
type Slot uint32

// MaxSlot is the highest slot that a wheel takes.
const MaxSlot Slot = absent - 1

// Markers in an entry's links; every other value is a slot.
const (
	none   = math.MaxUint32
	absent = math.MaxUint32 - 1
)

// maxAhead is how many ticks ahead an entry can be: 6.8 years of 100 ms ticks.
const maxAhead = math.MaxInt32

// entry is one slot's place on the wheel: 12 bytes, no pointer. Slots of one bucket
// are linked both ways; next is absent when the slot is not on the wheel.
type entry struct {
	next, prev uint32
	// due is the low half of the tick at which the slot is due. The whole tick is at
	// most maxAhead after the wheel's, so the half says it all.
	due uint32
}

// Wheel is a timing wheel: Add, Remove and each tick of Advance cost the same however
// many slots are on it, as long as intervals are not much longer than a revolution
// (buckets ticks); longer ones are looked at once in each revolution.
// It is not safe for concurrent use.
type Wheel struct {
	start time.Time
	tick  time.Duration
	// now is the number of ticks that have passed since start.
	now int64
	// heads are the first slots of the buckets. Their number is a power of two.
	heads   []uint32
	entries []entry
	count   int
}

// New makes an empty wheel that begins at start. Due times are rounded up to ticks.
// The number of buckets is rounded up to a power of two. A tick that is not positive
// is taken as a millisecond.
func New(start time.Time, tick time.Duration, buckets int) *Wheel {
	if tick <= 0 {
		tick = time.Millisecond
	}
	size := 1 << bits.Len(uint(max(1, buckets)-1))
	heads := make([]uint32, size)
	for i := range heads {
		heads[i] = none
	}
	return &Wheel{start: start, tick: tick, heads: heads}
}

// Len returns the number of slots on the wheel.
func (w *Wheel) Len() int { return w.count }

// Grow makes room for the slots below n, so that adding them allocates nothing.
func (w *Wheel) Grow(n int) {
	if n <= len(w.entries) {
		return
	}
	w.entries = slices.Grow(w.entries, n-len(w.entries))
	for len(w.entries) < n {
		w.entries = append(w.entries, entry{next: absent})
	}
}

// Add puts a slot on the wheel, to be due at the first tick that is not before due.
// A due time that has passed means the next tick. Adding a slot again moves it.
// Slots over MaxSlot are ignored.
func (w *Wheel) Add(slot Slot, due time.Time) {
	if slot > MaxSlot {
		return
	}
	w.Remove(slot)
	if n := int(slot) + 1; n > len(w.entries) {
		w.Grow(max(n, min(2*len(w.entries), len(w.entries)+1<<20)))
	}
	ahead := min(max(ticksUp(due.Sub(w.start), w.tick)-w.now, 1), maxAhead)
	e := &w.entries[slot]
	e.due = uint32(w.now + ahead)
	head := w.head(e.due)
	e.prev, e.next = none, *head
	if *head != none {
		w.entries[*head].prev = uint32(slot)
	}
	*head = uint32(slot)
	w.count++
}

// Remove takes a slot off the wheel; one that is not on it is no error.
func (w *Wheel) Remove(slot Slot) {
	if int(slot) < len(w.entries) && w.entries[slot].next != absent {
		w.unlink(uint32(slot))
	}
}

// Advance moves the wheel to now, takes off what has become due and appends it to due,
// in order of ticks. After a pause of any length each slot is still due once. A time
// before the wheel's own changes nothing.
func (w *Wheel) Advance(now time.Time, due []Slot) []Slot {
	elapsed := int64(now.Sub(w.start)/w.tick) - w.now
	if elapsed <= 0 {
		return due
	}
	before, from := uint32(w.now), len(due)
	for t := range min(elapsed, int64(len(w.heads))) {
		next := *w.head(before + 1 + uint32(t))
		for next != none {
			slot := next
			e := &w.entries[slot]
			next = e.next
			if int64(e.due-before) <= elapsed {
				w.unlink(slot)
				due = append(due, Slot(slot))
			}
		}
	}
	w.now += elapsed
	if elapsed > int64(len(w.heads)) {
		// Several revolutions at once: buckets no longer come in order of ticks.
		slices.SortStableFunc(due[from:], func(a, b Slot) int {
			return cmp.Compare(w.entries[a].due-before, w.entries[b].due-before)
		})
	}
	return due
}

func (w *Wheel) head(tick uint32) *uint32 { return &w.heads[tick&uint32(len(w.heads)-1)] }

func (w *Wheel) unlink(slot uint32) {
	e := &w.entries[slot]
	if e.prev != none {
		w.entries[e.prev].next = e.next
	} else {
		*w.head(e.due) = e.next
	}
	if e.next != none {
		w.entries[e.next].prev = e.prev
	}
	e.next = absent
	w.count--
}

// ticksUp is d in ticks, rounded up.
func ticksUp(d, tick time.Duration) int64 {
	n := int64(d / tick)
	if d%tick > 0 {
		n++
	}
	return n
}

// Due says when a slot is due, at the latest, if it is on the wheel.
func (w *Wheel) Due(slot Slot) (time.Time, bool) {
	if int(slot) >= len(w.entries) || w.entries[slot].next == absent {
		return time.Time{}, false
	}
	ahead := int64(w.entries[slot].due - uint32(w.now))
	return w.start.Add(time.Duration(w.now+ahead) * w.tick), true
}
