package panel

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
)

// Pair is how far two members agree.
type Pair struct {
	// A and B are their names; A is the smaller one.
	A, B string
	// Ballots counts those in which both could tell, Differed those of them in which one voted
	// DOWN and the other UP.
	Ballots, Differed uint64
}

// pair counts for two members, for as long as both are in the lineup.
type pair struct{ ballots, differed atomic.Uint64 }

// pairs has the counts of all pairs of a lineup, by their places in it: the first is the smaller.
type pairs map[[2]int]*pair

// newPairs returns the pairs of a lineup, with the counts of the present one, nil if there is none,
// for those whose members both stay.
func newPairs(l, present *lineup) pairs {
	was := map[*member]int{}
	if present != nil {
		for i, m := range present.members {
			was[m] = i
		}
	}
	all := pairs{}
	for j, b := range l.members {
		for i, a := range l.members[:j] {
			all[[2]int{i, j}] = &pair{}
			oldA, stayedA := was[a]
			oldB, stayedB := was[b]
			if stayedA && stayedB {
				all[[2]int{i, j}] = present.pairs[[2]int{min(oldA, oldB), max(oldA, oldB)}]
			}
		}
	}
	return all
}

// learn counts the votes of a ballot, which are in the order of the members.
func (p pairs) learn(votes []quorum.Opinion) {
	for j, b := range votes {
		for i, a := range votes[:j] {
			if !tells(a.Value) || !tells(b.Value) {
				continue
			}
			of := p[[2]int{i, j}]
			of.ballots.Add(1)
			if a.Value != b.Value {
				of.differed.Add(1)
			}
		}
	}
}

func tells(v quorum.Value) bool { return v == quorum.Up || v == quorum.Down }

// Pairs returns how far the members agree with one another, ordered by their names. A pair is
// counted since both have been members.
func (p *Panel) Pairs() []Pair {
	l := p.lineup.Load()
	var out []Pair
	for at, of := range l.pairs {
		// The smaller count is read first: it never looks greater than the other.
		one := Pair{A: l.members[at[0]].Name, B: l.members[at[1]].Name, Differed: of.differed.Load()}
		one.Ballots = of.ballots.Load()
		if one.A > one.B {
			one.A, one.B = one.B, one.A
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(x, y Pair) int { return cmp.Or(cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B)) })
	return out
}
