// Package table provides a hash table that finds values by number at a third of the cost of
// a map.
//
// The table uses linear probing, at most half of its cells are full, and a removal closes
// its gap, so that a search never passes the graves of what was removed. It never shrinks.
// A cell takes 16 bytes.
//
// The package is pure. A Table is not safe for concurrent use.
package table

import (
	"iter"
	"math/bits"
)

// Table holds a pointer for each of its keys. The zero Table is empty.
type Table[V any] struct {
	// cells number zero, or a power of two. Invariant: no cell between the home of a key and
	// the cell of the key is empty.
	cells []cell[V]
	// count is how many cells are full. Invariant: it is at most half of them.
	count int
}

type cell[V any] struct {
	key   uint64
	value *V // nil: the cell is empty
}

// golden spreads keys that lie close together: 2^64 over the golden ratio.
const golden = 0x9e3779b97f4a7c15

// Len returns the number of keys.
func (t *Table[V]) Len() int { return t.count }

// Get returns the value of a key; nil when the table does not have the key.
func (t *Table[V]) Get(key uint64) *V {
	if t.count == 0 {
		return nil
	}
	return t.cells[t.find(key)].value
}

// Put sets the value of a key. The value must not be nil.
func (t *Table[V]) Put(key uint64, value *V) {
	if 2*t.count >= len(t.cells) {
		t.grow()
	}
	c := &t.cells[t.find(key)]
	if c.value == nil {
		t.count++
	}
	*c = cell[V]{key, value}
}

// Remove deletes a key. It does nothing if the table does not have the key.
func (t *Table[V]) Remove(key uint64) {
	if t.count == 0 {
		return
	}
	gap := t.find(key)
	if t.cells[gap].value == nil {
		return
	}
	for i := t.next(gap); t.cells[i].value != nil; i = t.next(i) {
		// A cell whose home lies behind the gap stays.
		away := (i - t.home(t.cells[i].key)) & (len(t.cells) - 1)
		if away >= (i-gap)&(len(t.cells)-1) {
			t.cells[gap] = t.cells[i]
			gap = i
		}
	}
	t.cells[gap] = cell[V]{}
	t.count--
}

// Glance loads the cell where the search for a key starts, so that a Get soon after does not
// wait for memory. The caller adds the result, which means nothing, to a sum: otherwise the
// compiler would remove the load.
func (t *Table[V]) Glance(key uint64) uint64 {
	if t.count == 0 {
		return 0
	}
	return t.cells[t.home(key)].key
}

// All iterates over the keys and their values, in no order. The loop must not change the
// table.
func (t *Table[V]) All() iter.Seq2[uint64, *V] {
	return func(yield func(uint64, *V) bool) {
		for _, c := range t.cells {
			if c.value != nil && !yield(c.key, c.value) {
				return
			}
		}
	}
}

// home returns the cell where the search for a key starts.
func (t *Table[V]) home(key uint64) int {
	return int(key * golden >> (64 - bits.Len(uint(len(t.cells)-1))))
}

func (t *Table[V]) next(i int) int { return (i + 1) & (len(t.cells) - 1) }

// find returns the cell of a key, or the empty one where it would be.
func (t *Table[V]) find(key uint64) int {
	i := t.home(key)
	for t.cells[i].value != nil && t.cells[i].key != key {
		i = t.next(i)
	}
	return i
}

// grow doubles the cells.
func (t *Table[V]) grow() {
	old := t.cells
	t.cells = make([]cell[V], max(16, 2*len(old)))
	for _, c := range old {
		if c.value != nil {
			t.cells[t.find(c.key)] = c
		}
	}
}
