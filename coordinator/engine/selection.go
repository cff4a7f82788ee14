package engine

import (
	"cmp"
	"slices"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/internal/check"
)

// Selection selects watched sites by where they stand. Sites that are up, or were never
// checked, are too many to be selected: they have no case.
type Selection struct {
	// Uncheckable selects the sites whose URL cannot be checked at all; otherwise Stage
	// selects the others that are in that stage.
	Uncheckable bool
	Stage       lifecycle.Stage
	// BlogID, when not 0, is the blog of the sites.
	BlogID check.BlogID
	// Blogs, when not nil, are the only blogs whose sites are selected.
	Blogs []check.BlogID
	// After is the last id of the previous page, Limit the size of a page. Descending means by
	// falling id.
	After      check.SiteID
	Descending bool
	Limit      int
}

// compare orders ids as the pages do.
func (sel Selection) compare(a, b check.SiteID) int {
	if sel.Descending {
		a, b = b, a
	}
	return cmp.Compare(a, b)
}

// selects reports whether a site belongs to the rest of the selection.
func (sel Selection) selects(s *site) bool {
	if sel.After != 0 && sel.compare(s.Row.ID, sel.After) <= 0 {
		return false
	}
	if sel.BlogID != 0 && s.Row.BlogID != sel.BlogID {
		return false
	}
	if sel.Blogs != nil && !slices.Contains(sel.Blogs, s.Row.BlogID) {
		return false
	}
	_, uncheckable := s.uncheckable()
	return uncheckable == sel.Uncheckable && (sel.Uncheckable || s.State.Stage == sel.Stage)
}

// Select returns a page of a selection, by id. Its cost depends on the number of sites
// in trouble, not on that of all sites.
func (e *Engine) Select(sel Selection) []check.SiteID {
	var found []check.SiteID
	e.mu.Lock()
	for _, s := range e.cases.open {
		if sel.selects(s) {
			found = append(found, s.Row.ID)
		}
	}
	e.mu.Unlock()
	slices.SortFunc(found, sel.compare)
	return found[:min(len(found), sel.Limit)]
}
