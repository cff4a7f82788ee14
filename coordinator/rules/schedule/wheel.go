package schedule

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"time"
)

// Slot is an index into the caller's compact array of sites, at most maxSlot.
type Slot uint32

// maxSlot is the highest slot that a wheel takes.
const maxSlot Slot = math.MaxUint32 - 2

// maxAhead is how many ticks ahead an entry can be: 6.8 years of 100 ms ticks.
const maxAhead = math.MaxInt32

// entry is one slot's place on the wheel: 8 bytes, no pointer.
type entry struct {
	// at is the cell that the slot is in, 0 when it is not on the wheel.
	at uint32
	// due is the low half of the tick at which the slot is due. The whole tick is at
	// most maxAhead after the wheel's, so the half is enough.
	due uint32
}

// blockSize is the number of cells in a block, which fills one cache line.
const blockSize = 16

// Wheel is a timing wheel: Add, Remove and each tick of Advance cost the same however
// many slots are on it, as long as intervals are not much longer than a revolution
// (buckets ticks); Advance visits longer ones once in each revolution.
// A Wheel is not safe for concurrent use.
type Wheel struct {
	start time.Time
	tick  time.Duration
	// now is the number of ticks that have passed since start.
	now int64
	// tops holds for each bucket the cell of its newest slot, 0 when the bucket is empty.
	// The number of buckets is a power of two.
	tops []uint32
	// cells are grouped in blocks of blockSize. A bucket is a stack of slots in such blocks;
	// the first cell of a block holds the cell below the block. So Advance finds the slots
	// of a tick without following a link for each, whose entry may be far away in memory.
	cells []uint32
	// free is the first of the linked list of unused blocks; 0 when there is none.
	free    uint32
	entries []entry
	count   int
}

// New makes an empty wheel that begins at start. Due times are rounded up to ticks.
// The number of buckets is rounded up to a power of two. A tick that is not positive
// becomes a millisecond.
func New(start time.Time, tick time.Duration, buckets int) *Wheel {
	if tick <= 0 {
		tick = time.Millisecond
	}
	size := 1 << bits.Len(uint(max(1, buckets)-1))
	return &Wheel{start: start, tick: tick, tops: make([]uint32, size), cells: make([]uint32, blockSize)}
}

// Len returns the number of slots on the wheel.
func (w *Wheel) Len() int { return w.count }

// Grow makes room for the slots below n, so that adding them allocates nothing.
func (w *Wheel) Grow(n int) {
	if n > len(w.entries) {
		w.entries = append(w.entries, make([]entry, n-len(w.entries))...)
	}
}

// Add puts a slot on the wheel, to be due at the first tick that is not before due.
// A due time that has passed means the next tick. Adding a slot again moves it.
// Slots over maxSlot are ignored.
func (w *Wheel) Add(slot Slot, due time.Time) {
	if slot > maxSlot {
		return
	}
	w.Remove(slot)
	if n := int(slot) + 1; n > len(w.entries) {
		w.Grow(max(n, min(2*len(w.entries), len(w.entries)+1<<20)))
	}
	ahead := min(max(ticksUp(due.Sub(w.start), w.tick)-w.now, 1), maxAhead)
	at := uint32(w.now + ahead)
	w.entries[slot] = entry{at: w.push(w.top(at), uint32(slot)), due: at}
	w.count++
}

// Remove takes a slot off the wheel. It does nothing if the slot is not on it.
func (w *Wheel) Remove(slot Slot) {
	if int(slot) < len(w.entries) && w.entries[slot].at != 0 {
		w.take(&w.entries[slot])
	}
}

// Advance moves the wheel to now, takes the due slots off and appends them to due, in order
// of ticks. After a pause of any length each slot is still due once. A time before the
// wheel's own changes nothing.
func (w *Wheel) Advance(now time.Time, due []Slot) []Slot {
	elapsed := int64(now.Sub(w.start)/w.tick) - w.now
	if elapsed <= 0 {
		return due
	}
	before, from := uint32(w.now), len(due)
	for t := range min(elapsed, int64(len(w.tops))) {
		for at := *w.top(before + 1 + uint32(t)); at != 0; {
			slot := w.cells[at]
			e, below := &w.entries[slot], w.below(at)
			if int64(e.due-before) <= elapsed {
				w.take(e)
				due = append(due, Slot(slot))
			}
			at = below
		}
	}
	w.now += elapsed
	if elapsed > int64(len(w.tops)) {
		// Several revolutions at once: buckets no longer come in order of ticks.
		slices.SortStableFunc(due[from:], func(a, b Slot) int {
			return cmp.Compare(w.entries[a].due-before, w.entries[b].due-before)
		})
	}
	return due
}

// top returns the top of the bucket of a tick.
func (w *Wheel) top(tick uint32) *uint32 { return &w.tops[tick&uint32(len(w.tops)-1)] }

// push puts a slot on a bucket and returns its cell.
func (w *Wheel) push(top *uint32, slot uint32) uint32 {
	if *top == 0 || *top%blockSize == blockSize-1 {
		block := w.newBlock()
		w.cells[block] = *top
		*top = block
	}
	*top++
	w.cells[*top] = slot
	return *top
}

// take takes a slot off the wheel: the top slot of its bucket moves into its cell.
func (w *Wheel) take(e *entry) {
	top := w.top(e.due)
	last := *top
	if e.at != last {
		moved := w.cells[last]
		w.cells[e.at], w.entries[moved].at = moved, e.at
	}
	e.at = 0
	w.count--
	if *top = w.below(last); last%blockSize == 1 {
		block := last - 1
		w.cells[block], w.free = w.free, block
	}
}

// below returns the cell below another in its bucket; 0 when there is none.
func (w *Wheel) below(at uint32) uint32 {
	if at%blockSize == 1 {
		return w.cells[at-1]
	}
	return at - 1
}

// newBlock takes a free block, or makes one. The very first block is never used, so that no
// cell is 0.
func (w *Wheel) newBlock() uint32 {
	block := w.free
	if block != 0 {
		w.free = w.cells[block]
		return block
	}
	block = uint32(len(w.cells))
	if len(w.cells) == cap(w.cells) {
		w.cells = slices.Grow(w.cells, min(len(w.cells), 1<<20))
	}
	w.cells = w.cells[:block+blockSize]
	return block
}

// ticksUp returns d in ticks, rounded up.
func ticksUp(d, tick time.Duration) int64 {
	n := int64(d / tick)
	if d%tick > 0 {
		n++
	}
	return n
}

// Due returns when a slot is due, at the latest; false when it is not on the wheel.
func (w *Wheel) Due(slot Slot) (time.Time, bool) {
	if int(slot) >= len(w.entries) || w.entries[slot].at == 0 {
		return time.Time{}, false
	}
	ahead := int64(w.entries[slot].due - uint32(w.now))
	return w.start.Add(time.Duration(w.now+ahead) * w.tick), true
}
