package roster

import (
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// index finds the slots of sites by id. It is a hash map in half the memory of Go's, since
// the ids are in the entries. The upper half of a cell holds half a hash, the lower half a
// slot plus one; 0 means empty. It uses linear probing, at most three quarters of the cells
// are full, and a removal closes the gap. It never shrinks.
type index struct {
	cells []uint64
	count int
	// id returns the site of a slot.
	id func(schedule.Slot) check.SiteID
}

// tag returns half of an id's hash: the upper bits of the product depend on every bit of id.
func tag(id check.SiteID) uint32 { return uint32(uint64(id) * 0x9e3779b97f4a7c15 >> 32) }

// home returns the cell where the search for a tag starts. The number of cells is a power
// of two.
func (x *index) home(tag uint32) int { return int(uint64(tag) * uint64(len(x.cells)) >> 32) }

func (x *index) next(at int) int { return (at + 1) & (len(x.cells) - 1) }

// find returns the cell of a site, or the empty cell where it would be.
func (x *index) find(id check.SiteID) int {
	t := tag(id)
	at := x.home(t)
	for c := x.cells[at]; c != 0 && (uint32(c>>32) != t || x.id(slotIn(c)) != id); c = x.cells[at] {
		at = x.next(at)
	}
	return at
}

func slotIn(cell uint64) schedule.Slot { return schedule.Slot(uint32(cell) - 1) }

// get returns the slot of a site, if it has one.
func (x *index) get(id check.SiteID) (schedule.Slot, bool) {
	if x.count == 0 {
		return 0, false
	}
	c := x.cells[x.find(id)]
	return slotIn(c), c != 0
}

// put adds a site that has no slot. Its entry need not be there yet.
func (x *index) put(id check.SiteID, slot schedule.Slot) {
	if 4*(x.count+1) > 3*len(x.cells) {
		x.grow()
	}
	x.add(uint64(tag(id))<<32 | uint64(slot+1))
	x.count++
}

// add stores a cell in the first empty place from its home on.
func (x *index) add(cell uint64) {
	at := x.home(uint32(cell >> 32))
	for x.cells[at] != 0 {
		at = x.next(at)
	}
	x.cells[at] = cell
}

// grow doubles the cells. Homes are in the order of the tags, so both the old and the new
// cells are accessed sequentially.
func (x *index) grow() {
	old := x.cells
	x.cells = make([]uint64, max(16, 2*len(old)))
	for _, c := range old {
		if c != 0 {
			x.add(c)
		}
	}
}

// remove deletes a site that has a slot, while its entry still exists.
func (x *index) remove(id check.SiteID) {
	gap := x.find(id)
	for at := x.next(gap); x.cells[at] != 0; at = x.next(at) {
		// A cell whose home lies behind the gap stays.
		away := (at - x.home(uint32(x.cells[at]>>32))) & (len(x.cells) - 1)
		if away >= (at-gap)&(len(x.cells)-1) {
			x.cells[gap] = x.cells[at]
			gap = at
		}
	}
	x.cells[gap] = 0
	x.count--
}

// glance prefetches the home cell of a site; see ahead.go.
func (x *index) glance(id check.SiteID) uint32 {
	if x.count == 0 {
		return 0
	}
	return uint32(x.cells[x.home(tag(id))])
}
