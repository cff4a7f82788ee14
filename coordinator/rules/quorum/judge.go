package quorum

import (
	"maps"
	"slices"
)

// Opinion is one voter's vote.
type Opinion struct {
	Voter
	Value Value
}

// Judge decides a whole ballot at once; a vote that is not Down or Up counts as Unknown.
// The verdict is that of Open, Cast and Close, in any order of the votes.
func Judge(rule Rule, opinions []Opinion) Verdict {
	roster := make([]Voter, len(opinions))
	for i, o := range opinions {
		roster[i] = o.Voter
	}
	b := Open(rule, roster)
	for _, o := range opinions {
		if o.Value == Down || o.Value == Up {
			// A voter that is named twice has one vote, the first.
			_ = b.Cast(o.Name, o.Value)
		}
	}
	return b.Close()
}

// Split reports whether the votes divide cleanly by region: the Down and Up votes of each
// region agree, some regions say Down, and others say Up. Both lists are sorted.
func Split(opinions []Opinion) (down, up []string, clean bool) {
	said := map[string]Value{}
	for _, o := range opinions {
		switch before, known := said[o.Region]; {
		case o.Value != Down && o.Value != Up:
		case !known:
			said[o.Region] = o.Value
		case before != o.Value:
			return nil, nil, false
		}
	}
	for _, region := range slices.Sorted(maps.Keys(said)) {
		if said[region] == Down {
			down = append(down, region)
		} else {
			up = append(up, region)
		}
	}
	return down, up, len(down) > 0 && len(up) > 0
}
