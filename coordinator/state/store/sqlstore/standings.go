package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"slices"

	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// A site's status comes from its open outage, our newest change, what was told last, or the
// legacy row; see status.go. For each there is a list of ids in order, by an index of a table of
// ours. The lists are read up to a limit, and merged.

// mostSorted bounds the sites that are sorted by id because they have changed since a time;
// when there are more, as many of all are looked at in their order.
const mostSorted = 2000

// idSource is a table x with a column of ids, and a column that leads an index on both; "" when
// there is an index on the ids alone.
type idSource struct{ table, id, leads string }

// Where sites with a status are found. Rows that have not been read are in none of our tables.
func statusSources() []idSource {
	return []idSource{
		{"jetmon_outages", "x.open_site", ""}, // open ones, whatever their status
		{"jetmon_site_status", "x.site_id", "x.status"},
		{"jetmon_site_status", "x.site_id", "x.told"},
		{"jetmon_site_hosts", "x.site_id", "x.row_status"},
	}
}

// idList is a page of a list of ids. When more is set, there may be others after last, which need
// not be on the page.
type idList struct {
	ids  []check.SiteID
	more bool
	last check.SiteID
}

// FindStanding implements store.Standings.
func (s *Store) FindStanding(ctx context.Context, q store.StandingQuery) (store.StandingPage, error) {
	if q.Limit < 1 || q.Limit > maxPage {
		return store.StandingPage{}, fault.InvalidField("page_size", "must be from 1 to %d, is %d", maxPage, q.Limit)
	}
	page, err := s.findStanding(ctx, q)
	if err != nil {
		return page, s.fault("find sites by their status", err)
	}
	return page, nil
}

func (s *Store) findStanding(ctx context.Context, q store.StandingQuery) (page store.StandingPage, err error) {
	var lists []idList
	switch {
	case q.Status != nil && *q.Status != check.StatusRunning:
		lists, err = s.inStatus(ctx, q)
	case !q.Since.IsZero():
		lists, err = s.changedSince(ctx, q)
	default:
		return page, fault.New(fault.Invalid, "the sites that run are too many to be found by that")
	}
	if err != nil {
		return page, err
	}
	missing, err := s.unindexed(ctx)
	if err != nil {
		return page, err
	}
	if len(missing) > 0 { // then what the rows say is not known, and any may fit
		all, err := s.idsOf(ctx, q, idSource{table: "jetpack_monitor_sites", id: "x.jetpack_monitor_site_id"})
		if err != nil {
			return page, err
		}
		lists = append(lists, all)
	}
	return mergeIDs(q, lists), nil
}

// inStatus reads the lists of the sites in a status other than running.
func (s *Store) inStatus(ctx context.Context, q store.StandingQuery) (lists []idList, err error) {
	for _, from := range statusSources() {
		l, err := s.idsOf(ctx, q, from)
		if err != nil {
			return nil, err
		}
		lists = append(lists, l)
	}
	return lists, nil
}

// idsOf reads a page of a list.
func (s *Store) idsOf(ctx context.Context, q store.StandingQuery, from idSource) (l idList, err error) {
	where, order, args := "", from.id, []any(nil)
	beyond, direction, after := beyondIn(q, from.id)
	if order += direction; from.leads != "" {
		where, order, args = only(from.leads), from.leads+direction+", "+order, []any{*q.Status, *q.Status}
	}
	query := "SELECT " + from.id + " FROM " + from.table + " x WHERE " + from.id + " <= 9223372036854775807" + where + beyond + " ORDER BY " + order + " LIMIT ?"
	l.ids, err = list(ctx, s.reader, scanSiteID, query, append(append(args, after...), q.Limit)...)
	if l.more = len(l.ids) == q.Limit; l.more {
		l.last = l.ids[len(l.ids)-1]
	}
	return l, err
}

