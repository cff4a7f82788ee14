package sqlstore

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
)

// ownStatus is a row of jetmon_site_status: our newest change of a site's status, and what
// WordPress.com was told.
type ownStatus struct {
	site, blog, outage, status, at, inRow, told, toldAt, untold number
}

// Values of ownStatus.
const (
	// nothingTold is in told where WordPress.com was told nothing by us.
	nothingTold = -1
	// of untold: WordPress.com was told the newest change; it was not; and notices were
	// withdrawn besides, of which it may have received some; it was told the newest change,
	// and by others perhaps more, as we were muted since.
	allTold, someUntold, someWithdrawn, othersToo = 0, 1, 2, 3
)

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

// untold says whether WordPress.com may know something else than our newest change.
func (r *siteRow) untold() bool { return r.own() && r.newest.untold != allTold }

// known is what WordPress.com knows of a site that is untold: the newer of what it was told
// and of what somebody else wrote into the legacy row.
func (s *Store) known(r *siteRow) (k standing, unsure bool) {
	if now := s.recorded(r); r.newest.untold == othersToo && now.byRow {
		return now, false
	}
	told := fromMillis(int64(r.newest.toldAt))
	ours := r.newest.inRow != 0 && r.changed.Equal(fromMillis(int64(r.newest.inRow)).Truncate(time.Second))
	switch {
	case r.newest.told == nothingTold, !ours && r.changed.After(told):
		return r.legacy(), false
	case r.newest.untold == someWithdrawn:
		return standing{status: check.StatusRunning, since: told}, true
	default:
		return standing{status: check.Status(r.newest.told), since: told}, false
	}
}

// knownOf is apart so that site, of which there are millions when a coordinator starts,
// allocates nothing.
func (s *Store) knownOf(r *siteRow) *store.Known {
	k, unsure := s.known(r)
	return &store.Known{Status: k.status, Since: k.since, Unsure: unsure}
}

// begin says what a change of a site begins from, as its sender should know it, and
// whether it is silent, which is to have no notice.
func (s *Store) begin(e *entry) {
	e.was, e.silent = s.recorded(&e.row), e.Muted
	if e.Muted || !e.row.untold() {
		return
	}
	known, unsure := s.known(&e.row)
	e.was = known
	onRecord := e.open.id != 0 || unsure
	if known.status == check.StatusRunning && onRecord && e.From == check.StatusDown && e.To == check.StatusRunning {
		e.was, e.silent = standing{status: e.From}, !unsure
	}
}

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
	told, toldAt, untold := int64(e.To), at, allTold
	if e.Muted {
		told, toldAt, untold = s.toldBefore(e)
	}
	return []any{e.SiteID, int64(e.row.blog), e.Bucket, e.open.id, e.To, at, inRow, told, toldAt, untold}
}

// toldBefore is what WordPress.com still knows after a muted change. A legacy row that we
// write over will not say it any more.
func (s *Store) toldBefore(e *entry) (told, at int64, untold int) {
	known, unsure := e.was, false
	if e.row.untold() {
		known, unsure = s.known(&e.row)
	}
	untold = someUntold
	if unsure || e.withdrawn {
		untold = someWithdrawn
	}
	switch {
	case unsure:
		return int64(e.row.newest.told), int64(e.row.newest.toldAt), untold
	case known.byRow && !s.legacyWrites:
		return nothingTold, 0, untold
	default:
		return int64(known.status), toMillis(known.since), untold
	}
}

// forgetStatus deletes what is known of a site, and of one that had its id before.
func forgetStatus(t txn, id check.SiteID) error {
	_, err := t.exec("DELETE FROM jetmon_site_status WHERE site_id = ?", id)
	return err
}
