// Package advisory decides when a remark about a site that is up is open, and when it is closed.
// One check proves little: a remark opens and closes only when several checks in a row say the
// same.
package advisory

import (
	"slices"

	"github.com/Automattic/jetmon/internal/check"
)

// State is what is known of a site's remarks. The zero value is that of a site without any.
type State struct {
	open set
	// streak counts for each remark the newest checks in a row that contradict what is open.
	streak [check.AdvisoryLast + 1]uint8
}

// set has a bit for each remark.
type set uint16

func bit(a check.Advisory) set { return 1 << a }

// rule is how many checks in a row open a remark, and how many close it.
type rule struct{ open, close uint8 }

// ruleOf returns the rule of a remark. A page is judged once in twelve checks, and a
// certificate's end does not come and go; a slow answer does. What is of the history counts hours.
func ruleOf(a check.Advisory) rule {
	switch {
	case a.IsOfPage(), a == check.AdvisoryTLSExpiring, a.IsOfHistory():
		return rule{2, 2}
	case a == check.AdvisorySlow:
		return rule{3, 6}
	default:
		return rule{3, 3}
	}
}

// Opened returns the state of a site with open remarks; it passes over unknown ones.
func Opened(open []check.Advisory) State {
	var s State
	for _, a := range open {
		if a >= 1 && a <= check.AdvisoryLast {
			s.open |= bit(a)
		}
	}
	return s
}

// Idle reports whether nothing is open, and nothing about to open.
func (s *State) Idle() bool { return s.open == 0 && s.streak == State{}.streak }

// Open lists the open remarks.
func (s *State) Open() (open []check.Advisory) {
	for a := check.Advisory(1); a <= check.AdvisoryLast; a++ {
		if s.open&bit(a) != 0 {
			open = append(open, a)
		}
	}
	return open
}

// Note takes a check into account, and returns the remarks that opened and closed by it. A
// check that found the site down, or could not tell, says nothing about them; one that did not
// judge the page says nothing about the page.
func (s *State) Note(o *check.Observation) (opened, closed []check.Advisory) {
	if o.Outcome != check.OutcomeUp {
		return nil, nil
	}
	for a := check.Advisory(1); a <= check.AdvisoryLast; a++ {
		if a.IsOfPage() && o.PageState == check.PageNotJudged || a.IsOfHistory() {
			continue
		}
		seen := slices.Contains(o.Advisories, a)
		switch {
		case !s.see(a, seen):
		case seen:
			opened = append(opened, a)
		default:
			closed = append(closed, a)
		}
	}
	return opened, closed
}

// see takes into account whether a remark was seen, and reports whether it opened or closed by it.
func (s *State) see(a check.Advisory, seen bool) (changed bool) {
	if open := s.open&bit(a) != 0; seen == open {
		s.streak[a] = 0
		return false
	}
	s.streak[a]++
	if rule := ruleOf(a); seen && s.streak[a] < rule.open || !seen && s.streak[a] < rule.close {
		return false
	}
	s.open ^= bit(a)
	s.streak[a] = 0
	return true
}