// beyondIn returns a condition for the ids of a column that are beyond the previous page, its
// arguments, and the direction of an order.
func beyondIn(q store.StandingQuery, id string) (condition, direction string, args []any) {
	switch {
	case !q.Descending:
		return " AND " + id + " > ?", "", []any{q.After}
	case q.After != 0:
		return " AND " + id + " < ?", " DESC", []any{q.After}
	default:
		return "", " DESC", nil
	}
}

func scanSiteID(rows *sql.Rows) (check.SiteID, error) {
	var id number
	err := rows.Scan(&id)
	return check.SiteID(id), err
}

// Lists of changes: those since a time, and all by site.
const (
	ourChanges = "SELECT x.site_id FROM jetmon_site_status x WHERE x.status_ms >= ? ORDER BY x.status_ms LIMIT ?"
	oursByID   = "SELECT x.site_id, x.status_ms FROM jetmon_site_status x WHERE 1 = 1"
	rowChanges = "SELECT x.site_id FROM jetmon_site_hosts x WHERE x.row_changed >= ? ORDER BY x.row_changed LIMIT ?"
	rowsByID   = "SELECT x.site_id, x.row_changed FROM jetmon_site_hosts x WHERE 1 = 1"
)

// changedSince reads the lists of the sites whose status has begun since a time.
func (s *Store) changedSince(ctx context.Context, q store.StandingQuery) ([]idList, error) {
	ours, err := s.since(ctx, q, ourChanges, oursByID, q.Since.UnixMilli())
	if err != nil {
		return nil, err
	}
	rows, err := s.since(ctx, q, rowChanges, rowsByID, q.Since.Unix()) // or in that second
	return []idList{ours, rows}, err
}

// since reads the ids of all changes since a time, if these are few, else of those among the next
// sites by id.
func (s *Store) since(ctx context.Context, q store.StandingQuery, few, many string, since int64) (l idList, err error) {
	l.ids, err = list(ctx, s.reader, scanSiteID, few, since, s.mostSorted+1)
	if err != nil || len(l.ids) <= s.mostSorted {
		l.ids = slices.DeleteFunc(l.ids, func(id check.SiteID) bool { return q.After != 0 && compareIDs(q, id, q.After) <= 0 })
		return l, err
	}
	beyond, direction, args := beyondIn(q, "x.site_id")
	rows, err := list(ctx, s.reader, func(rows *sql.Rows) (pair [2]number, err error) {
		err = rows.Scan(&pair[0], &pair[1])
		return pair, err
	}, many+beyond+" ORDER BY x.site_id"+direction+" LIMIT ?", append(args, s.mostSorted)...)
	l = idList{more: len(rows) == s.mostSorted}
	for _, row := range rows {
		if l.last = check.SiteID(row[0]); int64(row[1]) >= since {
			l.ids = append(l.ids, l.last)
		}
	}
	return l, err
}

// compareIDs orders ids as the pages do.
func compareIDs(q store.StandingQuery, a, b check.SiteID) int {
	if q.Descending {
		a, b = b, a
	}
	return cmp.Compare(a, b)
}

// mergeIDs makes one page of several lists: up to where all of them have been read.
func mergeIDs(q store.StandingQuery, lists []idList) (page store.StandingPage) {
	for _, l := range lists {
		page.IDs = append(page.IDs, l.ids...)
		if l.more && (page.Next == 0 || compareIDs(q, l.last, page.Next) < 0) {
			page.Next = l.last
		}
	}
	slices.SortFunc(page.IDs, func(a, b check.SiteID) int { return compareIDs(q, a, b) })
	page.IDs = slices.Compact(page.IDs)
	if page.Next != 0 {
		page.IDs = slices.DeleteFunc(page.IDs, func(id check.SiteID) bool { return compareIDs(q, id, page.Next) > 0 })
	}
	if len(page.IDs) > q.Limit {
		page.IDs = page.IDs[:q.Limit]
		page.Next = page.IDs[q.Limit-1]
	}
	return page
}
