package sqlstore

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// ownStatus is a row of jetmon_site_status: the newest status change that we committed for
// a site, and the last one that we reported to WordPress.com. A status other than running
// with the outage 0 has no outage of the site's URL: the URL has changed since.
type ownStatus struct {
	site, blog, outage, status, at, inRow, told, toldAt, untold number
}

// nothingTold is the value of ownStatus.told for a site that we never reported to
// WordPress.com; the legacy row still holds what WordPress.com knows.
const nothingTold = -1

// The values of ownStatus.untold.
const (
	// allTold: we reported the newest change to WordPress.com.
	allTold = iota
	// someUntold: we did not.
	someUntold
	// someWithdrawn: we did not, and we withdrew notifications that it may have received.
	someWithdrawn
	// othersToo: we did, but have been muted since, so another program may have reported more.
	othersToo
)

// ownColumns has the columns of ownStatus, without the site.
const ownColumns = "w.blog_id, w.outage_id, w.status, w.status_ms, w.row_ms, w.told, w.told_ms, w.untold"

func (w *ownStatus) columns() []any {
	return []any{&w.blog, &w.outage, &w.status, &w.at, &w.inRow, &w.told, &w.toldAt, &w.untold}
}

// standing is a status and when it began (zero: unknown). byRow means that both come from
// the legacy row.
type standing struct {
	status check.Status
	since  time.Time
	byRow  bool
}

// own reports whether jetmon_site_status has a row for this site. A row of another blog
// belongs to a deleted site that had the same id.
func (r *siteRow) own() bool { return r.newest.site != 0 && r.newest.blog == r.blog }

// recorded returns the status that we have on record for a site: that of its open outage,
// else that of our newest change, else that of the legacy row. If we write the legacy row,
// and wrote our newest change there, later edits of it by others count.
func (s *Store) recorded(r *siteRow) standing {
	switch {
	case r.outage != 0:
		return standing{status: check.Status(r.outageStatus), since: fromMillis(int64(r.outageSince))}
	case !r.own(), s.legacyWrites && r.newest.inRow == r.newest.at:
		return r.legacy()
	case r.newest.outage != 0 && check.Status(r.newest.status) != check.StatusRunning:
		// The outage has ended without a change here, as in older versions.
		return standing{status: check.StatusRunning}
	default:
		return standing{status: check.Status(r.newest.status), since: fromMillis(int64(r.newest.at))}
	}
}

// verdict returns our own verdict of a site, whatever other programs write into the legacy
// row: that of its open outage, else our newest change. A site that we never changed runs.
func (s *Store) verdict(r *siteRow) standing {
	switch now := s.recorded(r); {
	case !now.byRow:
		return now
	case r.own() && (r.newest.outage == 0 || check.Status(r.newest.status) == check.StatusRunning):
		return standing{status: check.Status(r.newest.status), since: fromMillis(int64(r.newest.at))}
	default:
		return standing{status: check.StatusRunning}
	}
}

// outdated reports whether the open outage is of another URL than the row's.
func (r *siteRow) outdated() bool {
	return r.outage != 0 && outageURL(string(r.url)) != string(r.outageURL)
}

// inherits reports whether a status was reported of an earlier URL of the site.
func (r *siteRow) inherits(status check.Status) bool {
	switch {
	case status == check.StatusRunning:
		return false
	case r.outage != 0:
		return r.outdated()
	default:
		return r.own() && r.newest.outage == 0 && check.Status(r.newest.status) != check.StatusRunning
	}
}

// legacy returns the status in the legacy row.
func (r *siteRow) legacy() standing { return standing{legacyStatus(r.status), r.changed.Time, true} }

// untold reports whether WordPress.com may know a status other than the recorded one.
func (r *siteRow) untold() bool { return r.own() && r.newest.untold != allTold }

// known returns the status that WordPress.com knows of an untold site: the last one that we
// reported, or the one that another program has written into the legacy row since.
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

// knownOf returns known for a record.Site. It is a function of its own to keep its
// allocation out of site, which runs millions of times when a coordinator starts.
func (s *Store) knownOf(r *siteRow) *record.Known {
	k, unsure := s.known(r)
	return &record.Known{Status: k.status, Since: k.since, Unsure: unsure}
}

// oursOf returns our own verdict for a record.Site, nil if it is the one on record. Like
// knownOf it keeps its allocation out of site.
func (s *Store) oursOf(r *siteRow, recorded standing) *record.Verdict {
	v := s.verdict(r)
	if !recorded.byRow || v.status == recorded.status {
		return nil
	}
	return &record.Verdict{Status: v.status, Since: v.since}
}

// begin works out the status that a change must start from, and whether it is silent, that
// is, committed without a notification.
func (s *Store) begin(e *entry) {
	e.was, e.silent = s.recorded(&e.row), e.muted() || e.adopts()
	if e.Trial {
		e.was = s.verdict(&e.row)
	}
	if e.Muted || !e.row.untold() || e.muted() && e.open.id != 0 {
		return
	}
	known, unsure := s.known(&e.row)
	e.was = known
	if e.muted() {
		return // what is on record is of another URL, or of another program
	}
	onRecord := e.open.id != 0 || unsure
	if known.status == check.StatusRunning && onRecord && e.From == check.StatusDown && e.To == check.StatusRunning {
		e.was, e.silent = standing{status: e.From}, !unsure
	}
}

// muted reports whether WordPress.com is not told because somebody wants it so.
func (e *entry) muted() bool { return e.Muted || e.hushed != 0 }

// keepStatus replaces the jetmon_site_status rows of a group's sites.
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

// writesRow reports whether a change is written into the legacy row. In maintenance it is not:
// who reads the row would be told.
func (s *Store) writesRow(e *entry) bool { return s.legacyWrites && !e.Trial && e.hushed == 0 }

// statusAfter returns a site's new row of jetmon_site_status.
func (s *Store) statusAfter(e *entry) []any {
	if e.adopts() && e.row.own() {
		w := &e.row.newest
		return []any{e.SiteID, int64(e.row.blog), e.Bucket, e.open.id, e.To, e.statusSince(), int64(w.inRow), int64(w.told), int64(w.toldAt), int64(w.untold)}
	}
	at := e.statusSince()
	inRow := at
	if !s.writesRow(e) {
		inRow = 0
		if e.row.own() {
			inRow = int64(e.row.newest.inRow)
		}
	}
	told, toldAt, untold := int64(e.To), at, allTold
	if e.muted() {
		told, toldAt, untold = s.toldBefore(e)
	}
	return []any{e.SiteID, int64(e.row.blog), e.Bucket, e.open.id, e.To, at, inRow, told, toldAt, untold}
}

// toldBefore returns the status that WordPress.com still knows after a muted change. If we
// overwrite the legacy row, its status must be kept here.
func (s *Store) toldBefore(e *entry) (told, at int64, untold int) {
	known, unsure := s.recorded(&e.row), false
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
	case known.byRow && !s.writesRow(e):
		return nothingTold, 0, untold
	default:
		return int64(known.status), toMillis(known.since), untold
	}
}

// forgetStatus deletes the row of a site, or of an earlier site with its id.
func forgetStatus(t txn, id check.SiteID) error {
	_, err := t.exec("DELETE FROM jetmon_site_status WHERE site_id = ?", id)
	return err
}
