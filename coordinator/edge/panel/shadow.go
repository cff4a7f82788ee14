package panel

import (
	"sync"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/internal/fault"
)

// shadow judges every ballot by another rule and counts the results; it decides nothing.
type shadow struct {
	mu sync.Mutex
	st ShadowStatus
}

// ShadowStatus compares the shadow rule with the one that decides.
type ShadowStatus struct {
	Rule            quorum.Rule
	Ballots, Agreed uint64
	// OnlyShadow counts the ballots that only the shadow rule would have confirmed, OnlyRule
	// those that were confirmed but would not have been under it.
	OnlyShadow, OnlyRule uint64
}

func newShadow(o Options, rule quorum.Rule) (*shadow, error) {
	if o.ShadowNeed == 0 {
		return nil, nil
	}
	other := quorum.Rule{Voters: rule.Voters, Need: o.ShadowNeed, Regions: o.ShadowRegions}
	if other.Regions == 0 {
		other.Regions = rule.Regions
	}
	if other.Need < 1 || other.Need > other.Voters || other.Regions < 0 {
		return nil, fault.New(fault.Invalid, "shadow rule: it needs %d of %d verifliers", other.Need, other.Voters)
	}
	return &shadow{st: ShadowStatus{Rule: other}}, nil
}

func (s *shadow) judge(verdict quorum.Verdict, votes []quorum.Opinion) {
	s.mu.Lock()
	defer s.mu.Unlock()
	other := quorum.Judge(s.st.Rule, votes)
	s.st.Ballots++
	switch {
	case other == verdict:
		s.st.Agreed++
	case other == quorum.Confirmed:
		s.st.OnlyShadow++
	case verdict == quorum.Confirmed:
		s.st.OnlyRule++
	}
}

// Shadow returns the results of the shadow rule; false when there is none.
func (p *Panel) Shadow() (ShadowStatus, bool) {
	s := p.lineup.Load().shadow
	if s == nil {
		return ShadowStatus{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st, true
}

// learn counts the members that voted against the verdict and the pairs that differ, and evaluates
// the shadow rule.
func (l *lineup) learn(a engine.Answer) {
	votes := a.Opinions()
	l.pairs.learn(votes)
	if l.shadow != nil {
		l.shadow.judge(a.Verdict, votes)
	}
	for i, v := range votes {
		if a.Verdict == quorum.Confirmed && v.Value == quorum.Up || a.Verdict == quorum.Rejected && v.Value == quorum.Down {
			l.members[i].dissent() // the votes are in the order of the members
		}
	}
}

// same reports whether two shadow rules are the same; nil is none.
func (s *shadow) same(other *shadow) bool {
	if s == nil || other == nil {
		return s == other
	}
	return s.st.Rule == other.st.Rule
}
