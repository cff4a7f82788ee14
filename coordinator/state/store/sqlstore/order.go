package sqlstore

import "strings"

// The changes of a site, and so its notifications, have places: a later change has a higher
// one. A commit reads the place of the site's newest change and takes the next. It compares
// when it writes, so that of two commits that have read the same place, whatever locks they
// hold, one starts again.
//
// Ids cannot serve as places: several servers of one database allocate them in blocks. The
// place of a row that a version without places has written is its id. A new place is higher
// than the ids of all the site's rows. On a single server, the only kind on which such a
// version works, it is never higher than the id of its own row; hence old and new versions
// may write in turn while coordinators are upgraded.

// placeOf returns the expression for the place of a row of jetmon_outbox or
// jetmon_transitions.
func placeOf(alias string) string {
	return strings.ReplaceAll("CASE WHEN {a}.site_seq = 0 THEN {a}.id ELSE {a}.site_seq END", "{a}", alias)
}

const (
	// newestPlace selects what a commit reads, in a query that has the sites as l: the last
	// place given, or NULL; and the site's highest id, which counts as a place, or NULL.
	newestPlace = `n.last_seq, (SELECT t.id FROM jetmon_transitions t WHERE t.site_id = l.jetpack_monitor_site_id
	ORDER BY t.id DESC LIMIT 1)`
	placeTable = " LEFT JOIN jetmon_site_order n ON n.site_id = l.jetpack_monitor_site_id"
)

// placing is the place that a change takes, next, and the last place in jetmon_site_order,
// 0 when the site has no row there.
type placing struct{ last, next int64 }

func placingAfter(lastSeq, highestID number) placing {
	return placing{last: int64(lastSeq), next: int64(max(lastSeq, highestID)) + 1}
}

// takePlaces writes the places that the changes take.
func takePlaces(t txn, group []*entry) error {
	var first [][]any
	var sites, next, last []any
	for _, e := range group {
		if e.place.last == 0 {
			first = append(first, []any{e.SiteID, e.place.next})
			continue
		}
		sites = append(sites, e.SiteID)
		next, last = append(next, e.SiteID, e.place.next), append(last, e.SiteID, e.place.last)
	}
	if err := t.insertRows("INSERT INTO jetmon_site_order (site_id, last_seq) VALUES ", first); err != nil {
		return err
	}
	if len(sites) == 0 {
		return nil
	}
	each := caseOf("site_id", len(sites))
	args := append(append(next, sites...), last...)
	return t.update(len(sites), "UPDATE jetmon_site_order SET last_seq = "+each+
		" WHERE site_id IN "+marks(len(sites))+" AND last_seq = "+each, args...)
}

// caseOf returns an expression with a value for each of n rows: its arguments are pairs of the
// column's value and the result.
func caseOf(column string, n int) string {
	return "CASE " + column + strings.Repeat(" WHEN ? THEN ?", n) + " END"
}
