package engine

import (
	"slices"

	"github.com/Automattic/jetmon/coordinator/engine/roster"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// pageChecks decides which checks judge the site's page: none when it is PageIgnored, and
// otherwise what they make of a broken page.
type pageChecks check.PageRule

// pageCheckEvery is how many routine checks of a site share one page check.
const pageCheckEvery = 12

// rule returns the rule for a site's newest check. A site in trouble is judged by its page
// every time: a HEAD answers 200 while the page is broken, which is no recovery.
func (p pageChecks) rule(settings *check.Settings, turn uint64, inTrouble bool) check.PageRule {
	switch {
	case settings.PageCheck == check.PageCheckNever, settings.Method == check.MethodHead:
		return check.PageIgnored
	case settings.PageCheck == check.PageCheckAlways, inTrouble, turn%pageCheckEvery == 0:
		return check.PageRule(p)
	}
	return check.PageIgnored
}

// turnOf numbers the checks of a site for pageChecks: by the site's phase, so that the page
// checks of all sites are spread evenly.
func turnOf(id check.SiteID, sequence uint64) uint64 {
	return schedule.Phase(id, pageCheckEvery) + sequence
}

// learnPage records what a check saw of the page. The advisories of a page last until the
// next page check; prev is the observation before.
func learnPage(s *roster.Site, prev *check.Observation, o *check.Observation) {
	switch {
	case o.PageState == check.PageFilled:
		s.PageFilled = true
	case o.PageState == check.PageEmpty && o.Outcome == check.OutcomeUp:
		s.PageFilled = false
	}
	if prev == nil || prev.Outcome != check.OutcomeUp || o.Outcome != check.OutcomeUp || o.PageState != check.PageNotJudged {
		return
	}
	for _, a := range prev.Advisories {
		if a.IsOfPage() && !slices.Contains(o.Advisories, a) {
			o.Advisories = append(slices.Clip(o.Advisories), a)
			o.Detail = prev.Detail
		}
	}
}

// isEmptied reports whether a site is failing because its page shows nothing any more. Only
// what the page was before tells such a failure from a page that was always empty.
func (s *site) isEmptied() bool {
	return s.Last != nil && s.Last.Outcome == check.OutcomeDown && s.Last.PageState == check.PageEmpty
}
