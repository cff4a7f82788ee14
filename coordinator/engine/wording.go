package engine

import (
	"fmt"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
)

// undecidedReason explains to an operator why the panel could not decide.
func undecidedReason(a *Answer, rounds uint8) string {
	if a == nil {
		return "the verifliers could not decide"
	}
	text := fmt.Sprintf("the verifliers could not decide in %d rounds: %s", rounds, countVotes(*a))
	for _, v := range a.Votes {
		if v.Value == quorum.Unknown {
			text += fmt.Sprintf("; %s (%s) %s", v.Veriflier, v.Region, v.UnknownReason)
		}
	}
	return text
}

// countVotes describes a ballot in words.
func countVotes(a Answer) string {
	var down, up, unknown int
	regions := map[string]bool{}
	for _, v := range a.Votes {
		switch v.Value {
		case quorum.Down:
			down++
			regions[v.Region] = true
		case quorum.Up:
			up++
		default:
			unknown++
		}
	}
	return fmt.Sprintf("%d of %d down in %d regions, %d up, %d unknown (needs %d in %d regions)",
		down, a.Rule.Voters, len(regions), up, unknown, a.Rule.Need, a.Rule.Regions)
}
