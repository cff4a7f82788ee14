package quorum

import (
	"errors"
	"fmt"
)

// Value is the value of one vote. The zero value means "not voted yet".
type Value uint8

// The values of a vote.
const (
	Down Value = iota + 1
	Up
	Unknown
)

// String returns the value as evidence and logs show it.
func (v Value) String() string {
	switch v {
	case Down:
		return "DOWN"
	case Up:
		return "UP"
	case Unknown:
		return "UNKNOWN"
	case 0:
		return "NONE"
	}
	return fmt.Sprintf("Value(%d)", uint8(v))
}

// Verdict is the state of a ballot.
type Verdict uint8

// The verdicts.
const (
	Pending Verdict = iota
	Confirmed
	Rejected
	Inconclusive
)

// String returns the verdict as evidence and logs show it.
func (v Verdict) String() string {
	switch v {
	case Pending:
		return "PENDING"
	case Confirmed:
		return "CONFIRMED"
	case Rejected:
		return "REJECTED"
	case Inconclusive:
		return "INCONCLUSIVE"
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// Voter is one configured veriflier. Voters with the same Region, even an empty one, count
// as being in one place.
type Voter struct{ Name, Region string }

// Rule confirms an outage when at least Need of Voters, in at least Regions regions, say
// Down. It rejects when more than Voters-Need say Up. A rule whose Need is not within
// 1..Voters, such as the zero rule, decides nothing.
type Rule struct {
	Voters, Need, Regions int
}

// maxRegions is how many regions must see an outage, if that many are configured.
const maxRegions = 2

// NewRule makes the rule for a roster. Of 1 or 2 voters, all must see the outage; of 3 to 5,
// one may miss it; of 6 or more, two may. A peerOfflineLimit > 0 (PEER_OFFLINE_LIMIT) sets
// Need instead. Every rule that NewRule makes confirms when all voters say Down.
func NewRule(roster []Voter, peerOfflineLimit int) (Rule, error) {
	n := len(roster)
	switch {
	case n == 0:
		return Rule{}, errors.New("no verifliers are configured: no outage could ever be confirmed")
	case peerOfflineLimit < 0:
		return Rule{}, fmt.Errorf("PEER_OFFLINE_LIMIT is %d: it must be 0 (automatic) or more", peerOfflineLimit)
	case peerOfflineLimit > n:
		return Rule{}, fmt.Errorf("PEER_OFFLINE_LIMIT is %d but only %d verifliers are configured: no outage could ever be confirmed",
			peerOfflineLimit, n)
	}
	names := make(map[string]bool, n)
	regions := make(map[string]bool, n)
	for i, v := range roster {
		if v.Name == "" {
			return Rule{}, fmt.Errorf("veriflier %d of %d has no name", i+1, n)
		}
		if names[v.Name] {
			return Rule{}, fmt.Errorf("two verifliers are named %q: each name must have one vote", v.Name)
		}
		names[v.Name], regions[v.Region] = true, true
	}
	need := n - tolerated(n)
	if peerOfflineLimit > 0 {
		need = peerOfflineLimit
	}
	return Rule{Voters: n, Need: need, Regions: min(maxRegions, len(regions))}, nil
}

// tolerated returns how many of n voters may miss a real outage.
func tolerated(n int) int {
	switch {
	case n <= 2:
		return 0
	case n <= 5:
		return 1
	}
	return 2
}

// String returns the rule in words, such as "4 of 6, 2 regions".
func (r Rule) String() string {
	noun := "regions"
	if r.Regions == 1 {
		noun = "region"
	}
	return fmt.Sprintf("%d of %d, %d %s", r.Need, r.Voters, r.Regions, noun)
}

// decide judges a tally. reachable is the number of regions that have a Down vote or may
// still get one.
func (r Rule) decide(t Tally, reachable int) Verdict {
	if r.Need < 1 || r.Need > r.Voters {
		return Inconclusive
	}
	switch {
	case t.Down >= r.Need && t.DownRegions >= r.Regions:
		return Confirmed
	case t.Up > r.Voters-r.Need:
		return Rejected
	case t.Down+t.Outstanding >= r.Need && reachable >= r.Regions:
		return Pending
	case t.Up+t.Outstanding > r.Voters-r.Need:
		return Pending
	}
	return Inconclusive
}
