package check

import "slices"

// PageVerdict is what a check made of the page as a whole.
type PageVerdict string

// The verdicts about pages.
const (
	PageGood PageVerdict = "good"
	// PageBroken means that the page is a failure although its status is good.
	PageBroken PageVerdict = "broken"
	// PageIsEmpty means that the page shows nothing, whether it did before or not.
	PageIsEmpty PageVerdict = "empty"
	// PageRemarked means a page that is worth knowing about, such as a parking page.
	PageRemarked PageVerdict = "remarked"
)

// PageVerdicts lists them.
func PageVerdicts() []PageVerdict {
	return []PageVerdict{PageGood, PageBroken, PageIsEmpty, PageRemarked}
}

// PageVerdict returns what the check made of the page; "" if it did not judge the page.
func (o Observation) PageVerdict() PageVerdict {
	switch {
	case o.PageState == PageNotJudged:
		return ""
	case o.PageState == PageEmpty:
		return PageIsEmpty
	case o.Failure == FailureContent, slices.Contains(o.Advisories, AdvisoryPageBroken):
		return PageBroken
	case slices.ContainsFunc(o.Advisories, Advisory.IsOfPage):
		return PageRemarked
	}
	return PageGood
}
