package engine

import (
	"slices"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Disagreement is a suspect whose newest ballot has a veriflier with readers that disagree.
type Disagreement struct {
	Site check.SiteID
	URL  string
	// Since is when the ballot was decided.
	Since time.Time
	// Veriflier is the first of them, Opinion what its readers saw.
	Veriflier string
	Opinion   check.SecondOpinion
}

// maxDisagreements bounds the list in a Summary.
const maxDisagreements = 20

// disagreement returns the disagreement about a site; false when there is none.
func (s *site) disagreement() (Disagreement, bool) {
	if s.answer == nil {
		return Disagreement{}, false
	}
	for _, v := range s.answer.Votes {
		if v.ReadersDisagree() {
			return Disagreement{
				Site: s.Row.ID, URL: s.Row.URL, Since: s.answer.Decided, Veriflier: v.Veriflier, Opinion: *v.SecondOpinion,
			}, true
		}
	}
	return Disagreement{}, false
}

// oldest sorts disagreements by age and bounds their number.
func oldest(all []Disagreement) []Disagreement {
	slices.SortFunc(all, func(a, b Disagreement) int { return a.Since.Compare(b.Since) })
	return all[:min(len(all), maxDisagreements)]
}
