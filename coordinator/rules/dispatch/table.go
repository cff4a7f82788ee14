package dispatch

import "math/bits"

// table finds values by number, as a map does, at a third of its cost, which matters
// here: of all that a healthy check costs the maps were the half. Cells are probed in
// line, at most half of them are full, and a deletion closes the gap. It grows to the
// most that was ever in it.
type table[V any] struct {
	cells []cell[V]
	count int
}

type cell[V any] struct {
	key   uint64
	value *V // nil: the cell is empty
}

// home is the cell where a key is looked for first. The number of cells is a power of two.
func (t *table[V]) home(key uint64) int {
	return int(key * golden >> (64 - bits.Len(uint(len(t.cells)-1))))
}

// get returns the value of a key, nil when there is none.
func (t *table[V]) get(key uint64) *V {
	if t.count == 0 {
		return nil
	}
	return t.cells[t.find(key)].value
}

// find returns the cell of a key, or the empty one where it would be.
func (t *table[V]) find(key uint64) int {
	i := t.home(key)
	for t.cells[i].value != nil && t.cells[i].key != key {
		i = t.next(i)
	}
	return i
}

func (t *table[V]) next(i int) int { return (i + 1) & (len(t.cells) - 1) }

// put adds the value of a key that has none.
func (t *table[V]) put(key uint64, value *V) {
	if 2*t.count >= len(t.cells) {
		old := t.cells
		t.cells = make([]cell[V], max(16, 2*len(old)))
		for _, c := range old {
			if c.value != nil {
				t.cells[t.find(c.key)] = c
			}
		}
	}
	t.cells[t.find(key)] = cell[V]{key, value}
	t.count++
}

// remove drops the value of a key that has one.
func (t *table[V]) remove(key uint64) {
	gap := t.find(key)
	for i := t.next(gap); t.cells[i].value != nil; i = t.next(i) {
		// What is at home behind the gap stays.
		away := (i - t.home(t.cells[i].key)) & (len(t.cells) - 1)
		if away >= (i-gap)&(len(t.cells)-1) {
			t.cells[gap] = t.cells[i]
			gap = i
		}
	}
	t.cells[gap] = cell[V]{}
	t.count--
}
