package quorum

// Value is what one vote counts as. The zero value is "not voted yet".
type Value uint8

// The values of a vote.
const (
	Down Value = iota + 1
	Up
	Unknown
)

// Verdict is the state of a ballot.
type Verdict uint8

// The verdicts.
const (
	Pending Verdict = iota
	Confirmed
	Rejected
	Inconclusive
)

// Voter is one configured veriflier.
type Voter struct{ Name, Region string }

// Rule says what confirms: at least Need of Voters, in at least Regions regions, say Down.
// It rejects when more than Voters-Need say Up.
type Rule struct {
	Voters, Need, Regions int
}
