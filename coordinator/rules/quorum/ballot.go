package quorum

import (
	"errors"
	"slices"
)

// Errors of Cast.
var (
	// ErrNotInvited: the voter is not on the ballot's roster.
	ErrNotInvited = errors.New("voter is not on the ballot")
	// ErrVotedTwice: the voter has a vote already; the first one stands.
	ErrVotedTwice = errors.New("voter has voted already")
	// ErrClosed: the ballot takes no more votes.
	ErrClosed = errors.New("ballot is closed")
	// ErrNoValue: the vote is none of Down, Up and Unknown.
	ErrNoValue = errors.New("vote has no value")
)

// Tally counts the votes of a ballot.
type Tally struct {
	Down, Up, Unknown int
	// Outstanding is the number of invited voters that have not voted.
	Outstanding int
	// DownRegions is the number of regions that the Down votes come from.
	DownRegions int
}

// Ballot is one round of votes on one question. Votes are for this ballot alone: a
// new round is a new ballot. It is not safe for concurrent use.
type Ballot struct {
	rule   Rule
	roster []Voter
	// region numbers the region of each voter.
	region  []int
	regions int
	votes   []Value
	closed  bool
}

// Open begins a ballot among the roster that the rule was made for. If the roster is longer
// than rule.Voters, the rest are not invited; if it is shorter, the missing voters count as
// never answering.
func Open(rule Rule, roster []Voter) *Ballot {
	roster = slices.Clone(roster[:min(len(roster), max(0, rule.Voters))])
	b := &Ballot{rule: rule, roster: roster, region: make([]int, len(roster)), votes: make([]Value, len(roster))}
	for i, v := range roster {
		first := slices.IndexFunc(roster, func(o Voter) bool { return o.Region == v.Region })
		if first < i {
			b.region[i] = b.region[first]
			continue
		}
		b.region[i] = b.regions
		b.regions++
	}
	return b
}

// Cast takes one vote. The first vote of a voter counts. Until Close, Cast also takes votes
// after the verdict is fixed, so that the evidence is complete; they cannot change it.
func (b *Ballot) Cast(voter string, v Value) error {
	i := slices.IndexFunc(b.roster, func(o Voter) bool { return o.Name == voter })
	switch {
	case i < 0:
		return ErrNotInvited
	case b.votes[i] != 0:
		return ErrVotedTwice
	case b.closed:
		return ErrClosed
	case v != Down && v != Up && v != Unknown:
		return ErrNoValue
	}
	b.votes[i] = v
	return nil
}

// Verdict judges the votes so far. Once it is not Pending, it never changes.
func (b *Ballot) Verdict() Verdict {
	v := b.rule.decide(b.Tally(), b.regionsOf(func(v Value) bool { return v == Down || v == 0 }))
	if b.closed && v == Pending {
		return Inconclusive
	}
	return v
}

// Close ends the ballot at its deadline: a Pending verdict becomes Inconclusive, and Cast
// takes no more votes. Closing again changes nothing.
func (b *Ballot) Close() Verdict {
	b.closed = true
	return b.Verdict()
}

// Tally counts the votes so far.
func (b *Ballot) Tally() Tally {
	t := Tally{DownRegions: b.regionsOf(func(v Value) bool { return v == Down })}
	for _, v := range b.votes {
		switch v {
		case Down:
			t.Down++
		case Up:
			t.Up++
		case Unknown:
			t.Unknown++
		default:
			t.Outstanding++
		}
	}
	return t
}

// regionsOf counts the regions of the selected votes.
func (b *Ballot) regionsOf(selected func(Value) bool) int {
	seen, n := make([]bool, b.regions), 0
	for i, v := range b.votes {
		if r := b.region[i]; selected(v) && !seen[r] {
			seen[r] = true
			n++
		}
	}
	return n
}
