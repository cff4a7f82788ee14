package list

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/Automattic/jetmon/test/seeds"
)

// bead is an element that may be on two lists at once.
type bead struct {
	name     int
	one, two Hook[bead]
}

func beads(n int) []*bead {
	all := make([]*bead, n)
	for i := range all {
		all[i] = &bead{name: i}
	}
	return all
}

// names lists the elements of a list on which each is by its hook one.
func names(l *List[bead]) []int {
	var all []int
	for b := range l.All() {
		all = append(all, b.name)
	}
	return all
}

func TestTheZeroListIsEmpty(t *testing.T) {
	t.Parallel()
	var l List[bead]
	if !l.Empty() || l.Front() != nil || l.Back() != nil || len(names(&l)) != 0 {
		t.Errorf("it has %v", names(&l))
	}
	var h Hook[bead]
	l.Remove(&h)
	if h.On() || h.Next() != nil || h.Prev() != nil {
		t.Errorf("a hook that was never used is on a list: %+v", h)
	}
}

func TestAnElementIsOnAListForEachOfItsHooks(t *testing.T) {
	t.Parallel()
	var forth, back List[bead]
	all := beads(5)
	for _, b := range all {
		forth.PushBack(&b.one, b)
		back.PushFront(&b.two, b)
	}
	forth.Remove(&all[2].one)
	if got := names(&forth); !slices.Equal(got, []int{0, 1, 3, 4}) {
		t.Errorf("the list without 2 has %v", got)
	}
	if got := names(&back); !slices.Equal(got, []int{4, 3, 2, 1, 0}) {
		t.Errorf("the other list has %v", got)
	}
	if all[2].one.On() || !all[2].two.On() || all[2].two.Next() != all[1] || all[2].two.Prev() != all[3] {
		t.Error("2 does not know where it is")
	}
}

func TestALoopMayRemoveOrMoveWhatItIsGiven(t *testing.T) {
	t.Parallel()
	var from, to List[bead]
	for _, b := range beads(6) {
		from.PushBack(&b.one, b)
	}
	for b := range from.All() {
		switch b.name % 3 {
		case 0:
			from.Remove(&b.one)
		case 1:
			from.Remove(&b.one)
			to.PushFront(&b.one, b)
		}
	}
	if got := names(&from); !slices.Equal(got, []int{2, 5}) {
		t.Errorf("left are %v", got)
	}
	if got := names(&to); !slices.Equal(got, []int{4, 1}) {
		t.Errorf("moved were %v", got)
	}
	for b := range from.All() {
		if b.name == 2 {
			break
		}
	}
}

func TestAnElementGoesOnNoSecondListByTheSameHook(t *testing.T) {
	t.Parallel()
	var one, two List[bead]
	b, loose := &bead{}, &bead{}
	one.PushBack(&b.one, b)
	for name, wrong := range map[string]func(){
		"its own list":         func() { one.PushBack(&b.one, b) },
		"another":              func() { two.PushFront(&b.one, b) },
		"before what is on no": func() { one.InsertBefore(&loose.two, loose, &loose.one) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s list: nothing is wrong", name)
				}
			}()
			wrong()
		}()
	}
	if got := names(&one); !slices.Equal(got, []int{0}) || !two.Empty() {
		t.Errorf("after the refusals the lists have %v and %v", got, names(&two))
	}
}

// Two lists hold what two slices hold, whatever is done to them.
func TestListsAreSlices(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for n := range uint64(100) {
			rng := rand.New(rand.NewPCG(seed, n))
			moves := make([]byte, 2*rng.IntN(500))
			for i := range moves {
				moves[i] = byte(rng.Uint32())
			}
			play(t, moves)
		}
	})
}

func FuzzListsAreSlices(f *testing.F) {
	f.Add([]byte{0, 1, 1, 2, 0, 3, 4, 0x21, 5, 2, 2, 1, 3, 4})
	f.Fuzz(play)
}

// play makes the moves on two lists and on two slices. A move is two bytes: what to do, and
// with which of 16 elements, before which other if that matters.
func play(t *testing.T, moves []byte) {
	var lists [2]List[bead]
	var want [2][]int
	all := beads(16)
	for ; len(moves) >= 2; moves = moves[2:] {
		b, mark := all[moves[1]%16], all[moves[1]/16]
		at := moves[0] & 1
		if b.one.On() {
			for i := range want {
				if slices.Contains(want[i], b.name) {
					lists[i].Remove(&b.one)
				}
				want[i] = slices.DeleteFunc(want[i], func(name int) bool { return name == b.name })
			}
		}
		switch moves[0] / 2 % 4 {
		case 0:
			lists[at].PushBack(&b.one, b)
			want[at] = append(want[at], b.name)
		case 1:
			lists[at].PushFront(&b.one, b)
			want[at] = slices.Insert(want[at], 0, b.name)
		case 2:
			for i := range want {
				if n := slices.Index(want[i], mark.name); n >= 0 {
					lists[i].InsertBefore(&b.one, b, &mark.one)
					want[i] = slices.Insert(want[i], n, b.name)
					break
				}
			}
		}
		for i := range lists {
			same(t, &lists[i], want[i], all)
		}
		if on := len(want[0])+len(want[1]) > 0 && slices.Contains(slices.Concat(want[0], want[1]), b.name); b.one.On() != on {
			t.Fatalf("element %d is on a list: %t, want %t", b.name, b.one.On(), on)
		}
	}
}

// same compares a list with the names of the elements that should be on it, both ways.
func same(t *testing.T, l *List[bead], want []int, all []*bead) {
	t.Helper()
	if got := names(l); !slices.Equal(got, want) {
		t.Fatalf("the list has %v, want %v", got, want)
	}
	element := func(i int) *bead {
		if i < 0 || i >= len(want) {
			return nil
		}
		return all[want[i]]
	}
	if l.Empty() != (len(want) == 0) || l.Front() != element(0) || l.Back() != element(len(want)-1) {
		t.Fatalf("the list of %v does not know its ends", want)
	}
	for i := range want {
		if h := &element(i).one; h.Next() != element(i+1) || h.Prev() != element(i-1) {
			t.Fatalf("element %d of %v does not know its neighbours", i, want)
		}
	}
}
