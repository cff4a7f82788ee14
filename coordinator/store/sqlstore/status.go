package sqlstore

import (
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// ownStatus is a row of jetmon_site_status: our newest change of a site's status, and what
// WordPress.com was told.
type ownStatus struct {
	site, blog, outage, status, at, inRow, told, toldAt, untold number
}

// ownColumns are its columns, less the site.
const ownColumns = "w.blog_id, w.outage_id, w.status, w.status_ms, w.row_ms, w.told, w.told_ms, w.untold"

func (w *ownStatus) columns() []any {
	return []any{&w.blog, &w.outage, &w.status, &w.at, &w.inRow, &w.told, &w.toldAt, &w.untold}
}

// standing is the status of a site, since when it has it (zero: always), and whether both
// were read off the legacy row.
type standing struct {
	status check.Status
	since  time.Time
	byRow  bool
}

// own says whether there is a change of ours that counts. An id may have been another
// blog's before.
func (r *siteRow) own() bool { return r.newest.site != 0 && r.newest.blog == r.blog }

// recorded is the status of a site on record: its open outage's; else that of our newest
// change; else the legacy row's. Where we write the legacy row, whoever else edits what
// we wrote is believed.
func (s *Store) recorded(r *siteRow) standing {
	switch {
	case r.outage != 0:
		return standing{status: check.Status(r.outageStatus), since: fromMillis(int64(r.outageSince))}
	case !r.own(), s.legacyWrites && r.newest.inRow == r.newest.at:
		return r.legacy()
	case r.newest.outage != 0 && check.Status(r.newest.status) != check.StatusRunning:
		// That outage is over, and nobody noted it here: an older version does not.
		return standing{status: check.StatusRunning}
	default:
		return standing{status: check.Status(r.newest.status), since: fromMillis(int64(r.newest.at))}
	}
}

// legacy is what the legacy row says.
func (r *siteRow) legacy() standing { return standing{legacyStatus(r.status), r.changed.Time, true} }

// keepStatus writes what WordPress.com will know of the sites of a group.
func (s *Store) keepStatus(t txn, group []*entry) error {
	var there []any
	rows := make([][]any, 0, len(group))
	for _, e := range group {
		if e.row.newest.site != 0 {
			there = append(there, e.SiteID)
		}
		rows = append(rows, s.statusAfter(e))
	}
	if len(there) > 0 {
		if _, err := t.exec("DELETE FROM jetmon_site_status WHERE site_id IN "+marks(len(there)), there...); err != nil {
			return err
		}
	}
	return t.insertRows(statusInsert, rows)
}

const statusInsert = `INSERT INTO jetmon_site_status
	(site_id, blog_id, bucket, outage_id, status, status_ms, row_ms, told, told_ms, untold) VALUES `

// statusAfter is the row of a site after a change.
func (s *Store) statusAfter(e *entry) []any {
	at := toMillis(e.At)
	inRow := at
	if !s.legacyWrites {
		inRow = 0
		if e.row.own() {
			inRow = int64(e.row.newest.inRow)
		}
	}
	return []any{e.SiteID, int64(e.row.blog), e.Bucket, e.open.id, e.To, at, inRow, e.To, at, 0}
}

// forgetStatus deletes what is known of a site, and of one that had its id before.
func forgetStatus(t txn, id check.SiteID) error {
	_, err := t.exec("DELETE FROM jetmon_site_status WHERE site_id = ?", id)
	return err
}
