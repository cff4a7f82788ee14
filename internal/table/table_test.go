package table

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/Automattic/jetmon/test/seeds"
)

func TestTheZeroTableIsEmpty(t *testing.T) {
	t.Parallel()
	var table Table[int]
	table.Remove(7)
	if table.Len() != 0 || table.Get(7) != nil || table.Glance(7) != 0 || len(maps.Collect(table.All())) != 0 {
		t.Errorf("it has %d keys", table.Len())
	}
}

func TestASecondPutReplacesTheValue(t *testing.T) {
	t.Parallel()
	var table Table[int]
	first, second := 1, 2
	table.Put(0, &first)
	table.Put(0, &second)
	if table.Len() != 1 || table.Get(0) != &second {
		t.Errorf("it has %d keys, and the value is %v", table.Len(), table.Get(0))
	}
	table.Remove(1)
	if table.Remove(0); table.Len() != 0 || table.Get(0) != nil {
		t.Errorf("after the removal it has %d keys", table.Len())
	}
}

func TestALoopOverATableMayEndEarly(t *testing.T) {
	t.Parallel()
	var table Table[int]
	for key := range uint64(10) {
		table.Put(key, new(int))
	}
	n := 0
	for range table.All() {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("it saw %d keys", n)
	}
}

// A table holds what a map holds, with keys that lie close together and keys that do not.
func TestATableIsAMap(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for n := range uint64(60) {
			rng := rand.New(rand.NewPCG(seed, n))
			keys := make([]uint64, 1+rng.IntN(200))
			for i := range keys {
				keys[i] = rng.Uint64() >> (rng.UintN(64))
			}
			m := newTwin()
			for range 3000 {
				m.move(t, byte(rng.Uint32()), keys[rng.IntN(len(keys))])
				if cells := len(m.table.cells); cells > 4*len(keys)+16 {
					t.Fatalf("table %d has %d cells for %d keys", n, cells, len(keys))
				}
			}
			m.compare(t)
		}
	})
}

// A move is a byte that says what to do, and the eight of the key.
func FuzzATableIsAMap(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x07\x02\x00\x00\x00\x00\x00\x00\x00\x07"))
	f.Fuzz(func(t *testing.T, moves []byte) {
		m := newTwin()
		for ; len(moves) >= 9; moves = moves[9:] {
			m.move(t, moves[0], binary.BigEndian.Uint64(moves[1:]))
		}
		m.compare(t)
	})
}

// twin is a table and the map that it should equal.
type twin struct {
	table Table[int]
	want  map[uint64]*int
}

func newTwin() *twin { return &twin{want: map[uint64]*int{}} }

func (m *twin) move(t *testing.T, what byte, key uint64) {
	t.Helper()
	if v := m.table.Get(key); v != m.want[key] {
		t.Fatalf("key %d has %v, want %v", key, v, m.want[key])
	}
	switch what % 4 {
	case 0, 1:
		v := new(int)
		m.table.Put(key, v)
		m.want[key] = v
	case 2:
		m.table.Remove(key)
		delete(m.want, key)
	case 3:
		m.table.Glance(key)
	}
	if m.table.Len() != len(m.want) || m.table.Get(key) != m.want[key] {
		t.Fatalf("%d keys, of which %d has %v; want %d and %v", m.table.Len(), key, m.table.Get(key), len(m.want), m.want[key])
	}
}

func (m *twin) compare(t *testing.T) {
	t.Helper()
	if got := maps.Collect(m.table.All()); !maps.Equal(got, m.want) {
		t.Fatalf("the table is %v, want %v", got, m.want)
	}
}
