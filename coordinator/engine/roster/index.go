package roster

import (
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// index finds the slots of sites by id. It does what a map does, in half of the memory:
// the ids are in the records. A cell has half a hash and, in its lower half, a slot and
// one; 0 is empty. Cells are probed in line, at most three quarters of them are full, and
// a removal closes the gap. It grows to the most that was ever in it.
type index struct {
	cells []uint64
	count int
	// id is the site that a slot is of.
	id func(schedule.Slot) check.SiteID
}

// tag is half of an id's hash. The upper bits of a product depend on all of the factor.
func tag(id check.SiteID) uint32 { return uint32(uint64(id) * 0x9e3779b97f4a7c15 >> 32) }

// home is the cell where a tag is looked for first. The number of cells is a power of two.
func (x *index) home(tag uint32) int { return int(uint64(tag) * uint64(len(x.cells)) >> 32) }

func (x *index) next(at int) int { return (at + 1) & (len(x.cells) - 1) }

// find is the cell of a site, or the empty one where it would be.
func (x *index) find(id check.SiteID) int {
	t := tag(id)
	at := x.home(t)
	for c := x.cells[at]; c != 0 && (uint32(c>>32) != t || x.id(slotIn(c)) != id); c = x.cells[at] {
		at = x.next(at)
	}
	return at
}

func slotIn(cell uint64) schedule.Slot { return schedule.Slot(uint32(cell) - 1) }

// get is the slot of a site, if it has one.
func (x *index) get(id check.SiteID) (schedule.Slot, bool) {
	if x.count == 0 {
		return 0, false
	}
	c := x.cells[x.find(id)]
	return slotIn(c), c != 0
}

// put adds a site that has no slot. Its record need not be there yet.
func (x *index) put(id check.SiteID, slot schedule.Slot) {
	if 4*(x.count+1) > 3*len(x.cells) {
		x.grow()
	}
	x.add(uint64(tag(id))<<32 | uint64(slot+1))
	x.count++
}

// add puts a cell into the first empty place.
func (x *index) add(cell uint64) {
	at := x.home(uint32(cell >> 32))
	for x.cells[at] != 0 {
		at = x.next(at)
	}
	x.cells[at] = cell
}

// grow doubles. Homes are in the order of the tags, so that old and new cells are gone
// through in line.
func (x *index) grow() {
	old := x.cells
	x.cells = make([]uint64, max(16, 2*len(old)))
	for _, c := range old {
		if c != 0 {
			x.add(c)
		}
	}
}

// remove takes off a site that has a slot, whose record is still there.
func (x *index) remove(id check.SiteID) {
	gap := x.find(id)
	for at := x.next(gap); x.cells[at] != 0; at = x.next(at) {
		// What is at home behind the gap stays.
		away := (at - x.home(uint32(x.cells[at]>>32))) & (len(x.cells) - 1)
		if away >= (at-gap)&(len(x.cells)-1) {
			x.cells[gap] = x.cells[at]
			gap = at
		}
	}
	x.cells[gap] = 0
	x.count--
}

// glance loads the cell where a site is looked for first; see ahead.go.
func (x *index) glance(id check.SiteID) uint32 {
	if x.count == 0 {
		return 0
	}
	return uint32(x.cells[x.home(tag(id))])
}
